//! What an endpoint's description is made of: plain data, so that adding one is filling in a form.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Text, parameter::Parameter};
use crate::admin::problem::Code;

/// What an endpoint does, takes and answers, beside what all of them do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// Under which heading it stands.
    pub(super) tag: Tag,
    /// What it does, in a few words.
    pub(super) summary: Text,
    /// What else must be known; empty if nothing.
    pub(super) about: Text,
    /// What the path's parameter stands for.
    pub(super) path: Option<Parameter>,
    /// What may stand behind the `?`. This is what the endpoint can take, and nothing else.
    pub(super) query: &'static [Parameter],
    /// Headers that mean something here alone; `Idempotency-Key` is added where it is taken.
    pub(super) headers: &'static [Header],
    /// The body, if it takes one.
    pub(super) body: Option<Body>,
    /// What it answers if all goes well.
    pub(super) answers: &'static [Answer],
    /// What else may be wrong here, beside what may be wrong everywhere.
    pub(super) codes: &'static [Code],
    /// Whether WeCom is asked, which may refuse or be away.
    pub(super) asks_wecom: bool,
}

/// A heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
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
pub(super) enum Header {
    /// A repetition is answered as the first time. Every POST takes it, but those whose answer is a secret.
    IdempotencyKey,
    /// Only if nobody else changed it.
    IfMatch,
    /// Only a part of the file.
    Range,
}

/// A request's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    /// What it must be.
    pub(super) schema: SchemaOf,
    /// Whether it may be left out.
    pub(super) optional: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// What it means.
    pub(super) about: Text,
    /// What is in it.
    pub(super) content: Content,
    /// Headers that only this answer has, by name, and what each says.
    pub(super) headers: &'static [(&'static str, Text)],
}

/// What an answer holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// Nothing: its status and headers say it all.
    Nothing,
    /// JSON.
    Json(SchemaOf),
    /// JSON, or a table if that was asked for.
    JsonOrTable(SchemaOf),
    /// JSON, or an archive with files.
    JsonOrArchive(SchemaOf),
    /// A table for spreadsheets.
    Table,
    /// A page for a person.
    Page,
    /// A picture.
    Png,
    /// What somebody sent.
    Media,
}

/// Adds a type to the schemas, and says how to refer to it.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

impl Operation {
    /// One about which nothing is said yet.
    pub(super) const NEW: Self = Self {
        tag: Tag::Apps,
        summary: NOTHING,
        about: NOTHING,
        path: None,
        query: &[],
        headers: &[],
        body: None,
        answers: &[],
        codes: &[],
        asks_wecom: false,
    };
}

impl Tag {
    /// Every heading, in the order in which they are read.
    pub(super) const ALL: [Self; 9] = [
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
    pub(super) fn as_str(self) -> &'static str {
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
    pub(super) fn about(self) -> Text {
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

impl Body {
    /// One that must be there.
    pub(super) const fn of<T: JsonSchema>() -> Self {
        Self { schema: schema_of::<T>, optional: false }
    }

    /// One that may be left out.
    pub(super) const fn perhaps<T: JsonSchema>() -> Self {
        Self { schema: schema_of::<T>, optional: true }
    }
}

impl Answer {
    /// JSON with that status.
    pub(super) const fn json<T: JsonSchema>(status: u16, en: &'static str, zh: &'static str) -> Self {
        Self::new(status, en, zh, Content::Json(schema_of::<T>))
    }

    /// Anything with that status.
    pub(super) const fn new(status: u16, en: &'static str, zh: &'static str, content: Content) -> Self {
        Self { status, about: say(en, zh), content, headers: &[] }
    }

    /// The same with headers of its own.
    pub(super) const fn with(self, headers: &'static [(&'static str, Text)]) -> Self {
        Self { headers, ..self }
    }
}

/// The type as a schema.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The same in both languages.
pub(super) const fn say(en: &'static str, zh: &'static str) -> Text {
    Text { en, zh }
}

const NOTHING: Text = say("", "");
