//! The demo's third part: the customer writes through 微信客服 and sends a photo of the leak, which appears in their timeline
//! beside the order.

use anyhow::Context;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::{
    flow::{CUSTOMER, Story},
    office::{Office, so},
};
use crate::{
    cli::say,
    ids::{ExternalUserId, UserId},
    sandbox::Platform,
};

/// What a customer is greeted with there.
pub(super) const GREETING: &str = "{customer}您好，请问有什么可以帮您？";

/// What they write.
const WORDS: &str = "厨房水管漏水了，我拍给您看";

/// The results of the steps.
#[derive(Debug, Serialize)]
pub(super) struct Talk {
    account: String,
    greeting: String,
    servicer: String,
    messages: usize,
    photo: String,
    order: i64,
}

/// Runs the steps: the customer enters, is greeted, writes and sends a photo; somebody gets the session.
pub(super) async fn play(office: &Office<'_>, platform: &Platform, story: &Story) -> anyhow::Result<Talk> {
    let (customer, servicer) = (ExternalUserId::from(story.customer()), UserId::from(story.member()));
    let account = platform.with(|world| world.add_kf_account("水暖报修", &[servicer.as_str()]));
    platform.kf_enter(&account, &customer, "").await?;
    let greeted = || {
        platform.with(|world| world.kf.greetings.iter().find(|it| it.customer == customer).map(|it| it.text.clone()))
    };
    let greeting = so("the customer was greeted in 微信客服", greeted).await?;
    let picture = Bytes::from_static(include_bytes!("photo.png"));
    let media_id = platform.with(|world| world.add_media(picture, "image/png", "漏水.png"));
    platform.kf_write(&account, &customer, WORDS).await?;
    platform.kf_picture(&account, &customer, &media_id).await?;

    let has_photo = |page: &Value| said(page).any(|it| it["media"]["state"] == "fetched");
    let records =
        office.until("the photo is in the timeline", &format!("/contact-records/{CUSTOMER}"), has_photo).await?;
    let served = || platform.with(|world| world.kf.account(&account)?.session(&customer)?.1);
    let servicer = so("somebody has the session", served).await?;
    let order = office.ask("GET", &format!("/work-orders/{}", story.order()), None).await?;
    let photo = said(&records).find_map(|it| it["media"]["url"].as_str()).unwrap_or_default().to_owned();
    Ok(Talk {
        account,
        greeting,
        servicer: servicer.0,
        messages: said(&records).count(),
        photo,
        order: order["id"].as_i64().context("the order has a number")?,
    })
}

/// What was said in 微信客服.
fn said(page: &Value) -> impl Iterator<Item = &Value> {
    let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter(|it| it["source"] == "kf" && it["contact_type"] != "event")
}

impl Talk {
    /// Prints the results for people.
    pub(super) fn print(&self) {
        say("\nThe customer writes through 微信客服:");
        say(&format!("  greeting    {}", self.greeting));
        say(&format!("  wrote       {WORDS}"));
        say(&format!("  photo       {} (fetched from WeCom and kept)", self.photo));
        say(&format!("  served by   {}, whose contact they are", self.servicer));
        say(&format!("  timeline    {} messages of {CUSTOMER}, beside order {}", self.messages, self.order));
    }
}
