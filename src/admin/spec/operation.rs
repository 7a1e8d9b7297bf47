//! What an endpoint's description is made of: plain data, so that adding one is filling in a form.

use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    language::{Text, say},
    parameter::Parameter,
    problem::Code,
};

/// An endpoint's purpose, input and answers, besides what all endpoints share.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Under which heading it stands.
    pub tag: Tag,
    /// What it does, in a few words.
    pub summary: Text,
    /// Further notes; empty if there are none.
    pub about: Text,
    /// What the path's parameter stands for.
    pub path: Option<Parameter>,
    /// The query parameters: these and no others.
    pub query: &'static [Parameter],
    /// Headers of this endpoint only; `Idempotency-Key` is added where it is taken.
    pub headers: &'static [Header],
    /// The body, if it takes one.
    pub body: Option<RequestBody>,
    /// The answer on success.
    pub answers: &'static [Response],
    /// Its own problems, besides those of all endpoints.
    pub codes: &'static [Code],
    /// Whether it calls WeCom, which may refuse or be away.
    pub asks_wecom: bool,
}

/// A heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    Apps,
    Staff,
    Customers,
    WorkOrders,
    Handovers,
    Resignations,
    Deliveries,
    Reports,
    Access,
}

/// A request's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// A repetition is answered as the first time. Every POST takes it, but those whose answer is a secret.
    IdempotencyKey,
    /// Only if nobody else changed it.
    IfMatch,
    /// Only a part of the file.
    Range,
}

/// A request's body.
#[derive(Debug, Clone, Copy)]
pub struct RequestBody {
    /// What it must be.
    pub schema: SchemaOf,
    /// Whether it may be left out.
    pub optional: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// What it means.
    pub about: Text,
    /// What is in it.
    pub content: Content,
    /// Headers that only this answer has, by name, and what each says.
    pub headers: &'static [(&'static str, Text)],
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// Nothing: only a status and headers.
    Nothing,
    /// JSON.
    Json(SchemaOf),
    /// JSON, or a table if that was asked for.
    JsonOrTable(SchemaOf),
    /// JSON, or an archive of this media type with files.
    JsonOrArchive(SchemaOf, &'static str),
    /// A table for spreadsheets.
    Table,
    /// A page for a person.
    Page,
    /// A picture.
    Png,
    /// A file of one of these media types.
    File(fn() -> BTreeSet<&'static str>),
}

/// Adds a type to the schemas, and returns a reference to it.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

impl Operation {
    /// One that stands under this heading and does this; it takes and answers nothing yet.
    pub const fn new(tag: Tag, en: &'static str, zh: &'static str) -> Self {
        Self {
            tag,
            summary: say(en, zh),
            about: NOTHING,
            path: None,
            query: &[],
            headers: &[],
            body: None,
            answers: &[],
            codes: &[],
            asks_wecom: false,
        }
    }
}

impl Tag {
    /// Every heading, in the order in which they are read.
    pub const ALL: [Self; 9] = [
        Self::Apps,
        Self::Staff,
        Self::Customers,
        Self::WorkOrders,
        Self::Handovers,
        Self::Resignations,
        Self::Deliveries,
        Self::Reports,
        Self::Access,
    ];

    /// Its name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::Staff => "staff",
            Self::Customers => "customers",
            Self::WorkOrders => "work-orders",
            Self::Handovers => "handovers",
            Self::Resignations => "resignations",
            Self::Deliveries => "deliveries",
            Self::Reports => "reports",
            Self::Access => "access",
        }
    }

    /// What stands under it.
    pub fn about(self) -> Text {
        match self {
            Self::Apps => say("The apps that callbacks come from", "企业微信应用配置"),
            Self::Staff => say("Staff members, their bindings, and who is on duty", "员工绑定与值班"),
            Self::Customers => say("Customers, contact records, codes and media", "客户、联系记录、联系二维码与媒体"),
            Self::WorkOrders => say("Bookings and repair requests", "工单"),
            Self::Handovers => say("Leavers' customers, orders and groups reach successors", "离职继承与在职转接"),
            Self::Resignations => say("Who is going to leave", "离职申请"),
            Self::Deliveries => say("Deliveries, tasks, and reconciling with WeCom", "回调、任务与对账"),
            Self::Reports => say("Reports", "报表"),
            Self::Access => say("Tokens, sessions, and who did what", "令牌、登录会话与访问日志"),
        }
    }
}

impl RequestBody {
    /// One that must be there.
    pub const fn of<T: JsonSchema>() -> Self {
        Self { schema: schema_of::<T>, optional: false }
    }

    /// One that may be left out.
    pub const fn perhaps<T: JsonSchema>() -> Self {
        Self { schema: schema_of::<T>, optional: true }
    }
}

impl Response {
    /// JSON with that status.
    pub const fn json<T: JsonSchema>(status: u16, en: &'static str, zh: &'static str) -> Self {
        Self::new(status, en, zh, Content::Json(schema_of::<T>))
    }

    /// Anything with that status.
    pub const fn new(status: u16, en: &'static str, zh: &'static str, content: Content) -> Self {
        Self { status, about: say(en, zh), content, headers: &[] }
    }

    /// The same with headers of its own.
    pub const fn with(self, headers: &'static [(&'static str, Text)]) -> Self {
        Self { headers, ..self }
    }
}

/// The type as a schema.
pub fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Where a table goes on.
pub const TABLE_GOES_ON: &[(&str, Text)] = &[(
    "x-next-cursor",
    say("Of a table: where it goes on; not there on the last.", "CSV 的下一页起点；最后一页没有。"),
)];

const NOTHING: Text = say("", "");
