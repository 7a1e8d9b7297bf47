//! Every answer of the admin API that any test gets is held against the API's description: its status, its media type,
//! and what is in it, down to fields that nobody described. What does not conform fails the test that got it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};
use wecomd::admin::spec::openapi::{Language, document};

use super::http::Answer;

/// What every route begins with.
const BASE: &str = "/api/enterprise-wechat/";

static DESCRIBED: LazyLock<Described> = LazyLock::new(Described::new);

/// The description, closed: a field that is not in it is a mistake.
struct Described {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Fails the test whose answer is not described.
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    if let Err(why) = described(method, target, answer) {
        panic!("{method} {target} → {} {}\n{why}", answer.status, String::from_utf8_lossy(&answer.body));
    }
}

/// Whether an answer is as it is described; what is not the API's, or comes from the other door, is nobody's matter.
pub(crate) fn described(method: &str, target: &str, answer: &Answer) -> Result<(), String> {
    let path = target.split('?').next().unwrap_or_default();
    let is_ours = path.starts_with(BASE) && !header(answer, "x-frame-options").is_empty();
    if is_ours { DESCRIBED.check(&method.to_ascii_lowercase(), path, answer) } else { Ok(()) }
}

/// The schema of an answer or body within the document, made to stand alone.
pub(crate) fn standing_alone(document: &Value, schema: &Value) -> Value {
    json!({ "components": { "schemas": document["components"]["schemas"] }, "allOf": [schema] })
}

/// What a value breaks.
pub(crate) fn broken(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|it| format!("{}: {it}", it.instance_path())).collect()
}

impl Described {
    fn new() -> Self {
        let mut document = document(Language::English);
        close(&mut document["components"]["schemas"], true);
        Self { document, validators: Mutex::default() }
    }

    fn check(&self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let Some((template, operation)) = self.operation(method, path) else {
            // A path or method that does not exist.
            let problem = json!({ "$ref": "#/components/schemas/Problem" });
            let known = [404, 405, 429].contains(&answer.status);
            return if known { self.conform("problem", &problem, answer) } else { Err("is not described".to_owned()) };
        };
        let response = &operation["responses"][answer.status.to_string()];
        let response = match response["$ref"].as_str() {
            Some(place) => self.document.pointer(place.trim_start_matches('#')).unwrap_or(&Value::Null),
            None => response,
        };
        let media_type = header(answer, "content-type").split(';').next().unwrap_or_default().to_owned();
        if header(answer, "x-request-id").is_empty() {
            return Err("it has no request id".to_owned());
        }
        if response["content"].as_object().is_some_and(serde_json::Map::is_empty) {
            let empty = answer.body.is_empty() && media_type.is_empty();
            return if empty { Ok(()) } else { Err("nothing was to be in it".to_owned()) };
        }
        let form = response["content"].get(&media_type);
        let form = form.ok_or_else(|| format!("{} with {media_type:?} is not described", answer.status))?;
        match media_type.ends_with("json") {
            true => {
                let name = format!("{method} {template} {} {media_type}", answer.status);
                self.conform(&name, &form["schema"], answer)
            }
            false => Ok(()),
        }
    }

    /// The operation that the path leads to, the one with fewer parameters first.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let paths = self.document["paths"].as_object()?;
        let fits = |template: &str| {
            let (theirs, ours): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
            let fits = |(their, our): (&&str, &&str)| our == their || our.starts_with('{') && !their.is_empty();
            theirs.len() == ours.len() && theirs.iter().zip(&ours).all(fits)
        };
        let found = paths.iter().filter(|(template, _)| fits(template));
        let (template, methods) = found.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template, methods.get(method)?))
    }

    fn conform(&self, name: &str, schema: &Value, answer: &Answer) -> Result<(), String> {
        let known = self.validators.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let validator = known.unwrap_or_else(|| {
            let schema = standing_alone(&self.document, schema);
            let made = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
            let made = Arc::new(made);
            let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
            validators.insert(name.to_owned(), made.clone());
            made
        });
        let value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        let broken = broken(&validator, &value);
        if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let of = |line: &'a str| line.split_once(": ").filter(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, it)| it);
    answer.head.lines().find_map(of).unwrap_or_default()
}

/// Closes every object whose fields are described, unless it is a part of several that must fit together.
fn close(schema: &mut Value, alone: bool) {
    match schema {
        Value::Object(object) => {
            if alone && object.get("properties").is_some_and(Value::is_object) && !object.contains_key("allOf") {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.iter_mut().for_each(|(name, it)| close(it, name != "allOf"));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| close(it, alone)),
        _ => {}
    }
}
