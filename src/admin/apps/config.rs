//! `config`: the apps. Secrets can be set but not read; only the time they were last set is shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Call, Outcome},
        },
        reading::{body, cursor::Page},
        spec::{
            language::{Text, say},
            operation::{Header, Operation, RequestBody, Response, Tag},
            problem::{Code, Problem},
            route::{ADMIN, Route, VIEWER, by_path, now},
        },
    },
    app_config::{self, NewConfig, SaveError, etag},
    apps::ReplyRule,
    states::AppStatus,
    tables::{
        self,
        apps::enterprise_wechat_config::{self, Row},
    },
    tasks::template::Rules,
};

/// An app as it is shown: no secret, sealed or not, is in it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "App")]
pub(super) struct AppView {
    /// The slug in its callback URL.
    pub(super) name: String,
    /// The corp it belongs to.
    pub(super) corpid: String,
    /// WeCom's number of the app; empty if it has none.
    pub(super) agentid: String,
    /// Which receiveids a callback may carry; null means the corpid alone.
    pub(super) receive_ids: Option<Vec<String>>,
    /// What a new customer is greeted with.
    pub(super) welcome_message: Option<String>,
    /// What goes with it, what is said instead of it in some channels, and when to be quiet.
    #[schemars(with = "Rules")]
    pub(super) welcome: serde_json::Value,
    /// What it answers by itself.
    #[schemars(with = "Vec<ReplyRule>")]
    pub(super) auto_reply: serde_json::Value,
    /// enabled or disabled.
    pub(super) status: AppStatus,
    /// The app's secret.
    pub(super) secret: SecretView,
    /// The callback's Token.
    pub(super) token: SecretView,
    /// The callback's EncodingAESKey.
    pub(super) encoding_aes_key: SecretView,
    /// Until when the previous Token and EncodingAESKey are accepted too; null if they are not.
    pub(super) previous_keys_until: Option<DateTime<Utc>>,
    /// How many deliveries have come under them since they were replaced, a few seconds late: as long as it grows, WeCom
    /// still uses them. Null if no keys were ever replaced.
    pub(super) previous_keys_deliveries: Option<i64>,
    /// When the last of them came.
    pub(super) previous_keys_last_used_at: Option<DateTime<Utc>>,
    /// The path to enter in WeCom's console, after the address of the public listener.
    pub(super) callback_path: String,
    /// When the app was added.
    pub(super) created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub(super) updated_at: DateTime<Utc>,
    /// What to send as `If-Match` so that a change is made only if nobody else made one.
    pub(super) etag: String,
}

/// All that is shown of a secret.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct SecretView {
    /// Whether there is one.
    pub(super) set: bool,
    /// When it was last set.
    pub(super) rotated_at: Option<DateTime<Utc>>,
}

const ETAG: (&str, Text) =
    ("etag", say("What to send as `If-Match` with the next change.", "下次修改时作为 `If-Match` 发送。"));

pub(super) const LIST: Route = Route {
    id: "configList",
    method: "GET",
    path: "/api/enterprise-wechat/config",
    access: VIEWER,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: by_path!(list),
    operation: Operation {
        about: say(
            "Without their secrets: of each only whether it is set, and when it last was.",
            "不返回任何密钥，仅显示是否已设置及最近设置时间。",
        ),
        answers: &[Response::json::<Page<AppView>>(200, "All apps; they are one page.", "全部应用（只有一页）。")],
        ..Operation::new(Tag::Apps, "List the apps", "列出应用")
    },
};

pub(super) async fn list(call: &Call<'_>, conn: &mut PgConnection) -> Result<Answer, Problem> {
    call.no_params()?;
    let now = tables::now(conn).await?;
    let rows = enterprise_wechat_config::all(conn).await?;
    // A company has a handful of apps, which fit on one page.
    Answer::ok(Page { items: rows.into_iter().map(|row| view(row, now)).collect(), next_cursor: None })
}

pub(super) const POST: Route = Route {
    id: "configSave",
    method: "POST",
    path: "/api/enterprise-wechat/config",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: now!(post),
    operation: Operation {
        about: say(
            "A field that is not given stays as it is. A new app needs name, corpid, agentid, secret, token and \
             encoding_aes_key. Replaced callback keys stay valid for a while, because WeCom switches over at a moment that \
             nobody knows.",
            "未给出的字段保持不变。新增应用须给出 name、corpid、agentid、secret、token 与 encoding_aes_key。\
             更换回调密钥后，旧密钥在一段时间内仍然有效。",
        ),
        headers: &[Header::IfMatch],
        body: Some(RequestBody::of::<NewConfig>()),
        answers: &[
            Response::json::<AppView>(200, "It was changed.", "已修改。").with(&[ETAG]),
            Response::json::<AppView>(201, "It was added.", "已新增。").with(&[ETAG]),
        ],
        codes: &[Code::PreconditionFailed, Code::SecretUnreadable],
        ..Operation::new(Tag::Apps, "Add or change an app", "新增或修改应用")
    },
};

pub(super) async fn post(call: &Call<'_>, conn: &mut PgConnection) -> Outcome {
    call.no_params()?;
    let new: NewConfig = body::parse(&call.request.body)?;
    let about = About::thing(&new.name);
    let answer = async {
        let (settings, if_match) = (&call.admin.settings, call.request.if_match.as_deref());
        let saved = app_config::save_if(conn, &call.admin.vault, settings.key_overlap, new, if_match).await?;
        let status = if saved.created { 201 } else { 200 };
        let view = view(saved.row, saved.at);
        let headers = vec![("etag", view.etag.clone())];
        Ok(Answer { apps_changed: true, headers, ..Answer::new(status, view)? })
    };
    about.answers(answer.await)
}

fn view(row: Row, now: DateTime<Utc>) -> AppView {
    let key = || SecretView { set: true, rotated_at: Some(row.keys_rotated_at) };
    AppView {
        etag: etag(&row),
        callback_path: format!("/callback/{}", row.name),
        secret: SecretView { set: row.secret.is_some(), rotated_at: row.secret_rotated_at },
        token: key(),
        encoding_aes_key: key(),
        previous_keys_until: row.previous_until.filter(|until| row.previous_token.is_some() && *until > now),
        previous_keys_deliveries: row.previous_token.is_some().then_some(row.previous_deliveries),
        previous_keys_last_used_at: row.previous_last_at,
        name: row.name,
        corpid: row.corpid.0,
        agentid: row.agentid,
        receive_ids: row.receive_ids,
        welcome_message: row.welcome_message,
        welcome: row.welcome,
        auto_reply: row.auto_reply,
        status: row.status,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

impl From<SaveError> for Problem {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Invalid(error) => error.into(),
            SaveError::Changed => {
                let detail = (
                    "list the apps again, look at what changed, and send the `etag` that is shown",
                    "请重新读取应用列表，确认变更后再带上所示的 `etag`",
                );
                Self::new(Code::PreconditionFailed, detail).at("If-Match")
            }
            SaveError::Vault(error) => error.into(),
            SaveError::Json(error) => Self::internal(error),
            SaveError::Database(error) => error.into(),
        }
    }
}
