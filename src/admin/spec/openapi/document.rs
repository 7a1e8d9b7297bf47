//! The OpenAPI 3.1 document: <https://spec.openapis.org/oas/v3.1.1.html>.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schema::Schemas;
use crate::admin::{
    door::{
        auth::{Role, Scoped},
        idempotency::{KEY_CHARS_MAX, is_taken},
        reply::{PROBLEM_JSON, ProblemBody},
    },
    reading::sheet::CSV,
    routes::{ROUTES, example},
    spec::{
        language::{Language, say},
        operation::{Content, Header, Operation, Response, Tag, schema_of},
        parameter::Parameter,
        problem::{Code, Problem},
        route::{Access, Route},
    },
};

/// The problems of every request, whatever its caller.
const ANYWHERE: &[Code] = &[
    Code::InvalidParameter,
    Code::BodyBroken,
    Code::BodyTimeout,
    Code::BodyTooLarge,
    Code::TooManyRequests,
    Code::DatabaseUnavailable,
];

/// The parts that operations share, collected while they are written.
struct Written {
    schemas: Schemas,
    /// How to refer to a problem.
    problem: Value,
    /// What may be wrong, each once.
    refusals: Map<String, Value>,
}

/// The whole document in one language.
pub fn document(language: Language) -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.answer(schema_of::<ProblemBody>);
    let mut written = Written { schemas, problem, refusals: Map::new() };
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter() {
        let operation = operation(route, language, &mut written);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation;
    }
    let tags: Vec<_> =
        Tag::ALL.iter().map(|it| json!({ "name": it.as_str(), "description": it.about().said(language) })).collect();
    let bearer = match language {
        Language::English => "A token that `wecomd token create` or `POST api-tokens` made.",
        Language::Chinese => "由 `wecomd token create` 或 `POST api-tokens` 创建的令牌。",
    };
    let cookie = match language {
        Language::English => "A browser that logged in. Whatever changes something also shows `X-CSRF-Token`.",
        Language::Chinese => "已登录的浏览器。改动数据的请求还须带上 `X-CSRF-Token`。",
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "wecomd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": about(language),
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "session": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": bearer },
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-wecomd_session", "description": cookie },
            },
            "headers": {
                "RequestId": {
                    "description": "The id that the access log and our own log know the request by.",
                    "schema": { "type": "string", "format": "uuid" },
                },
            },
            "schemas": written.schemas.collected(),
            "responses": written.refusals,
        },
    })
}

/// Who may, as a word.
pub(super) fn role(access: Access) -> &'static str {
    match access {
        Access::Public(_) => "public",
        Access::Role(role) => role.as_str(),
    }
}

/// A route's treatment of scoped callers, as a word.
fn own_only(scoped: Scoped) -> &'static str {
    match scoped {
        Scoped::Own => "own",
        Scoped::Caller => "caller",
        Scoped::Corp => "corp",
        Scoped::Closed => "closed",
    }
}

/// What may be wrong, by status.
pub(super) fn problems(route: &Route) -> BTreeMap<u16, Vec<Code>> {
    let operation = &route.operation;
    let mut codes = ANYWHERE.to_vec();
    if let Access::Role(role) = route.access {
        codes.push(Code::Unauthenticated);
        if role > Role::Viewer {
            codes.push(Code::Forbidden);
        }
        // Routes that are open to scoped callers refuse what is not theirs, too.
        codes.push(Code::OwnOnly);
        if route.method != "GET" {
            codes.push(Code::Csrf);
        }
    }
    if operation.body.is_some() {
        codes.extend([Code::InvalidJson, Code::InvalidField]);
    }
    if operation.path.is_some() {
        // An empty value, or one with a slash, would make another path.
        codes.push(Code::NotFound);
    }
    if is_taken(route) {
        codes.push(Code::IdempotencyKeyReused);
    }
    if operation.asks_wecom {
        codes.extend([Code::WecomRefused, Code::WecomUnavailable, Code::SecretUnreadable, Code::SettingMissing]);
    }
    codes.extend(operation.codes);
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let codes = by_status.entry(code.status()).or_default();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    by_status
}

fn operation(route: &Route, language: Language, written: &mut Written) -> Value {
    let it = &route.operation;
    let mut operation = json!({
        "operationId": route.id,
        "tags": [it.tag.as_str()],
        "summary": it.summary.said(language),
        "description": described(route, it, language),
        "x-role": role(route.access),
        "x-own-only": own_only(route.scoped),
        "parameters": parameters(route, it, language),
        "responses": responses(route, language, written),
    });
    if matches!(route.access, Access::Public(_)) {
        operation["security"] = json!([]);
    }
    if let Some(body) = it.body {
        let mut content = json!({ "schema": written.schemas.body(body.schema) });
        if let Some(example) = example(route, "request") {
            content["example"] = example.clone();
        }
        operation["requestBody"] = json!({ "required": !body.optional, "content": { "application/json": content } });
    }
    operation
}

fn described(route: &Route, it: &Operation, language: Language) -> String {
    let role = match (route.access, language) {
        (Access::Public(_), Language::English) => "Needs no token.".to_owned(),
        (Access::Public(_), Language::Chinese) => "无需令牌。".to_owned(),
        (Access::Role(role), Language::English) => format!("Needs the role {role}."),
        (Access::Role(role), Language::Chinese) => format!("需要角色 {role}。"),
    };
    let own = match (route.scoped, language) {
        (Scoped::Closed | Scoped::Caller, _) => "",
        (Scoped::Corp, Language::English) => "Who sees their own alone is shown their corp's.",
        (Scoped::Corp, Language::Chinese) => "仅限本人数据的调用者看到本企业的内容。",
        (Scoped::Own, Language::English) => "Who sees their own alone is shown their own.",
        (Scoped::Own, Language::Chinese) => "仅限本人数据的调用者只看到本人的数据。",
    };
    [it.about.said(language), &role, own].join(" ").trim().to_owned()
}

fn parameters(route: &Route, it: &Operation, language: Language) -> Vec<Value> {
    let of = |it: &Parameter, place: &str| {
        let mut parameter = json!({
            "name": it.name, "in": place, "required": it.required, "description": it.about.said(language),
            "schema": it.schema(),
        });
        if let Some(example) = it.example() {
            parameter["example"] = example;
        }
        parameter
    };
    let path = it.path.iter().map(|it| of(it, "path"));
    let query = it.query.iter().map(|it| of(it, "query"));
    let key = is_taken(route).then_some(Header::IdempotencyKey);
    let headers = it.headers.iter().copied().chain(key).map(|it| {
        let (name, about, schema) = header(it, language);
        json!({ "name": name, "in": "header", "required": false, "description": about, "schema": schema })
    });
    path.chain(query).chain(headers).collect()
}

/// A request header's name, what it does, and what it may be.
pub(super) fn header(it: Header, language: Language) -> (&'static str, &'static str, Value) {
    let (name, about, schema) = match it {
        Header::IdempotencyKey => (
            "Idempotency-Key",
            say(
                "A key of your own: a repetition is answered as the first time.",
                "自定义幂等键：重复请求返回首次的结果。",
            ),
            json!({ "type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX, "pattern": "^[!-~]+$" }),
        ),
        Header::IfMatch => (
            "If-Match",
            say("The `etag` that you saw, or `*`.", "您所见的 `etag`，或 `*`。"),
            json!({ "type": "string" }),
        ),
        Header::Range => (
            "Range",
            say("The part that is wanted, `bytes=0-1023`.", "所需字节范围，如 `bytes=0-1023`。"),
            json!({ "type": "string" }),
        ),
    };
    (name, about.said(language), schema)
}

fn responses(route: &Route, language: Language, written: &mut Written) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for answer in route.operation.answers {
        let mut headers = json!({ "x-request-id": { "$ref": "#/components/headers/RequestId" } });
        for (name, about) in answer.headers {
            headers[name] = json!({ "description": about.said(language), "schema": { "type": "string" } });
        }
        let content = content(route, answer, &mut written.schemas);
        let response = json!({ "description": answer.about.said(language), "headers": headers, "content": content });
        responses.insert(answer.status.to_string(), response);
    }
    for (status, codes) in problems(route) {
        let refused = refused(status, &codes, language, &written.problem);
        match responses.get_mut(&status.to_string()) {
            // A page for a person who follows the redirect; a problem for a program.
            Some(known) => known["content"][PROBLEM_JSON] = refused["content"][PROBLEM_JSON].clone(),
            None => {
                let names: Vec<_> = codes.iter().map(|it| it.as_str()).collect();
                let name = format!("{status}.{}", names.join("."));
                responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
                written.refusals.insert(name, refused);
            }
        }
    }
    json!(responses)
}

/// An answer's forms, by media type.
fn content(route: &Route, answer: &Response, schemas: &mut Schemas) -> Value {
    let mut json = |of| {
        let mut content = json!({ "schema": schemas.answer(of) });
        if let Some(example) = example(route, &answer.status.to_string()) {
            content["example"] = example.clone();
        }
        content
    };
    let table = json!({ "schema": { "type": "string" } });
    match answer.content {
        Content::Nothing => json!({}),
        Content::Json(of) => json!({ "application/json": json(of) }),
        Content::JsonOrTable(of) => json!({ "application/json": json(of), CSV: table }),
        Content::JsonOrArchive(of, archive) => json!({ "application/json": json(of), archive: {} }),
        Content::Table => json!({ CSV: table }),
        Content::Page => json!({ "text/html": { "schema": { "type": "string" } } }),
        Content::Png => json!({ "image/png": {} }),
        Content::File(types) => types().into_iter().map(|it| (it.to_owned(), json!({}))).collect(),
    }
}

fn refused(status: u16, codes: &[Code], language: Language, problem: &Value) -> Value {
    let titles: Vec<_> = codes.iter().map(|it| format!("`{}`: {}", it.as_str(), it.title(language))).collect();
    let names: Vec<_> = codes.iter().map(|it| it.as_str()).collect();
    let mut headers = json!({ "x-request-id": { "$ref": "#/components/headers/RequestId" } });
    match status {
        401 => headers["www-authenticate"] = json!({ "schema": { "type": "string" } }),
        416 => headers["content-range"] = json!({ "schema": { "type": "string" } }),
        429 => headers["retry-after"] = json!({ "description": "Seconds.", "schema": { "type": "integer" } }),
        _ => {}
    }
    let example = codes.first().map(|it| {
        let reply = Problem::new(*it, (it.title(language), it.title(language))).reply(Uuid::nil());
        serde_json::from_slice(&reply.body.into_bytes()).unwrap_or(Value::Null)
    });
    json!({
        "description": titles.join("; "),
        "headers": headers,
        "content": {
            PROBLEM_JSON: {
                "schema": { "allOf": [problem, { "properties": { "code": { "enum": names } } }] },
                "example": example,
            },
        },
    })
}

fn about(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("about.en.md"),
        Language::Chinese => include_str!("about.zh.md"),
    }
}
