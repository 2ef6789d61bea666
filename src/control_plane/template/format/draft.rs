//! A refused file, as far as it can be read: what inheritance, typing and the plan would say about the rest of it, so that all
//! mistakes are told at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName};

use super::document::{Document, judge, place_later, read};
use super::inherit;
use super::mistake::Mistake;
use super::wire::{self, Facts};

/// Fields that are judged together: where one of them is wrong, nothing is said of the others.
const RELATED: [&str; 5] = ["kind", "plan", "tools", "limits", "hooks"];

/// What a refused file says, without the fields that are wrong.
#[derive(Clone)]
pub(in crate::control_plane::template) struct Draft {
    value: Value,
    source: Arc<str>,
    wrong: BTreeSet<String>,
    extends: Option<TemplateName>,
}

impl std::fmt::Debug for Draft {
    /// Leaves out the texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("wrong", &self.wrong).field("extends", &self.extends).finish_non_exhaustive()
    }
}

impl PartialEq for Draft {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Draft {}

impl Draft {
    /// The draft of a file that is JSON.
    pub(in crate::control_plane::template) fn of(bytes: &[u8]) -> Option<Self> {
        let (text, mut value, mut mistakes) = read(bytes).ok()?;
        mistakes.extend(judge(&value));
        let wrong: BTreeSet<String> = mistakes.iter().filter_map(|mistake| top(&mistake.pointer)).collect();
        let members = value.as_object_mut()?;
        members.retain(|name, _| !wrong.contains(name));
        // Typing asks for both, and for nothing of theirs that the schema has not said already.
        members.entry("name").or_insert_with(|| json!("draft"));
        members.entry("version").or_insert_with(|| json!("0.0.0"));
        let extends = members.get("extends").and_then(Value::as_str).and_then(|parent| parent.parse().ok());
        Some(Self { value, source: text.into(), wrong, extends })
    }

    /// The draft of a file that is good by itself.
    pub(in crate::control_plane::template) fn good(document: &Document) -> Self {
        let (value, source, extends) = (document.value.clone(), document.source.clone(), document.extends.clone());
        Self { value, source, extends, wrong: BTreeSet::new() }
    }

    /// The template that it inherits from.
    pub(in crate::control_plane::template) fn extends(&self) -> Option<&TemplateName> {
        self.extends.as_ref()
    }

    /// What later stages find wrong with the rest of it; `parent` is its resolved parent.
    pub(in crate::control_plane::template) fn mistakes(
        &self,
        parent: Option<&Value>,
        origin: impl Fn(&str) -> Option<TemplateName>,
    ) -> Vec<Mistake> {
        let lacks_parent = parent.is_none() && (self.extends.is_some() || self.wrong.contains("extends"));
        let resolved = parent.map_or_else(|| self.value.clone(), |parent| inherit::resolve(parent, &self.value));
        let facts =
            Facts { digest: Digest::from_bytes([0; 32]), signer: None, published_at: Timestamp::from_micros(0) };
        let mut found = wire::typed(&resolved, facts).err().unwrap_or_default();
        found.retain(|mistake| {
            // Without the parent only what the file itself says is known.
            self.is_sound(&mistake.pointer) && (!lacks_parent || self.is_local(&mistake.pointer))
        });
        place_later(&self.source, &self.value, found, origin)
    }

    /// Adds places to mistakes about this file.
    pub(in crate::control_plane::template) fn place(&self, mistakes: Vec<Mistake>) -> Vec<Mistake> {
        place_later(&self.source, &self.value, mistakes, |_| None)
    }

    fn is_sound(&self, pointer: &str) -> bool {
        let Some(field) = top(pointer) else { return self.wrong.is_empty() };
        let related = RELATED.contains(&field.as_str()) && RELATED.iter().any(|other| self.wrong.contains(*other));
        !related && !self.wrong.contains(&field)
    }

    /// Whether the mistake is in a single value that the file has: what is set against others may be inherited.
    fn is_local(&self, pointer: &str) -> bool {
        let scalar = |value: &Value| !value.is_object() && !value.is_array();
        !top(pointer).is_some_and(|field| RELATED.contains(&field.as_str()))
            && self.value.pointer(pointer).is_some_and(scalar)
    }
}

/// The top-level field that a pointer is in.
fn top(pointer: &str) -> Option<String> {
    let field = pointer.split('/').nth(1)?;
    Some(field.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, parent: Option<&Value>) -> Vec<String> {
        let draft = Draft::of(text.as_bytes()).expect("JSON");
        let mistakes = draft.mistakes(parent, |_| Some("base".parse().expect("a name")));
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_right_so_far_is_judged_by_later_stages_too() {
        let text =
            "{\"name\": 7, \"version\": \"1.0.0\", \"system_prompt\": \"p\",\n\"supervision\": {\"period\": \"0s\"}}";
        let told = told(text, None);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("line 2, column 27: /supervision/period: "), "{told:?}");
    }

    #[test]
    fn what_follows_from_a_field_that_is_wrong_is_not_told() {
        let text = r#"{"name": "a", "version": "1.0.0", "system_prompt": 7, "tools": [7], "kind": "orchestrator",
            "plan": {"steps": [{"id": "a", "tool": "x"}]}}"#;
        assert_eq!(told(text, None), Vec::<String>::new());
    }

    #[test]
    fn without_its_parent_only_what_the_file_says_itself_is_judged() {
        let text = r#"{"name": "a", "version": "1.0.0", "extends": "base", "colour": 1, "supervision": {"backoff": {"initial": "60s"}},
            "budget": {"per_task_usd": "1000000001"}}"#;
        let alone = told(text, None);
        assert_eq!(alone.len(), 1, "{alone:?}");
        assert!(alone[0].contains("/budget/per_task_usd"));
        let below = told(
            text,
            Some(
                &json!({"system_prompt": "p", "supervision": {"backoff": {"max": "90s"}}, "limits": {"budget_usd": "x"}}),
            ),
        );
        assert_eq!(below.len(), 2, "{below:?}");
        assert!(
            below.iter().any(|line| line.contains("/limits/budget_usd") && line.ends_with("(inherited from base)"))
        );
    }
}
