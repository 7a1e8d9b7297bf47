//! `test-connection`: checks what works between an app and WeCom, and says in words what to do about what does not.
//!
//! Each check is one small call to WeCom, safe to repeat and within the rate limits. A check that could not be made
//! because an earlier one failed says so. It changes nothing.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    admin::{
        door::{
            auth::Scoped,
            call::{About, Answer, Asked, Call, Refused},
        },
        reading::body,
        spec::{
            language::say,
            operation::{Operation, RequestBody, Response, Tag},
            problem::{Code, Problem},
            route::{ADMIN, Route, ask_first},
        },
    },
    inbox,
    states::AppStatus,
    tables::apps::enterprise_wechat_config::{self, Row},
    wecom::{Api, ApiError, Class},
};

/// The tolerated difference between our clock and WeCom's, by which codes with a validity of seconds are timed.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// How many departments are searched for members.
const DEPARTMENTS_MAX: usize = 5;

/// WeCom's errcode for an address that is not trusted.
const IP_NOT_LISTED: i64 = 60020;

/// WeCom's errcode for an app that may not call this API.
const NOT_PERMITTED: i64 = 48002;

/// Which app to test.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TestWanted")]
pub(super) struct TestBody {
    /// May be left out where only one app can be meant.
    name: Option<String>,
}

/// What was found out by asking WeCom.
pub(super) struct Tested {
    app: Row,
    checks: Vec<Check>,
}

/// The answer.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "ConnectionTest")]
pub(super) struct ConnectionReport {
    /// The app.
    name: String,
    /// Whether everything works: false if something is wrong, null if something could not be found out.
    ok: Option<bool>,
    /// What was looked at, in order.
    checks: Vec<Check>,
}

/// One thing that works, or does not.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ConnectionCheck")]
pub(super) struct Check {
    /// What was looked at.
    check: &'static str,
    /// Null if it could not be found out.
    ok: Option<bool>,
    /// What was found, in Chinese.
    zh: String,
    /// The same in English.
    en: String,
    /// What to do about it, in both languages; null if nothing.
    remedy: Option<Remedy>,
}

/// What to do.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Remedy {
    /// In Chinese.
    zh: String,
    /// In English.
    en: String,
}

pub(super) const TEST: Route = Route {
    id: "testConnection",
    method: "POST",
    path: "/api/enterprise-wechat/test-connection",
    access: ADMIN,
    scoped: Scoped::Closed,
    secret_answer: false,
    run: ask_first!(test),
    operation: Operation {
        about: say(
            "Asks WeCom small questions, all of them safe to repeat, and says what to do about what does not work. It \
             changes nothing.",
            "逐项检测并说明如何修复，可重复执行，不改变任何数据。",
        ),
        body: Some(RequestBody::perhaps::<TestBody>()),
        answers: &[Response::json::<ConnectionReport>(200, "What works, and what does not.", "检测结果。")],
        codes: &[Code::ConfigUnknown],
        asks_wecom: true,
        ..Operation::new(Tag::Apps, "Find out what works between an app and WeCom", "检测应用与企业微信的连接")
    },
};

async fn test(call: &Call<'_>) -> Result<Asked, Refused> {
    call.no_params()?;
    let wanted: TestBody = match call.request.body.is_empty() {
        true => TestBody { name: None },
        false => body::parse(&call.request.body)?,
    };
    let rows = {
        let mut conn = call.admin.pool.acquire().await?;
        enterprise_wechat_config::all(&mut conn).await?
    };
    let app = choose(rows, wanted.name.as_deref())?;
    let about = About::thing(&app.name);
    about.then(ask(call, app).await, |tested, _, conn| Box::pin(show(tested, conn)))
}

/// Makes the calls to WeCom.
async fn ask(call: &Call<'_>, app: Row) -> Result<Tested, Problem> {
    let mut checks = vec![good("database", "数据库可用".to_owned(), "the database answers".to_owned()), secret(&app)];
    if app.secret.is_none() {
        checks.extend(["token", "trusted_ip", "customer_contact", "visible_scope", "clock"].map(skipped));
        return Ok(Tested { app, checks });
    }
    let api = call.admin.wecom.app(app.id).await?;
    let began = Instant::now();
    checks.extend(asked(&api).await);
    checks.push(clock(call.admin.wecom.clock_ahead(began)));
    Ok(Tested { app, checks })
}

/// Calls WeCom's endpoints one after the other. Once WeCom cannot be reached no more calls are made.
async fn asked(api: &Api) -> Vec<Check> {
    const BEHIND_TOKEN: [&str; 2] = ["customer_contact", "visible_scope"];
    let skip = || BEHIND_TOKEN.map(skipped);
    if let Err(error) = api.check_token().await {
        return [bad("token", &error), skipped("trusted_ip")].into_iter().chain(skip()).collect();
    }
    // A token may be cached for an hour. Only a call shows whether WeCom answers and accepts it.
    match api.callback_addresses().await {
        Err(error) if error.class == Class::Token => {
            [bad("token", &error), skipped("trusted_ip")].into_iter().chain(skip()).collect()
        }
        Err(error) if error.errcode.is_none() => {
            [untried(), bad("trusted_ip", &error)].into_iter().chain(skip()).collect()
        }
        answered => {
            let token = good("token", "已取得 access_token".to_owned(), "there is an access token".to_owned());
            let contact = customer_contact(api).await;
            vec![token, trusted_ip(answered.err()), contact, visible_scope(api).await]
        }
    }
}

/// Adds what our own tables know.
pub(super) async fn show(tested: Tested, conn: &mut PgConnection) -> Result<Answer, Problem> {
    let Tested { app, mut checks } = tested;
    checks.push(callback(&app, inbox::latest_of(conn, app.id).await?));
    let ok = match checks.iter().any(|it| it.ok == Some(false)) {
        true => Some(false),
        false => checks.iter().all(|it| it.ok == Some(true)).then_some(true),
    };
    Answer::ok(ConnectionReport { name: app.name, ok, checks })
}

fn choose(mut rows: Vec<Row>, name: Option<&str>) -> Result<Row, Problem> {
    let names = rows.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = name {
        let unknown = || {
            Problem::new(Code::ConfigUnknown, (format!("the apps are: {names}"), format!("现有应用：{names}")))
                .at("name")
        };
        return rows.into_iter().find(|it| it.name == name).ok_or_else(unknown);
    }
    if rows.len() > 1 {
        rows.retain(|it| it.secret.is_some() && it.status == AppStatus::Enabled);
    }
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) => Ok(row),
        _ => Err(Problem::field(
            "name",
            (
                format!("says which app to test, and is required; the apps are: {names}"),
                format!("为必填项：要检测的应用；现有应用：{names}"),
            ),
        )),
    }
}

fn secret(app: &Row) -> Check {
    match app.secret {
        Some(_) => good("secret", "已保存应用 Secret".to_owned(), "the app's secret is saved".to_owned()),
        None => wrong(
            "secret",
            ("未保存应用 Secret", "the app has no secret"),
            ("请在管理后台复制应用 Secret 并保存", "copy it from the admin console and save it with `POST config`"),
        ),
    }
}

fn trusted_ip(error: Option<ApiError>) -> Check {
    const NAME: &str = "trusted_ip";
    match error {
        None => good(NAME, "本机 IP 可调用接口".to_owned(), "our address may call the API".to_owned()),
        Some(error) => bad(NAME, &error),
    }
}

async fn customer_contact(api: &Api) -> Check {
    const NAME: &str = "customer_contact";
    match api.follow_users().await {
        Ok(users) if users.is_empty() => wrong(
            NAME,
            (
                "应用已授权客户联系，但可见范围内没有可用的成员",
                "the app is listed, but nobody in its sight serves customers",
            ),
            ("请在“客户联系”→“权限配置”中添加成员", "add members under 客户联系 → 权限配置"),
        ),
        Ok(users) => good(
            NAME,
            format!("应用可调用客户联系接口，{} 名成员可服务客户", users.len()),
            format!("the app is listed for customer contact, and {} members serve customers", users.len()),
        ),
        Err(error) if error.is(NOT_PERMITTED) => wrong(
            NAME,
            ("应用未列入客户联系的可调用接口应用", "the app is not listed for customer contact (48002)"),
            ("请在“客户联系”→“API”→“可调用接口的应用”中勾选该应用", "tick it under 客户联系 → API → 可调用接口的应用"),
        ),
        Err(error) => bad(NAME, &error),
    }
}

async fn visible_scope(api: &Api) -> Check {
    const NAME: &str = "visible_scope";
    let departments = match api.departments().await {
        Ok(departments) => departments,
        Err(error) => return bad(NAME, &error),
    };
    let mut members = 0;
    for department in departments.iter().take(DEPARTMENTS_MAX) {
        match api.members_of(department.id).await {
            Ok(seen) => members += seen.len(),
            Err(error) => return bad(NAME, &error),
        }
    }
    if members == 0 {
        return wrong(
            NAME,
            ("应用的可见范围内没有看到成员", "the app sees no member in the first departments of its scope"),
            (
                "请把相关部门或成员加入应用的可见范围",
                "add departments or members to the app's visible scope (可见范围)",
            ),
        );
    }
    let count = departments.len();
    good(
        NAME,
        format!("可见 {count} 个部门，至少 {members} 名成员"),
        format!("{count} departments are in sight, and at least {members} members"),
    )
}

fn clock(ahead: Option<TimeDelta>) -> Check {
    const NAME: &str = "clock";
    let Some(ahead) = ahead else {
        let (zh, en) = ("未检查：企业微信没有应答".to_owned(), "not known, because WeCom gave no answer".to_owned());
        return Check { check: NAME, ok: None, zh, en, remedy: None };
    };
    if ahead.abs() <= SKEW_MAX {
        return good(NAME, "本机时钟准确".to_owned(), "our clock agrees with WeCom's".to_owned());
    }
    let seconds = ahead.num_seconds();
    Check {
        check: NAME,
        ok: Some(false),
        zh: format!("企业微信的时钟比本机快 {seconds} 秒（负数为慢）"),
        en: format!("WeCom's clock is {seconds} s ahead of ours (negative: behind)"),
        remedy: Some(Remedy {
            zh: "请为本机启用时间同步（NTP）".to_owned(),
            en: "switch on time synchronisation (NTP) on this machine".to_owned(),
        }),
    }
}

fn callback(app: &Row, latest: Option<DateTime<Utc>>) -> Check {
    const NAME: &str = "callback";
    match latest {
        Some(at) => good(
            NAME,
            format!("最近一次收到回调：{}", at.to_rfc3339()),
            format!("the latest callback arrived at {}", at.to_rfc3339()),
        ),
        None => Check {
            check: NAME,
            ok: Some(false),
            zh: "从未收到该应用的回调".to_owned(),
            en: "never has a callback of this app arrived (or none among the latest 10,000 of all apps)".to_owned(),
            remedy: Some(Remedy {
                zh: format!("请在应用的“接收消息”中填写以 /callback/{} 结尾的 URL，并确认外网可访问", app.name),
                en: format!(
                    "enter the URL that ends in /callback/{} under 接收消息, and make sure that WeCom can reach it",
                    app.name
                ),
            }),
        },
    }
}

fn good(check: &'static str, zh: String, en: String) -> Check {
    Check { check, ok: Some(true), zh, en, remedy: None }
}

fn wrong(check: &'static str, (zh, en): (&str, &str), (remedy_zh, remedy_en): (&str, &str)) -> Check {
    let remedy = Some(Remedy { zh: remedy_zh.to_owned(), en: remedy_en.to_owned() });
    Check { check, ok: Some(false), zh: zh.to_owned(), en: en.to_owned(), remedy }
}

fn skipped(check: &'static str) -> Check {
    let (zh, en) = ("未检查：前面的检查未通过".to_owned(), "not checked, because an earlier check failed".to_owned());
    Check { check, ok: None, zh, en, remedy: None }
}

/// A token exists, but no call could check it.
fn untried() -> Check {
    let zh = "本机存有 access_token，但无法向企业微信确认其是否有效".to_owned();
    let en = "there is an access token from earlier, and WeCom cannot be asked whether it still counts".to_owned();
    Check { check: "token", ok: None, zh, en, remedy: None }
}

/// WeCom's answer in words. While WeCom cannot be reached, a check's own result is unknown.
fn bad(check: &'static str, error: &ApiError) -> Check {
    let ok = if error.is_transient() { None } else { Some(false) };
    let (mut zh, mut en, remedy) = match error.meaning() {
        Some(it) => (
            format!("{}（{error}）", it.zh),
            format!("{} ({error})", it.en),
            Remedy { zh: it.remedy_zh.to_owned(), en: it.remedy_en.to_owned() },
        ),
        None => (
            format!("调用失败：{error}"),
            format!("the call failed: {error}"),
            Remedy {
                zh: "请检查网络、代理与 wecom.base_url 后重试".to_owned(),
                en: "check the network, the proxy and wecom.base_url, then try again".to_owned(),
            },
        ),
    };
    if let Some(address) = error.from_ip.as_deref().filter(|_| error.is(IP_NOT_LISTED)) {
        zh.push_str(&format!("；企业微信看到的 IP 是 {address}"));
        en.push_str(&format!("; WeCom saw us come from {address}"));
    }
    Check { check, ok, zh, en, remedy: Some(remedy) }
}
