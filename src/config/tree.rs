//! Settings before anyone knows what they mean: a tree of values, each with its place, from a file, the environment or flags.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::Place;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value whose type is that of its source.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A string of the file.
    Text(String),
    /// A word of the environment or command line; whoever reads it knows whether it is a number.
    Word(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Table),
    /// A path of the command line, which need not be UTF-8.
    Path(PathBuf),
    /// A value of a type that no setting has, by the name of that type.
    Other(&'static str),
}

/// Nodes by key. The key's own place is kept by [`Entry`].
pub(super) type Table = BTreeMap<String, Entry>;

/// A key's place and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

impl Value {
    /// What the value is, for a person.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Word(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Path(_) => "a path",
            Self::Other(kind) => kind,
        }
    }
}

/// Lays `upper` over `lower`: tables are joined, anything else is replaced.
pub(super) fn overlay(lower: &mut Table, upper: Table) {
    for (name, entry) in upper {
        match lower.get_mut(&name) {
            Some(Entry { node: Node { value: Value::Table(below), .. }, .. })
                if matches!(entry.node.value, Value::Table(_)) =>
            {
                if let Value::Table(above) = entry.node.value {
                    overlay(below, above);
                }
            }
            Some(_) | None => {
                lower.insert(name, entry);
            }
        }
    }
}
