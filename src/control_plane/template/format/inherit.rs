//! Inheritance: what a template takes from the one that it extends.
//!
//! The rules: objects merge deeply; scalars and arrays of the child take the parent's place. `$schema`, `name`, `version`,
//! `extends` and `description` are a template's own and never inherited. A plan's `aggregate` is taken whole from one of the two, because
//! its members depend on its mode.

use serde_json::{Map, Value};

/// The most templates above one another.
pub const EXTENDS_MAX: usize = 8;

/// Fields that a template never takes from its parent.
pub(super) const OWN: [&str; 5] = ["$schema", "name", "version", "extends", "description"];
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

    /// Templates as far as inheritance sees them: own fields, scalars, lists, objects in objects, and one taken whole.
    fn template() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            (0..3_i64).prop_map(Value::from),
            "[ab]".prop_map(Value::from),
            Just(json!([1, 2])),
            Just(json!([]))
        ];
        let object = leaf.prop_recursive(3, 16, 4, |inner| {
            let key = proptest::sample::select(vec!["a", "b", "aggregate", "name"]);
            proptest::collection::btree_map(key, inner, 0..3).prop_map(|map| {
                map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
            })
        });
        let key = proptest::sample::select(vec![
            "a",
            "b",
            "c",
            "plan",
            "name",
            "version",
            "extends",
            "description",
            "$schema",
        ]);
        proptest::collection::btree_map(key, object, 0..6)
            .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into())
    }

    /// Whether a value at a path is an object in one and something else in the other: there, what stands between decides.
    fn clash(one: &Value, other: &Value) -> bool {
        match (one.as_object(), other.as_object()) {
            (Some(one), Some(other)) => {
                one.iter().any(|(key, value)| other.get(key).is_some_and(|there| clash(value, there)))
            }
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        }
    }

    proptest! {
        #[test]
        fn own_fields_are_never_inherited(parent in template(), child in template()) {
            let resolved = resolve(&parent, &child);
            for own in OWN {
                prop_assert_eq!(resolved.get(own), child.get(own));
            }
        }

        #[test]
        fn nothing_comes_from_anywhere_else_and_nothing_is_lost(parent in template(), child in template()) {
            let resolved = resolve(&parent, &child);
            for (key, value) in resolved.as_object().expect("an object") {
                prop_assert!(child.get(key).is_some() || parent.get(key) == Some(value));
            }
            for key in parent.as_object().expect("an object").keys().filter(|key| !OWN.contains(&key.as_str())) {
                prop_assert!(resolved.get(key).is_some());
            }
            prop_assert_eq!(resolve(&parent, &resolved), resolved.clone(), "inheriting twice changes nothing");
        }

        /// The daemon folds from the eldest down; whoever merged the younger two first would get the same. It holds where a field
        /// has one type in all three, which the schema sees to.
        #[test]
        fn grouping_does_not_matter(a in template(), b in template(), c in template()) {
            prop_assume!(!clash(&a, &b) && !clash(&b, &c) && !clash(&a, &c));
            let downwards = resolve(&resolve(&a, &b), &c);
            let upwards = resolve(&a, &resolve(&b, &c));
            prop_assert_eq!(downwards, upwards);
        }

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
