//! Jobs that run at WeCom: imports, exports, uploads.
//!
//! Input is the plaintext's document. The result itself is requested with the job's id.

use super::Event;
use super::fields::{filled, number};
use crate::document::Element;

/// A job that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The job's id.
    pub id: Option<String>,
    /// `sync_user`, `export_department`…; an upload has none.
    pub job_type: Option<String>,
    /// 0 if it succeeded; notices do not say.
    pub error_code: Option<i64>,
    /// The error message.
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
