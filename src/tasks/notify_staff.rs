//! `notify_staff`: sends a staff member a card in WeCom, or a text if there is no page to open.
//!
//! Safe to repeat for four hours: the card depends on the task alone, so repeats are identical, and WeCom shows an
//! identical card once. If the member cannot be reached, the reason is recorded in words for a person.

use std::iter::once;

use super::{Context, Failure};
use crate::{
    changes::{Notice, Payload},
    ids::UserId,
    tables::{staff::member_alias, task::Taken},
    wecom::{
        member::UNKNOWN_OR_OUT_OF_SIGHT,
        message::{Card, Delivery},
    },
};

/// None of the receivers exists, or none is in the app's visible range.
const NOBODY_REACHED: i64 = 81013;

/// How many lines a card shows.
const LINES_MAX: usize = 6;

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let notice = Notice::read(task.payload.as_deref())
        .map_err(|error| Failure::park(format!("the notice cannot be read: {error}")))?;
    let api = context.wecom.app(task.app_id).await?;
    let named = notice.wechat_userid.clone();
    let mut current = {
        let mut conn = context.pool.acquire().await?;
        member_alias::resolve(&mut conn, once((&task.corpid, &named))).await?
    };
    let user = current.remove(&(task.corpid.clone(), named.clone())).unwrap_or(named);
    // WeCom refuses a card without a URL.
    let sent = match notice.url.is_empty() {
        true => api.send_text(&user, &text(notice)).await,
        false => api.send_card(&user, &card(notice)).await,
    };
    match sent {
        Ok(sent) => match sent.to(&user) {
            Delivery::Sent => Ok(()),
            Delivery::OutOfSight => Err(not_reached(&user)),
            Delivery::Unlicensed => Err(unlicensed(&user)),
        },
        Err(error) if error.is(NOBODY_REACHED) || error.is(UNKNOWN_OR_OUT_OF_SIGHT) => Err(not_reached(&user)),
        Err(error) => Err(error.into()),
    }
}

fn not_reached(user: &UserId) -> Failure {
    Failure::park(format!(
        "{user} cannot be reached: not in the app's visible scope, or has left 员工不在应用可见范围内,或已离职"
    ))
}

fn unlicensed(user: &UserId) -> Failure {
    Failure::park(format!(
        "{user} was not told: no licence for the API is active for them 该成员没有有效的基础接口许可,请在服务商后台购买并激活"
    ))
}

fn card(notice: Notice) -> Card {
    let lines = notice.lines.into_iter().take(LINES_MAX).collect();
    Card { title: notice.title, desc: notice.desc, lines, url: notice.url }
}

/// The notice as a text message, if it has no page.
fn text(notice: Notice) -> String {
    let lines = notice.lines.into_iter().map(|(name, value)| format!("{name}:{value}"));
    let parts = [notice.title, notice.desc].into_iter().filter(|it| !it.is_empty()).chain(lines);
    parts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_from_its_task_and_keeps_to_what_a_card_holds() {
        let lines: Vec<_> = (0..9).map(|it| [format!("n{it}"), format!("v{it}")]).collect();
        let payload =
            serde_json::json!({ "wechat_userid": "ann", "title": "新工单", "lines": lines, "url": "https://e" });
        let notice: Notice = serde_json::from_value(payload).expect("a notice");
        assert_eq!((notice.wechat_userid.as_str(), notice.desc.as_str()), ("ann", ""));
        assert!(text(notice.clone()).starts_with("新工单\nn0:v0\nn1:v1"));
        let card = card(notice);
        assert_eq!(card.lines.len(), LINES_MAX);
        assert_eq!(card.lines.first(), Some(&("n0".to_owned(), "v0".to_owned())));
    }
}
