//! Resignations that staff hand in as a form of the 审批 app: an approved form is an approved resignation, and one that is
//! withdrawn after that withdraws it.
//!
//! The form's template is one that the operator named. Which of its day controls holds the last day is either named as
//! well, or found: the only one, or the only one whose title speaks of it.

use chrono::{FixedOffset, NaiveDate};
use sqlx::PgConnection;

use super::resigning::{self, DecisionError, EntryError, ResignationInput};
use crate::{
    ids::CorpId,
    tables::{apply, staff::resignation},
    wecom::approval::{ApprovalForm, DayControl},
};

/// Who enters and withdraws such resignations, in their history.
const WHO: &str = "企业微信审批";

/// The statuses of a form that was approved, and of one that was withdrawn after that.
const APPROVED: i64 = 2;
const WITHDRAWN: i64 = 6;

/// What the title of a last day's control may speak of.
const LAST_DAY_WORDS: &[&str] = &["最后", "离职", "last"];

/// A template of resignations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResignationTemplate {
    /// WeCom's id of the template.
    pub template_id: String,
    /// The title or id of the control that holds the last day; none if it is to be found.
    pub last_day: Option<String>,
}

/// Why a form does not become a resignation. Displays what a person must do.
#[derive(Debug, thiserror::Error)]
pub enum NotEntered {
    /// It names nobody.
    #[error("the form names no applicant")]
    Nobody,
    /// No control holds the last day.
    #[error(
        "the form's last day cannot be found: name its control in handover.resignation_templates, as {template}=TITLE; \
         the form has {found}"
    )]
    NoDay {
        /// The template.
        template: String,
        /// The titles of its day controls.
        found: String,
    },
    /// The applicant cannot resign here.
    #[error("{0}; bind the applicant to their staff id, then replay this task")]
    Refused(EntryError),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Takes in a form of a template of resignations, by its status. A form that made a resignation before changes nothing but
/// by being withdrawn.
pub async fn take_in(
    conn: &mut PgConnection,
    corpid: &CorpId,
    number: &str,
    template: &ResignationTemplate,
    form: &ApprovalForm,
) -> Result<(), NotEntered> {
    apply::lock_alone(conn, corpid).await?;
    let made = resignation::of_approval(conn, corpid, number).await?;
    match (form.status, made) {
        (Some(APPROVED), None) => enter(conn, corpid, number, template, form).await,
        (Some(WITHDRAWN), Some(id)) => match resigning::withdraw(conn, id, None, WHO).await {
            Err(DecisionError::Database(error)) => Err(error.into()),
            // They have left meanwhile, or somebody decided otherwise.
            Err(DecisionError::Unknown | DecisionError::TooLate(_)) | Ok(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

async fn enter(
    conn: &mut PgConnection,
    corpid: &CorpId,
    number: &str,
    template: &ResignationTemplate,
    form: &ApprovalForm,
) -> Result<(), NotEntered> {
    let user = form.applicant.clone().ok_or(NotEntered::Nobody)?;
    let last_day = last_day(template, &form.days)?;
    let input = ResignationInput { staff_id: None, wechat_userid: Some(user.0), last_day, reason: None };
    let entered = match resigning::enter(conn, corpid, input, WHO).await {
        Ok(entered) => entered,
        // Somebody entered it by hand: theirs counts.
        Err(EntryError::OpenAlready) => return Ok(()),
        Err(EntryError::Database(error)) => return Err(error.into()),
        Err(refused @ (EntryError::Invalid(_) | EntryError::NotBound { .. })) => {
            return Err(NotEntered::Refused(refused));
        }
    };
    resignation::came_by_approval(conn, entered.id, number).await?;
    match resigning::approve(conn, entered.id, None, WHO).await {
        Err(DecisionError::Database(error)) => Err(error.into()),
        // It was entered in this transaction, so it can be approved.
        Err(DecisionError::Unknown | DecisionError::TooLate(_)) | Ok(_) => Ok(()),
    }
}

/// The last day in the form, in Chinese time.
fn last_day(template: &ResignationTemplate, days: &[DayControl]) -> Result<NaiveDate, NotEntered> {
    let titled = |it: &&DayControl, word: &str| it.titles.iter().any(|title| title.to_lowercase().contains(word));
    let speaking: Vec<_> = days.iter().filter(|it| LAST_DAY_WORDS.iter().any(|word| titled(it, word))).collect();
    let control = match (&template.last_day, days, speaking.as_slice()) {
        (Some(name), ..) => days.iter().find(|it| it.id == *name || it.titles.contains(name)),
        (None, [only], _) => Some(only),
        (None, _, [only]) => Some(*only),
        (None, ..) => None,
    };
    control.and_then(|it| it.day).map(|at| at.with_timezone(&china()).date_naive()).ok_or_else(|| {
        let titles: Vec<_> = days.iter().map(|it| it.titles.first().unwrap_or(&it.id).as_str()).collect();
        let found = if titles.is_empty() { "no day controls".to_owned() } else { titles.join(", ") };
        NotEntered::NoDay { template: template.template_id.clone(), found }
    })
}

/// WeCom's days begin at midnight in China.
fn china() -> FixedOffset {
    const EIGHT_HOURS_S: i32 = 8 * 3_600;
    FixedOffset::east_opt(EIGHT_HOURS_S).unwrap_or(const { FixedOffset::east_opt(0).expect("zero is in range") })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn day(id: &str, title: &str, at: i64) -> DayControl {
        DayControl { id: id.to_owned(), titles: vec![title.to_owned()], day: DateTime::from_timestamp(at, 0) }
    }

    fn found(last_day_control: Option<&str>, days: &[DayControl]) -> Option<String> {
        let template =
            ResignationTemplate { template_id: "T".to_owned(), last_day: last_day_control.map(str::to_owned) };
        last_day(&template, days).ok().map(|it| it.to_string())
    }

    #[test]
    fn the_last_day_is_the_named_control_or_the_only_one_that_can_be_meant() {
        // Midnight of 2026-07-01 in China is still June in UTC.
        let last = day("Date-1", "最后工作日", 1_782_835_200);
        let begin = day("Date-2", "入职日期", 1_600_000_000);
        assert_eq!(found(None, std::slice::from_ref(&last)).as_deref(), Some("2026-07-01"));
        assert_eq!(found(None, &[begin.clone(), last.clone()]).as_deref(), Some("2026-07-01"));
        assert_eq!(found(Some("Date-2"), &[begin.clone(), last.clone()]).as_deref(), Some("2020-09-13"));
        assert_eq!(found(Some("最后工作日"), &[begin.clone(), last.clone()]).as_deref(), Some("2026-07-01"));
        assert_eq!(found(None, &[begin.clone(), day("Date-3", "转正日期", 1)]), None, "either may be meant");
        assert_eq!(found(Some("交接日"), &[begin, last]), None, "no control has that title");
        assert_eq!(found(None, &[]), None);
    }
}
