//! Placeholders: `{{input}}`, `{{steps.ID.output}}`, `{{item}}` in a mapped step, each with a dotted path behind it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::private::Text;

use super::path::Path;

/// What a step is given, with placeholders. Made by parsing; rendering is pure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputTemplate {
    pieces: Vec<Piece>,
}

/// The list that a mapped step goes through: one placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSource(Reference);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Text of the template: no log shows it.
    Literal(Text),
    Reference(Reference),
}

/// One placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    written: String,
    root: Root,
    path: Path,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    Input,
    Item,
    Step(String),
}

/// Why a step's input cannot be made from the values that are there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrendered {
    /// The path of a placeholder leads nowhere.
    #[error("{{{{{0}}}}} leads to no value")]
    Missing(String),
    /// What a step should be repeated for is not a list.
    #[error("{{{{{0}}}}} is not a list")]
    NotAList(String),
}

/// The values that placeholders stand for.
struct Values<'a> {
    input: &'a Value,
    outputs: &'a BTreeMap<String, Value>,
    item: Option<&'a Value>,
}

impl InputTemplate {
    /// The whole input of the task: what a step that says nothing is given.
    pub(super) fn whole_input() -> Self {
        let reference = Reference { written: "input".to_owned(), root: Root::Input, path: Path::default() };
        Self { pieces: vec![Piece::Reference(reference)] }
    }

    /// Reads a text with placeholders.
    ///
    /// # Errors
    /// A placeholder is not closed, or is none that there is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (inside, after) = behind.split_once("}}").ok_or("a placeholder is not closed with }}")?;
            if !before.is_empty() {
                pieces.push(Piece::Literal(Text::from(before)));
            }
            pieces.push(Piece::Reference(Reference::parse(inside)?));
            rest = after;
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Literal(Text::from(rest)));
        }
        Ok(Self { pieces })
    }

    /// Makes the input. A lone placeholder gives its value as it is, so that an object stays one; among text, a text is put
    /// in as it is and anything else as compact JSON. What is put in is never read for placeholders again: an answer that
    /// contains `{{input}}` says just that. A step that was skipped, and one whose output is null, gives nothing.
    ///
    /// # Errors
    /// A placeholder leads to no value.
    pub fn render(
        &self,
        input: &Value,
        outputs: &BTreeMap<String, Value>,
        item: Option<&Value>,
    ) -> Result<Value, Unrendered> {
        let values = Values { input, outputs, item };
        if let [Piece::Reference(reference)] = self.pieces.as_slice() {
            return reference.value(&values).map(Cow::into_owned);
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal.expose()),
                Piece::Reference(reference) => match reference.value(&values)?.as_ref() {
                    Value::Null => {}
                    Value::String(value) => text.push_str(value),
                    other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                        text.push_str(&other.to_string());
                    }
                },
            }
        }
        Ok(Value::String(text))
    }

    /// The steps whose outputs it reads.
    pub(super) fn reads(&self) -> impl Iterator<Item = &str> {
        self.references().filter_map(Reference::step)
    }

    /// Whether it reads the item of a mapped step.
    pub(super) fn reads_item(&self) -> bool {
        self.references().any(|reference| reference.root == Root::Item)
    }

    fn references(&self) -> impl Iterator<Item = &Reference> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Reference(reference) => Some(reference),
        })
    }
}

impl MapSource {
    /// Reads a lone placeholder.
    ///
    /// # Errors
    /// It is no placeholder, or none that a list can come from.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inside = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let reference = Reference::parse(inside.ok_or("write one placeholder, such as {{steps.x.output.items}}")?)?;
        if reference.root == Root::Item {
            return Err("a list cannot come from its own item".to_owned());
        }
        Ok(Self(reference))
    }

    /// The items, in order; none where the step that should give them was skipped.
    ///
    /// # Errors
    /// The placeholder leads to no value, or to one that is not a list.
    pub fn items(&self, input: &Value, outputs: &BTreeMap<String, Value>) -> Result<Vec<Value>, Unrendered> {
        let found = self.0.value(&Values { input, outputs, item: None })?;
        let list = match found.as_ref() {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Bool(false)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => found.into_owned(),
        };
        match list {
            Value::Array(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Err(Unrendered::NotAList(self.0.written.clone()))
            }
        }
    }

    /// The step whose output it reads.
    pub(super) fn reads(&self) -> Option<&str> {
        self.0.step()
    }
}

impl Reference {
    fn parse(inside: &str) -> Result<Self, String> {
        let written = inside.trim().to_owned();
        // What is no path may be a piece of a prompt.
        let is_path = written.len() <= 64 && written.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let told = if is_path { format!("{{{{{written}}}}}") } else { "what stands between {{ and }}".to_owned() };
        let unknown =
            || format!("{told} is no placeholder; there are input, item and steps.ID.output, each with a dotted path");
        let mut segments = written.split('.');
        let root = match segments.next() {
            Some("input") => Root::Input,
            Some("item") => Root::Item,
            Some("steps") => {
                let id = segments.next().filter(|id| !id.is_empty()).ok_or_else(unknown)?;
                segments.next().filter(|word| *word == "output").ok_or_else(unknown)?;
                Root::Step(id.to_owned())
            }
            Some(_) | None => return Err(unknown()),
        };
        let path = Path::parse(segments).ok_or_else(unknown)?;
        Ok(Self { written, root, path })
    }

    fn step(&self) -> Option<&str> {
        match &self.root {
            Root::Step(id) => Some(id),
            Root::Input | Root::Item => None,
        }
    }

    fn value<'a>(&self, values: &Values<'a>) -> Result<Cow<'a, Value>, Unrendered> {
        let missing = || Unrendered::Missing(self.written.clone());
        let root = match &self.root {
            Root::Input => values.input,
            Root::Item => values.item.ok_or_else(missing)?,
            Root::Step(id) => match values.outputs.get(id) {
                None | Some(Value::Null) => return Ok(Cow::Owned(Value::Null)),
                Some(output) => output,
            },
        };
        self.path.find(root).ok_or_else(missing)
    }
}
