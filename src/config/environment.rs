//! `NG_…` variables -> a tree. Two underscores stand between levels, names are in lower case.

use super::error::{Mistake, Place};
use super::tree::{Entry, Node, Table, Value};

/// What every variable that is a setting begins with.
pub const PREFIX: &str = "NG_";

/// Names that are shorter than the setting's path.
const SHORT_NAMES: [(&str, &[&str]); 4] = [
    ("NG_CACHE_TTL", &["templates", "cache_ttl"]),
    ("NG_ENABLE_SIGNATURE_VALIDATION", &["templates", "enable_signature_validation"]),
    ("NG_RSA_PUBLIC_KEY_PATH", &["templates", "rsa_public_key_path"]),
    ("NG_LOG", &["log", "level"]),
];

/// Reads the variables that begin with [`PREFIX`]; others are not ours.
pub(super) fn read(environment: &[(String, String)], mistakes: &mut Vec<Mistake>) -> Table {
    let mut ours: Vec<_> = environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    let mut root = Table::new();
    for (name, value) in ours {
        let path = path_of(name);
        let word = if name == "NG_CACHE_TTL" { seconds(value) } else { value.clone() };
        if insert(&mut root, &path, name, word).is_err() {
            mistakes.push(Mistake {
                place: Place::Variable(name.clone()),
                setting: path.join("."),
                text: "another variable sets the same".to_owned(),
            });
        }
    }
    root
}

/// The variable that sets a path, for messages.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

fn path_of(name: &str) -> Vec<String> {
    if let Some((_, path)) = SHORT_NAMES.iter().find(|(short, _)| *short == name) {
        return path.iter().map(|&level| level.to_owned()).collect();
    }
    let levels = name.strip_prefix(PREFIX).unwrap_or(name);
    levels.split("__").map(str::to_lowercase).collect()
}

/// `NG_CACHE_TTL` is in seconds, as it always was; a duration with its unit is understood too.
fn seconds(value: &str) -> String {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) { format!("{value}s") } else { value.to_owned() }
}

/// That the place in the tree is taken.
struct Taken;

fn insert(table: &mut Table, path: &[String], variable: &str, word: String) -> Result<(), Taken> {
    let place = || Place::Variable(variable.to_owned());
    let Some((first, rest)) = path.split_first() else { return Err(Taken) };
    if rest.is_empty() {
        if table.contains_key(first) {
            return Err(Taken);
        }
        let node = Node { place: place(), value: Value::Word(word) };
        table.insert(first.clone(), Entry { key: place(), node });
        return Ok(());
    }
    let fresh = || Entry { key: place(), node: Node { place: place(), value: Value::Table(Table::new()) } };
    match &mut table.entry(first.clone()).or_insert_with(fresh).node.value {
        Value::Table(below) => insert(below, rest, variable, word),
        Value::Text(_)
        | Value::Word(_)
        | Value::Integer(_)
        | Value::Boolean(_)
        | Value::List(_)
        | Value::Path(_)
        | Value::Other(_) => Err(Taken),
    }
}
