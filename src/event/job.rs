//! Jobs that run at WeCom and end there: imports, exports, uploads.
//!
//! Input is the plaintext's document. The result itself is asked for with the job's id.

use super::Event;
use super::fields::{filled, number};
use crate::document::Element;

/// A job that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub id: Option<String>,
    /// `sync_user`, `export_department`…; an upload has none.
    pub job_type: Option<String>,
    /// 0 if it went well; notices do not say.
    pub error_code: Option<i64>,
    /// What went wrong, in words.
    pub error: Option<String>,
}

pub(super) fn read(doc: &Element) -> Event {
    // A batch's result is wrapped, an upload's is not.
    let doc = doc.child("BatchJob").unwrap_or(doc);
    Event::Job(Job {
        id: filled(doc, "JobId"),
        job_type: filled(doc, "JobType"),
        error_code: number(doc, "ErrCode"),
        error: filled(doc, "ErrMsg"),
    })
}
