//! Whom an id means: a customer of the business with all their people outside, or one person outside.

use sqlx::PgConnection;

use crate::{
    ids::{CorpId, ExternalUserId},
    states::ErasureName,
    tables::{customers::matching, privacy::erase, staff::member_alias},
};

/// Whose data is meant.
#[derive(Debug, Clone)]
pub struct DataSubject {
    /// The corp.
    pub corpid: CorpId,
    /// The business's id, if it was named by that.
    pub customer: Option<String>,
    /// The people outside, by WeCom's ids; the one who was named comes first.
    pub persons: Vec<String>,
}

impl DataSubject {
    /// The people that an id means: those matched to a customer, or one by WeCom's id; and those with the same unionid,
    /// who are the same person under another id. None if the id is nobody's.
    pub async fn find(conn: &mut PgConnection, corpid: CorpId, id: &str) -> sqlx::Result<Option<Self>> {
        let matched = erase::people_of(conn, &corpid, id).await?;
        let is_customer = !matched.is_empty() || erase::is_known(conn, &corpid, id).await?;
        let is_person =
            ExternalUserId::from_sender(id).is_some() && !member_alias::is_member(conn, &corpid, id).await?;
        let (customer, mut persons) = match is_customer {
            true => (Some(id.to_owned()), matched),
            false if is_person => (None, vec![id.to_owned()]),
            false => return Ok(None),
        };
        let people = persons.iter().map(|it| (corpid.clone(), ExternalUserId(it.clone()))).collect();
        for (_, person) in matching::with_same_unionid(conn, &people).await? {
            if !persons.contains(&person.0) {
                persons.push(person.0);
            }
        }
        Ok(Some(Self { corpid, customer, persons }))
    }

    /// By what they were named.
    pub fn named_by(&self) -> ErasureName {
        if self.customer.is_some() { ErasureName::Customer } else { ErasureName::Person }
    }
}
