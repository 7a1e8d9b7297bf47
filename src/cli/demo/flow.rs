//! The demo's second part: an order becomes a contact, through the admin API and a pretend WeCom.
//!
//! Every step is a request that the company's own system would send, or an action in WeCom; the printed values come
//! from the answers.

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::office::{LOOK, Office, STEP_LIMIT, so, text};
use crate::{
    cli::say,
    ids::UserId,
    sandbox::{AppKind, Platform, Push, Sender},
    states::OrderState,
};

/// The customer, as the company's own system names them.
pub(super) const CUSTOMER: &str = "C-9001";

/// The results of the steps.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    order: i64,
    staff_id: String,
    wechat_userid: String,
    notice: String,
    state: String,
    qr_code: String,
    external_userid: String,
    order_state: String,
    welcome: String,
    welcome_after_s: i64,
    photo_bytes: usize,
}

/// The participants.
pub(super) struct Scene<'a> {
    pub(super) office: &'a Office<'a>,
    pub(super) platform: &'a Platform,
    pub(super) sender: &'a Sender,
}

impl Scene<'_> {
    /// Runs the steps: order, assignment, notice, code, scan, linked contact, welcome, photo.
    pub(super) async fn play(&self) -> anyhow::Result<Story> {
        let order = json!({
            "customer_id": CUSTOMER, "customer_name": "周先生", "phone": "13800000000",
            "address": "深圳市南山区科苑路 8 号", "description": "空调不制冷,希望今天上门", "source": "小程序",
        });
        let order = self.office.ask("POST", "/work-orders", Some(order)).await?;
        let number = order["id"].as_i64().context("the order has a number")?;
        let staff_id = text(&order, "staff_id").context("nobody was free to take the order")?;
        let user = self.user_of(&staff_id).await?;
        let notice = so("the staff member was told", || self.notice_to(&user)).await?;

        let wanted = json!({ "customer_id": CUSTOMER, "work_order_id": number });
        let way = self.office.ask("POST", "/customer-contact", Some(wanted)).await?;
        let config_id = text(&way, "config_id")?;
        let customer = self.platform.with(|world| world.somebody_new());
        self.platform.scan(&config_id, &customer).await.context("the code was scanned")?;
        self.platform.pushed().await;

        let is_linked = |story: &Value| story["items"].as_array().is_some_and(|it| !it.is_empty());
        self.office.until("the contact is linked", &format!("/customer-contact/{CUSTOMER}"), is_linked).await?;
        let order = self
            .office
            .until("the order is contacted", &format!("/work-orders/{number}"), |it| {
                it["state"] == OrderState::Contacted.as_str()
            })
            .await?;
        let welcomed =
            || self.platform.with(|world| world.welcomes.iter().find(|it| it.external_userid == customer).cloned());
        let welcome = so("the customer was welcomed", welcomed).await?;
        Ok(Story {
            order: number,
            staff_id,
            photo_bytes: self.photo(&user).await?,
            wechat_userid: user.0,
            notice,
            state: text(&way, "state")?,
            qr_code: text(&way, "qr_code")?,
            external_userid: customer.0,
            order_state: text(&order, "state")?,
            welcome: text(&welcome.message, "text")?,
            welcome_after_s: welcome.after_s,
        })
    }

    /// The staff member sends a photo of the job; returns how many bytes the admin API returns for it.
    async fn photo(&self, user: &UserId) -> anyhow::Result<usize> {
        let picture = Bytes::from_static(include_bytes!("photo.png"));
        let media_id = self.platform.with(|world| world.add_media(picture, "image/png", "现场.png"));
        let corpid = self.platform.with(|world| world.corpid().clone());
        let now = self.platform.clock().now().timestamp();
        let message = format!(
            "<xml><ToUserName><![CDATA[{corpid}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
             <CreateTime>{now}</CreateTime><MsgType><![CDATA[image]]></MsgType>\
             <PicUrl><![CDATA[https://example.com/photo]]></PicUrl><MediaId><![CDATA[{media_id}]]></MediaId>\
             <MsgId>{now}000001</MsgId><AgentID>1000002</AgentID></xml>"
        );
        let sent = self.sender.deliver(&Push::genuine(AppKind::App, message)).await;
        ensure!(sent.answered_200, "the photo's message was not answered");
        let target = format!("/media/{media_id}");
        let stored = async {
            loop {
                let (status, bytes) = self.office.request("GET", &target, None).await;
                if status == 200 {
                    return bytes.len();
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(STEP_LIMIT, stored).await.context("the photo was not stored in time")
    }

    /// The title of the latest notice that this member received.
    fn notice_to(&self, user: &UserId) -> Option<String> {
        self.platform.with(|world| {
            let message = world.messages.iter().rev().find(|it| it.to == *user)?;
            Some(message.content["main_title"]["title"].as_str()?.to_owned())
        })
    }

    async fn user_of(&self, staff_id: &str) -> anyhow::Result<UserId> {
        let bound = self.office.ask("GET", "/staff-bind?status=bound&limit=200", None).await?;
        let rows = bound["items"].as_array().context("the bindings are a list")?;
        let row = rows.iter().find(|it| it["staff_id"] == staff_id).context("the staff member is bound")?;
        Ok(UserId(text(row, "wechat_userid")?))
    }
}

impl Story {
    /// The order's number.
    pub(super) fn order(&self) -> i64 {
        self.order
    }

    /// The customer, as WeCom names them.
    pub(super) fn customer(&self) -> &str {
        &self.external_userid
    }

    /// The member whose contact they are.
    pub(super) fn member(&self) -> &str {
        &self.wechat_userid
    }

    /// Prints the results for people.
    pub(super) fn print(&self) {
        say("\nAn order becomes a contact:");
        say(&format!("  order       {} of customer {CUSTOMER}, assigned to {}", self.order, self.staff_id));
        say(&format!("  notice      {} read in WeCom: {}", self.wechat_userid, self.notice));
        say(&format!("  QR code     {} (state {})", self.qr_code, self.state));
        say(&format!("  scanned     {} is {CUSTOMER}; the order is {}", self.external_userid, self.order_state));
        say(&format!("  welcome     {} ({} s after the scan)", self.welcome, self.welcome_after_s));
        say(&format!("  photo       {} bytes fetched from WeCom and kept", self.photo_bytes));
    }
}
