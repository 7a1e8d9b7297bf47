//! `refresh_kf_customer`: reads who a customer of 微信客服 is.
//!
//! Safe to repeat: the card is a register under the time of the reading. WeCom tells it for 48 hours after the customer
//! wrote or entered, so the task runs at once; after that it is done without a card.

use crate::{
    changes::Changes,
    ids::ExternalUserId,
    tables::{self, task::Taken},
    tasks::{Context, Failure},
};

pub(in crate::tasks) async fn run(context: &Context, task: &Taken) -> Result<(), Failure> {
    let api = context.wecom.app(task.app_id).await?;
    // Taken before the call: the answer is at least as new as this time.
    let read_at = tables::now(&mut *context.pool.acquire().await?).await?;
    let customer = ExternalUserId(task.subject.clone());
    let Some(card) = api.kf_customer(&customer).await? else {
        tracing::debug!(task.id = task.id, "WeCom tells no longer who this customer is");
        return Ok(());
    };
    let mut changes = Changes::default();
    changes.kf_card(&task.corpid, &customer, task.app_id, serde_json::json!(card), read_at);
    context.write(changes).await
}
