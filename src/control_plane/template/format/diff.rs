//! What is different between two resolved templates. Pure.

use serde_json::Value;

/// One difference. Which values there are says what happened: only `to`, it was added; only `from`, it was removed; both, it was
/// changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What was there.
    pub from: Option<Value>,
    /// What is there now.
    pub to: Option<Value>,
}

/// All differences, in the order of their pointers' members. There are no more than the two have values; lists are compared place
/// by place.
#[must_use]
pub(crate) fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    // INVARIANT: templates nest no deeper than NESTING_MAX, so that this ends.
    compare(String::new(), Some(from), Some(to), &mut found);
    found
}

fn compare(pointer: String, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    match (from, to) {
        (Some(from), Some(to)) if from == to => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let mut members: Vec<&String> = one.keys().chain(other.keys()).collect();
            members.sort();
            members.dedup();
            for member in members {
                let below = format!("{pointer}/{}", member.replace('~', "~0").replace('/', "~1"));
                compare(below, one.get(member), other.get(member), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for place in 0..one.len().max(other.len()) {
                compare(format!("{pointer}/{place}"), one.get(place), other.get(place), found);
            }
        }
        (None, None) => {}
        (from, to) => found.push(Difference { pointer, from: from.cloned(), to: to.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_has_its_place_and_values() {
        let from = json!({"a/b": {"~": 1, "gone": true}, "list": [1, 2, 3], "same": {"x": null}});
        let to = json!({"a/b": {"~": 2}, "list": [1, 3], "same": {"x": null}, "new": "text"});
        let told: Vec<(String, Option<Value>, Option<Value>)> =
            differences(&from, &to).into_iter().map(|d| (d.pointer, d.from, d.to)).collect();
        assert_eq!(
            told,
            [
                ("/a~1b/gone".to_owned(), Some(json!(true)), None),
                ("/a~1b/~0".to_owned(), Some(json!(1)), Some(json!(2))),
                ("/list/1".to_owned(), Some(json!(2)), Some(json!(3))),
                ("/list/2".to_owned(), Some(json!(3)), None),
                ("/new".to_owned(), None, Some(json!("text"))),
            ]
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..9_u8).prop_map(Value::from),
            "[a~/]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab~/]{1,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pointers_lead_to_the_values_and_equal_templates_have_none(one in value(), other in value()) {
            prop_assert_eq!(differences(&one, &one), Vec::new());
            let found = differences(&one, &other);
            prop_assert_eq!(found.is_empty(), one == other);
            for difference in found {
                prop_assert_eq!(one.pointer(&difference.pointer), difference.from.as_ref());
                prop_assert_eq!(other.pointer(&difference.pointer), difference.to.as_ref());
            }
        }
    }
}
