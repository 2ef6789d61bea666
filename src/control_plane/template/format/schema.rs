//! The JSON Schema of a template file, embedded and compiled when first used.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::mistake::{MISTAKES_MAX, Mistake};

/// The schema as text (JSON Schema 2020-12).
pub const SCHEMA: &str = include_str!("schema.json");

static VALIDATOR: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).map_err(|fault| fault.to_string())?;
    jsonschema::options().with_draft(Draft::Draft202012).build(&schema).map_err(|fault| fault.to_string())
});

/// All ways in which a value breaks the schema. A schema that does not compile refuses everything.
pub(in crate::control_plane::template) fn check(value: &Value) -> Vec<Mistake> {
    match &*VALIDATOR {
        Ok(validator) => validator.iter_errors(value).take(MISTAKES_MAX).map(|error| told(&error)).collect(),
        Err(fault) => vec![Mistake::at("", format!("the embedded schema does not compile: {fault}"))],
    }
}

/// The values themselves stay out of the message: they may be prompts.
fn told(error: &jsonschema::ValidationError<'_>) -> Mistake {
    Mistake::at(error.instance_path().as_str(), error.masked().to_string())
}
