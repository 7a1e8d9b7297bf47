//! `customer-contact`: who of us knows a customer, by the business's id or WeCom's.

use serde::Serialize;
use sqlx::PgConnection;

use super::{
    call::{Answer, Call},
    page::{LIMIT_MAX, fetch},
    problem::{Code, Problem},
};
use crate::tables::customer_wechat_contact;

/// A customer's contacts.
#[derive(Debug, Serialize)]
struct Contacts {
    /// The business's id; null if the customer is known by WeCom's alone.
    customer_id: Option<String>,
    /// One for each member who knows them, latest contact first.
    items: Vec<customer_wechat_contact::Shown>,
    /// Whether there are more than are shown.
    more: bool,
}

pub(super) async fn show(call: &mut Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let mut items = customer_wechat_contact::of_customer(conn, call.id, fetch(LIMIT_MAX)).await?;
    if items.is_empty() {
        let detail = "give the business's id of a matched customer, or WeCom's external_userid";
        return Err(Problem::new(Code::CustomerUnknown, detail).at("customerId"));
    }
    let more = items.len() > LIMIT_MAX;
    items.truncate(LIMIT_MAX);
    Answer::ok(Contacts { customer_id: items.iter().find_map(|it| it.customer_id.clone()), items, more })
}
