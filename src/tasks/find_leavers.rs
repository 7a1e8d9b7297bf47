//! `find_leavers`: reads WeCom's list of unassigned customers (待分配). WeCom does not always announce a leaver: a
//! member who disappeared from an app's visible range has left only if their customers are in that list.
//!
//! Safe to repeat: it only reads, and its results are registers.

use super::{Context, Failure};
use crate::{
    changes::Changes,
    ids::{CorpId, UserId},
    tables::{customers::customer_wechat_contact, staff::member_alias, task::Taken},
    wecom::{
        Pages,
        customer::{UNASSIGNED, Unassigned},
    },
};

/// How many pages are read, of a thousand customers each.
const PAGES_MAX: usize = 1_000;

pub(super) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let api = context.wecom.app(task.app_id).await?;
    let (mut pages, mut cursor) = (Pages::new(UNASSIGNED, PAGES_MAX), String::new());
    let mut unreadable = 0;
    loop {
        let page = api.unassigned(&cursor).await?;
        unreadable += page.unreadable.len();
        learn(context, &task.corpid, &page.customers).await?;
        let next = if page.is_last { String::new() } else { page.next_cursor };
        match pages.follow(&cursor, next) {
            Ok(Some(next)) => cursor = next,
            Ok(None) => break,
            Err(error) => return Err(Failure::park(error.to_string())),
        }
    }
    if unreadable > 0 {
        tracing::warn!(task.id = task.id, unreadable, "rows of WeCom's list of leavers' customers cannot be used");
    }
    Ok(())
}

async fn learn(context: &Context, corpid: &CorpId, listed: &[Unassigned]) -> Result<(), Failure> {
    let mut conn = context.pool.acquire().await?;
    let current = member_alias::resolve(&mut conn, listed.iter().map(|it| (corpid, &it.handover_userid))).await?;
    let now = |named: &UserId| current.get(&(corpid.clone(), named.clone())).unwrap_or(named).clone();
    let keys: Vec<_> = listed.iter().map(|it| (it.external_userid.clone(), now(&it.handover_userid))).collect();
    let held = customer_wechat_contact::held(&mut conn, corpid, &keys).await?;
    drop(conn);
    let mut changes = Changes::default();
    for ((customer, user), it) in keys.iter().zip(listed) {
        let stands = held.get(&(customer.clone(), user.clone())).map(|it| (it.status, it.status_at));
        changes.left_behind(corpid, customer, user, it.left_at, stands);
    }
    context.write(changes).await
}
