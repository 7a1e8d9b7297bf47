//! Forms of the 审批 app.
//!
//! <https://developer.work.weixin.qq.com/document/path/91983>.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{
    Api, ApiError,
    lenient::{self, List, Number},
    rows::{Row, is_id},
};
use crate::ids::UserId;

/// The endpoint that reads a form.
pub const DETAIL: &str = "oa/getapprovaldetail";

/// The control that holds a day.
const DATE: &str = "Date";

/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalForm {
    /// Its template.
    pub template_id: String,
    /// Its status: 2 approved.
    pub status: Option<i64>,
    /// Who applied; none if that could not be read.
    pub applicant: Option<UserId>,
    /// What was filled into its day controls.
    pub days: Vec<DayControl>,
}

/// A day control of a form, and what was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayControl {
    /// The control's id, such as `Date-1569859200`.
    pub id: String,
    /// Its titles, in each language that it has.
    pub titles: Vec<String>,
    /// The day, as a moment of it; none if it was left empty.
    pub day: Option<DateTime<Utc>>,
}

/// `oa/getapprovaldetail`.
#[derive(Debug, Deserialize)]
pub(super) struct ApprovalAnswer {
    info: ApprovalShown,
}

/// A form in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct ApprovalShown {
    template_id: String,
    sp_status: Number,
    applyer: Applicant,
    apply_data: ApplyData,
}

/// Who applied, in the wire format.
#[derive(Debug, Deserialize)]
pub(super) struct Applicant {
    userid: Option<UserId>,
}

/// What was filled in.
#[derive(Debug, Deserialize)]
pub(super) struct ApplyData {
    contents: List<Control>,
}

/// A control in the wire format. Controls of other kinds have other values, which are not read.
#[derive(Debug, Deserialize)]
pub(super) struct Control {
    control: String,
    id: String,
    title: List<Title>,
    value: ControlValue,
}

/// A control's title in one language.
#[derive(Debug, Deserialize)]
pub(super) struct Title {
    text: String,
}

/// A control's value.
#[derive(Debug, Deserialize)]
pub(super) struct ControlValue {
    date: DateValue,
}

/// A day, in unix seconds.
#[derive(Debug, Deserialize)]
pub(super) struct DateValue {
    s_timestamp: i64,
}

impl Row for Control {
    fn lacks(&self) -> Option<&'static str> {
        self.control.is_empty().then_some("control")
    }
}

impl Row for Title {
    fn lacks(&self) -> Option<&'static str> {
        self.text.is_empty().then_some("text")
    }
}

impl Api {
    /// A form of the 审批 app. Safe to repeat.
    pub async fn approval(&self, number: &str) -> Result<ApprovalForm, ApiError> {
        let ApprovalAnswer { info } = self.post(DETAIL, &json!({ "sp_no": number })).await?;
        let controls = info.apply_data.contents.rows("contents").rows;
        let days = controls.into_iter().filter(|it| it.control == DATE).map(|it| DayControl {
            id: it.id,
            titles: it.title.rows("title").rows.into_iter().map(|it| it.text).collect(),
            day: lenient::time(it.value.date.s_timestamp),
        });
        Ok(ApprovalForm {
            template_id: info.template_id,
            status: info.sp_status.0,
            applicant: info.applyer.userid.filter(|it| is_id(it.as_str())),
            days: days.collect(),
        })
    }
}
