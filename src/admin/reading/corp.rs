//! Finds a request's corp: the named one, or the only one there is.

use sqlx::PgConnection;

use crate::{
    admin::{door::call::Call, spec::problem::Problem},
    ids::CorpId,
    tables::apps::enterprise_wechat_config,
};

/// Why the corp cannot be determined. Displays what the field or parameter must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCorp {
    /// No app belongs to the named corp.
    #[error("is the corpid of no app: add its app first")]
    Unknown,
    /// None was named, and there are several.
    #[error("is required, because there are apps of several corps")]
    Several,
    /// None was named, and there is none.
    #[error("cannot be filled in, because there is no app yet: add one first")]
    NoApp,
}

impl NoCorp {
    /// What the field or parameter must be.
    fn words(self) -> (String, &'static str) {
        let zh = match self {
            Self::Unknown => "没有属于该 corpid 的应用，请先添加应用",
            Self::Several => "为必填项：已有多个企业的应用",
            Self::NoApp => "无法自动填写：尚无应用，请先添加应用",
        };
        (self.to_string(), zh)
    }
}

/// The corp that a body's `corpid` means.
pub async fn of_field(conn: &mut PgConnection, given: Option<&str>) -> Result<CorpId, Problem> {
    let corps = enterprise_wechat_config::corps(conn).await?;
    choose(corps, given).map_err(|why| Problem::field("corpid", why.words()))
}

/// The corp that a query's `corpid` means.
pub async fn of_parameter(conn: &mut PgConnection, given: Option<&str>) -> Result<CorpId, Problem> {
    let corps = enterprise_wechat_config::corps(conn).await?;
    choose(corps, given).map_err(|why| Problem::parameter("corpid", why.words()))
}

/// The same as [`of_field`] for a scoped caller, who has only one corp.
pub async fn of_field_for(call: &Call<'_>, conn: &mut PgConnection, given: Option<&str>) -> Result<CorpId, Problem> {
    match call.own() {
        Some(own) => choose(vec![own.corpid.clone()], given).map_err(|why| Problem::field("corpid", why.words())),
        None => of_field(conn, given).await,
    }
}

fn choose(mut corps: Vec<CorpId>, given: Option<&str>) -> Result<CorpId, NoCorp> {
    match given {
        Some(given) => corps.into_iter().find(|it| it.0 == given).ok_or(NoCorp::Unknown),
        None if corps.len() > 1 => Err(NoCorp::Several),
        None => corps.pop().ok_or(NoCorp::NoApp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corp_may_be_left_out_only_where_there_is_one() {
        let corps = |names: &[&str]| names.iter().map(|name| CorpId::from(*name)).collect::<Vec<_>>();
        assert_eq!(choose(corps(&["ww1"]), None), Ok("ww1".into()));
        assert_eq!(choose(corps(&["ww1", "ww2"]), Some("ww2")), Ok("ww2".into()));
        assert!(choose(corps(&["ww1", "ww2"]), None).is_err());
        assert!(choose(corps(&["ww1"]), Some("ww3")).is_err());
        assert!(choose(corps(&[]), None).is_err());
    }
}
