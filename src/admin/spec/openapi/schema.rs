//! Turns our types into JSON Schemas in the dialect of OpenAPI 3.1: schemas of answers are defined once and referred
//! to, those of bodies are inlined.

use schemars::{
    SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value, json};

use crate::admin::spec::operation::SchemaOf;

/// Where the schemas of answers stand.
const COMPONENTS: &str = "/components/schemas";

/// Collects the schemas of a document.
pub(super) struct Schemas {
    answers: SchemaGenerator,
    bodies: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|it| {
                it.definitions_path = COMPONENTS.into();
                it.meta_schema = None;
            })
        };
        let answers = settings().with(|it| it.contract = Contract::Serialize);
        let bodies = settings().with(|it| {
            it.contract = Contract::Deserialize;
            it.inline_subschemas = true;
        });
        Self { answers: answers.into_generator(), bodies: bodies.into_generator() }
    }

    /// The schema of an answer; what it refers to is collected.
    pub(super) fn answer(&mut self, of: SchemaOf) -> Value {
        of(&mut self.answers).to_value()
    }

    /// The schema of a body.
    pub(super) fn body(&mut self, of: SchemaOf) -> Value {
        let mut schema = of(&mut self.bodies).to_value();
        drop_defaults(&mut schema);
        schema
    }

    /// All that was collected, by name.
    pub(super) fn collected(mut self) -> Map<String, Value> {
        self.answers.take_definitions(true)
    }
}

/// A default that is null says nothing: the field may be left out.
fn drop_defaults(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("default").is_some_and(|it| it.is_null() || *it == json!({})) {
                object.remove("default");
            }
            object.values_mut().for_each(drop_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_defaults),
        _ => {}
    }
}
