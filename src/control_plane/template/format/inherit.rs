//! Inheritance: what a template takes from the one that it extends.
//!
//! The rules: objects merge deeply; scalars and arrays of the child take the parent's place. `name`, `version`, `extends` and
//! `description` are a template's own and never inherited. A plan's `aggregate` is taken whole from one of the two, because
//! its members depend on its mode.

use serde_json::{Map, Value};

/// The most templates above one another.
pub const EXTENDS_MAX: usize = 8;

/// Fields that a template never takes from its parent.
const OWN: [&str; 4] = ["name", "version", "extends", "description"];
/// Objects that are replaced as one.
const WHOLE: [&str; 1] = ["aggregate"];

/// The child with everything that it inherits from its resolved parent.
#[must_use]
pub fn resolve(parent: &Value, child: &Value) -> Value {
    match (parent, child) {
        (Value::Object(parent), Value::Object(child)) => {
            let inherited = parent.iter().filter(|(key, _)| !OWN.contains(&key.as_str()));
            let mut resolved: Map<String, Value> = inherited.map(|(key, value)| (key.clone(), value.clone())).collect();
            merge(&mut resolved, child);
            Value::Object(resolved)
        }
        _ => child.clone(),
    }
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) if !WHOLE.contains(&key.as_str()) => merge(below, above),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn objects_merge_and_scalars_and_arrays_replace() {
        let parent = json!({
            "name": "base", "version": "1.0.0", "description": "d", "extends": "root", "system_prompt": "p", "tools": ["a", "b"],
            "model": {"route": "r", "max_output_tokens": 5}, "plan": {"steps": [], "aggregate": {"mode": "step", "step": "x"}}
        });
        let child = json!({
            "name": "child", "version": "2.0.0", "extends": "base", "tools": ["c"], "model": {"max_output_tokens": 9},
            "plan": {"aggregate": {"mode": "concat"}}
        });
        assert_eq!(
            resolve(&parent, &child),
            json!({
                "name": "child", "version": "2.0.0", "extends": "base", "system_prompt": "p", "tools": ["c"],
                "model": {"route": "r", "max_output_tokens": 9}, "plan": {"steps": [], "aggregate": {"mode": "concat"}}
            })
        );
    }

    proptest! {
        #[test]
        fn what_the_child_says_always_stands(prompt in ".{0,8}", tokens in 1_u32..100, tools in proptest::collection::vec("[a-z]{1,3}", 0..4)) {
            let parent = json!({"system_prompt": "p", "model": {"route": "r", "max_output_tokens": 1}, "tools": ["x"]});
            let child = json!({"system_prompt": prompt, "model": {"max_output_tokens": tokens}, "tools": tools});
            let resolved = resolve(&parent, &child);
            prop_assert_eq!(&resolved["system_prompt"], &child["system_prompt"]);
            prop_assert_eq!(&resolved["model"]["max_output_tokens"], &child["model"]["max_output_tokens"]);
            prop_assert_eq!(&resolved["model"]["route"], "r");
            prop_assert_eq!(&resolved["tools"], &child["tools"]);
            prop_assert_eq!(resolve(&json!({}), &resolved), resolved);
        }
    }
}
