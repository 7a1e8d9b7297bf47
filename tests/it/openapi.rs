//! The API's description: that it is what OpenAPI 3.1 allows, that it says of each route what the route does, and how it
//! is handed out. That answers are as described, `support/conform.rs` sees with every test.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};
use wecomd::admin::{
    routes::ROUTES,
    spec::{
        openapi::{Language, document},
        route::Access,
    },
};

use crate::support::{
    TestApp,
    conform::{broken, described, standing_alone},
    http::{Answer, request},
};

/// What the OpenAPI Initiative publishes: <https://spec.openapis.org/oas/3.1/schema/2022-10-07>.
const OPENAPI: &str = include_str!("../../fixtures/openapi/schema-3.1.json");

/// A change of an answer after which the description does not cover it.
type Change<'a> = &'a dyn Fn(&mut Value);

/// Every operation: method, path, and what is said of it.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, it) in methods.as_object().expect("methods") {
            found.push((method.to_ascii_uppercase(), path.as_str(), it));
        }
    }
    found
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A path whose parameter is filled in with its example.
fn filled(path: &str, operation: &Value) -> String {
    items(&operation["parameters"]).filter(|it| it["in"] == "path").fold(path.to_owned(), |path, it| {
        let example = it["example"].as_str().map_or_else(|| it["example"].to_string(), str::to_owned);
        path.replace(&format!("{{{}}}", it["name"].as_str().expect("a name")), &example)
    })
}

async fn get(app: &TestApp, target: &str, headers: &[(&str, &str)]) -> Answer {
    request(app.app.admin, "GET", target, headers, b"").await.expect("an answer")
}

#[test]
fn the_document_is_what_openapi_and_json_schema_allow() {
    let rules: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let rules = jsonschema::validator_for(&rules).expect("a schema");
    for language in [Language::English, Language::Chinese] {
        let document = document(language);
        assert_eq!(broken(&rules, &document), Vec::<String>::new());
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            assert!(jsonschema::meta::is_valid(schema), "{name}");
            jsonschema::validator_for(&standing_alone(&document, schema)).expect(name);
        }
    }
    assert!(!broken(&rules, &json!({ "openapi": "3.1.0" })).is_empty(), "the rules can be broken");
}

#[test]
fn exactly_the_routes_are_described_each_once_with_its_role() {
    let document = document(Language::English);
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, it)| (method, path.to_owned(), it["x-role"].as_str().expect("a role").to_owned()))
        .collect();
    let role = |access| match access {
        Access::Public(_) => "public".to_owned(),
        Access::Role(role) => role.to_string(),
    };
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|it| (it.method.to_owned(), it.path.to_owned(), role(it.access))).collect();
    assert_eq!(described, routes);
    assert_eq!(described.len(), ROUTES.len());
    let names: BTreeSet<_> =
        operations(&document).into_iter().map(|(_, _, it)| it["operationId"].to_string()).collect();
    assert_eq!(names.len(), ROUTES.len(), "each has a name of its own");
    for (method, path, it) in operations(&document) {
        let of = |place: &str| items(&it["parameters"]).filter(|it| it["in"] == place).count();
        assert_eq!(of("path"), path.matches('{').count(), "{method} {path}");
        assert_eq!(it.get("security").is_some(), it["x-role"] == "public", "{method} {path}");
        assert!(it["responses"].get("500").is_none_or(|it| !it.to_string().contains("internal")), "{method} {path}");
    }
}

#[test]
fn every_description_exists_in_both_languages() {
    let (english, chinese) = (document(Language::English), document(Language::Chinese));
    for (method, path, it) in operations(&english) {
        let method = method.to_ascii_lowercase();
        let other = &chinese["paths"][path][&method];
        for field in ["summary", "description"] {
            let (en, zh) = (it[field].as_str().expect("English"), other[field].as_str().expect("Chinese"));
            assert!(en.is_ascii() || en.contains('…'), "{en}");
            assert!(!zh.is_ascii(), "{method} {path}: {zh}");
        }
        for (one, other) in items(&it["parameters"]).zip(items(&other["parameters"])) {
            assert_ne!(one["description"], other["description"], "{method} {path} {}", one["name"]);
        }
    }
}

#[test]
fn every_body_and_every_answer_has_an_example_that_conforms() {
    let document = document(Language::English);
    let conforms = |what: &str, form: &Value| {
        let example = form.get("example").unwrap_or_else(|| panic!("{what} has no example"));
        let schema = standing_alone(&document, &form["schema"]);
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect(what);
        assert_eq!(broken(&validator, example), Vec::<String>::new(), "{what}");
    };
    for (method, path, it) in operations(&document) {
        if let Some(body) = it.get("requestBody") {
            conforms(&format!("the body of {method} {path}"), &body["content"]["application/json"]);
        }
        for (status, response) in it["responses"].as_object().expect("responses") {
            for (form, content) in response["content"].as_object().into_iter().flatten() {
                if form.ends_with("json") {
                    conforms(&format!("{status} of {method} {path}"), content);
                }
            }
        }
    }
    for (name, response) in document["components"]["responses"].as_object().expect("responses") {
        conforms(name, &response["content"]["application/problem+json"]);
    }
}

/// While it is developed, an endpoint also stops the program if it takes what is not described, or leaves what is: then
/// there would be no answer here.
#[tokio::test]
async fn described_parameters_are_accepted_and_others_refused_by_name() {
    let app = TestApp::start().await;
    let document = document(Language::English);
    for (method, path, it) in operations(&document) {
        if it["x-role"] == "public" {
            // WeCom may add parameters to the callback URL.
            continue;
        }
        let target = filled(path, it);
        let body = it["requestBody"]["content"]["application/json"].get("example").cloned();
        let ask = async |query: &str| app.ask(&method, &format!("{target}?{query}"), body.clone()).await;
        let other = ask("nonsense=1").await;
        assert_eq!((other.status, other.json()["field"].as_str()), (400, Some("nonsense")), "{method} {path}");
        let refused = |answer: &Answer, name: &str| {
            answer.status == 400 && answer.json()["field"] == name && answer.json()["code"] == "invalid_parameter"
        };
        for parameter in items(&it["parameters"]).filter(|it| it["in"] == "query") {
            let name = parameter["name"].as_str().expect("a name");
            let values = match parameter["schema"]["enum"].as_array() {
                Some(names) => names.clone(),
                None => Vec::from_iter(parameter.get("example").cloned()),
            };
            for value in values {
                let value = if name == "corpid" { serde_json::json!(app.corp.corpid) } else { value };
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned).replace('+', "%2B");
                let answer = ask(&format!("{name}={value}")).await;
                // A report's first day must not lie a year before its last, and not every report is about contacts with tags.
                let apart = ["since", "until", "tag"].contains(&name) && path.contains("/reports/");
                assert!(apart || !refused(&answer, name), "{method} {path} {name}={value}: {}", answer.text());
            }
            let kind = &parameter["schema"];
            let closed = kind.get("enum").is_some() || kind["type"] == "integer" || kind.get("format").is_some();
            if closed || name == "cursor" {
                assert!(refused(&ask(&format!("{name}=%21%21")).await, name), "{method} {path} {name}=!!");
            }
        }
    }
    app.finish().await;
}

/// What holds every test's answers against the description must itself be able to refuse them.
#[tokio::test]
async fn an_answer_that_is_not_described_is_found() {
    let app = TestApp::start().await;
    let target = "/api/enterprise-wechat/work-orders";
    let order = app.ask("POST", target, Some(json!({ "customer_id": "C-1", "description": "漏水" }))).await;
    let altered = |change: Change| {
        let mut body = order.json();
        change(&mut body);
        Answer { status: order.status, head: order.head.clone(), body: body.to_string().into_bytes() }
    };
    assert_eq!(described("POST", target, &altered(&|_| ())), Ok(()));
    let changes: [(&str, Change); 4] = [
        ("another field", &|it| it["colour"] = json!("red")),
        ("a field less", &|it| drop(it.as_object_mut().expect("an order").remove("version"))),
        ("another type", &|it| it["id"] = json!("1")),
        ("a field deep inside", &|it| it["changes"][0]["colour"] = json!("red")),
    ];
    for (what, change) in changes {
        assert!(described("POST", target, &altered(change)).is_err(), "{what}");
    }
    let other = |status, head: String| Answer { status, head, body: order.body.clone() };
    assert!(described("POST", target, &other(200, order.head.clone())).is_err(), "another status");
    let untyped = order.head.replace("application/json", "text/plain");
    assert!(described("POST", target, &other(201, untyped)).is_err(), "another form");
    let refused = app.ask("POST", target, Some(json!({}))).await;
    let code = refused.text().replace("invalid_field", "not_bound");
    let refused = Answer { body: code.into_bytes(), ..refused };
    assert!(described("POST", target, &refused).is_err(), "a problem that is not this one's");
    app.finish().await;
}

#[tokio::test]
async fn the_description_needs_no_token_has_both_languages_and_an_etag() {
    let app = TestApp::start().await;
    let english = get(&app, "/openapi.json", &[]).await;
    assert_eq!(english.status, 200);
    assert!(english.head.contains("content-type: application/json"), "{}", english.head);
    assert_eq!(english.json(), document(Language::English));
    let chinese = get(&app, "/openapi.json", &[("accept-language", "zh-CN")]).await;
    assert_eq!(chinese.json(), document(Language::Chinese));
    let etag = english.head.lines().find_map(|it| it.strip_prefix("etag: ")).expect("a tag");
    assert!(!chinese.head.contains(etag), "another language has another tag");
    let again = get(&app, "/openapi.json", &[("if-none-match", etag)]).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let posted = request(app.app.admin, "POST", "/docs", &[], b"").await.expect("an answer");
    assert_eq!((posted.status, posted.json()["code"].as_str()), (405, Some("method_not_allowed")));
    assert_eq!(get(&app, "/docs/", &[]).await.status, 404);
    app.finish().await;
}

#[tokio::test]
async fn the_page_shows_every_operation_and_has_no_scripts_or_external_files() {
    let app = TestApp::start().await;
    let chinese = get(&app, "/docs", &[]).await;
    let english = get(&app, "/docs?lang=en", &[("accept-language", "zh-CN")]).await;
    assert!(chinese.text().contains("<html lang=\"zh-CN\">") && chinese.text().contains("href=\"/docs?lang=en\""));
    assert!(english.text().contains("<html lang=\"en\">") && english.text().contains("href=\"/docs?lang=zh\""));
    for page in [&chinese, &english] {
        assert!(page.head.contains("content-security-policy: default-src 'none'; style-src 'unsafe-inline'"));
        let text = page.text();
        for outside in ["<script", "<link", "<img", "<iframe", "src=", "@import", "url(", "href=\"http", "onclick"] {
            assert!(!text.contains(outside), "{outside}");
        }
        for (method, path, it) in operations(&document(Language::English)) {
            assert!(
                text.contains(&format!("id=\"{}\"", it["operationId"].as_str().expect("a name"))),
                "{method} {path}"
            );
            assert!(text.contains(&format!("<code>{path}</code>")), "{method} {path}");
        }
        let named: BTreeSet<_> = text.split("id=\"").skip(1).filter_map(|it| it.split('"').next()).collect();
        for link in text.split("href=\"#").skip(1).filter_map(|it| it.split('"').next()) {
            assert!(named.contains(link), "#{link} leads nowhere");
        }
        assert_eq!(text.matches("<table>").count(), text.matches("</table>").count());
    }
    app.finish().await;
}

#[test]
fn the_command_line_prints_the_same_document() {
    let printed = Command::new(env!("CARGO_BIN_EXE_wecomd")).arg("openapi").output().expect("it runs");
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(printed, document(Language::English));
}
