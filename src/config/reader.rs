//! Reads a tree table by table. What is wrong is noted and reading goes on, so that a person sees every mistake at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::environment;
use super::error::{Mistake, Place};
use super::tree::{Node, Table, Value};

/// What was found out while reading.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) mistakes: Vec<Mistake>,
    /// Every setting that was asked for, names that people choose written `*`. A test compares it with the documentation.
    pub(super) asked: BTreeSet<String>,
}

impl Report {
    pub(super) fn mistake(&mut self, place: &Place, setting: &str, text: impl Into<String>) {
        self.mistakes.push(Mistake { place: place.clone(), setting: setting.to_owned(), text: text.into() });
    }
}

/// A value that was read, and where it stood.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) place: Place,
    pub(super) value: T,
}

/// A table of the settings that is being read. [`Section::finish`] must end it: that is what notices unknown keys.
pub(super) struct Section {
    path: String,
    pattern: String,
    place: Place,
    rest: Table,
    known: Vec<&'static str>,
}

/// See [`Section::tables_or_values`].
pub(super) enum TableOrValue {
    Table(Section),
    /// Anything else, and its dotted path.
    Value {
        path: String,
        node: Node,
    },
}

impl Section {
    pub(super) fn root(table: Table) -> Self {
        Self { path: String::new(), pattern: String::new(), place: Place::Default, rest: table, known: Vec::new() }
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether a key is given.
    pub(super) fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    /// The dotted path of a key of this table; of the table itself where the key is empty.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Reads a key with `parse`, whose error says what would be right.
    pub(super) fn read<T>(
        &mut self,
        report: &mut Report,
        key: &'static str,
        parse: impl Fn(&Node) -> Result<T, String>,
    ) -> Option<Located<T>> {
        self.known.push(key);
        report.asked.insert(join(&self.pattern, key));
        let node = self.rest.remove(key)?.node;
        match parse(&node) {
            Ok(value) => Some(Located { place: node.place, value }),
            Err(text) => {
                report.mistake(&node.place, &self.path_of(key), text);
                None
            }
        }
    }

    /// Reads a key that has a default.
    pub(super) fn read_or<T>(
        &mut self,
        report: &mut Report,
        key: &'static str,
        default: T,
        parse: impl Fn(&Node) -> Result<T, String>,
    ) -> T {
        self.read(report, key, parse).map_or(default, |located| located.value)
    }

    /// Reads a key that must be there.
    pub(super) fn require<T>(
        &mut self,
        report: &mut Report,
        key: &'static str,
        parse: impl Fn(&Node) -> Result<T, String>,
    ) -> Option<Located<T>> {
        let given = self.rest.contains_key(key);
        let read = self.read(report, key, parse);
        if !given {
            report.mistake(&self.place, &self.path_of(key), "missing");
        }
        read
    }

    /// The table under a key; an empty one where it is not given.
    pub(super) fn section(&mut self, report: &mut Report, key: &'static str) -> Self {
        self.known.push(key);
        let (path, pattern) = (self.path_of(key), join(&self.pattern, key));
        let entry = self.rest.remove(key);
        Self::open(report, path, pattern, entry.map(|entry| entry.node))
    }

    /// The tables under names that people choose, each with its name.
    pub(super) fn named(mut self, report: &mut Report) -> Vec<(String, Self)> {
        let pattern = join(&self.pattern, "*");
        let entries = std::mem::take(&mut self.rest);
        let open = |(name, entry): (String, super::tree::Entry)| {
            let section = Self::open(report, join(&self.path, &quoted(&name)), pattern.clone(), Some(entry.node));
            (name, section)
        };
        entries.into_iter().map(open).collect()
    }

    /// What stands under names that people choose, where a table is one way to say it among others.
    pub(super) fn tables_or_values(mut self, report: &mut Report) -> Vec<(String, TableOrValue)> {
        let pattern = join(&self.pattern, "*");
        report.asked.insert(pattern.clone());
        let entries = std::mem::take(&mut self.rest);
        let open = |(name, entry): (String, super::tree::Entry)| {
            let path = join(&self.path, &quoted(&name));
            let found = match entry.node {
                node @ Node { value: Value::Table(_), .. } => {
                    TableOrValue::Table(Self::open(report, path, pattern.clone(), Some(node)))
                }
                node => TableOrValue::Value { path, node },
            };
            (name, found)
        };
        entries.into_iter().map(open).collect()
    }

    /// Ends the table: whatever nobody asked for is unknown.
    pub(super) fn finish(self, report: &mut Report) {
        for (key, entry) in &self.rest {
            let mut text = "unknown setting; ".to_owned();
            let nearest = nearest(key, &self.known);
            match (nearest, &entry.key) {
                (Some(near), Place::Variable(_)) => {
                    text.push_str("did you mean ");
                    text.push_str(&environment::variable_of(&join(&self.path, near)));
                    text.push('?');
                }
                (Some(near), _) => text.push_str(&format!("did you mean \"{near}\"?")),
                (None, _) => text.push_str(&format!("known here: {}", self.known.join(", "))),
            }
            report.mistake(&entry.key, &self.path_of(&quoted(key)), text);
        }
    }

    fn open(report: &mut Report, path: String, pattern: String, node: Option<Node>) -> Self {
        let (place, rest) = match node {
            Some(Node { place, value: Value::Table(table) }) => (place, table),
            Some(Node { place, value }) => {
                report.mistake(&place, &path, format!("expected a table, found {}", value.kind()));
                (place, Table::new())
            }
            None => (Place::Default, Table::new()),
        };
        Self { path, pattern, place, rest, known: Vec::new() }
    }
}

/// A path of the settings as the process can use it: what a file says is relative to the file's own directory, what the
/// environment and flags say to the working directory.
pub(super) fn path_from(node: &Node) -> Result<PathBuf, String> {
    let text = match &node.value {
        Value::Path(path) => return Ok(path.clone()),
        Value::Text(text) | Value::Word(text) => text,
        Value::Integer(_) | Value::Boolean(_) | Value::List(_) | Value::Table(_) | Value::Other(_) => {
            return Err(format!("expected a path, found {}", node.value.kind()));
        }
    };
    if text.is_empty() || text.contains('\0') {
        return Err("expected a path, found nothing".to_owned());
    }
    let path = Path::new(text);
    match &node.place {
        Place::File { path: file, .. } => Ok(file.parent().map_or_else(|| path.to_owned(), |dir| dir.join(path))),
        Place::WholeFile(_) | Place::Variable(_) | Place::Flag(_) | Place::Default => Ok(path.to_owned()),
    }
}

fn join(path: &str, key: &str) -> String {
    match (path, key) {
        ("", key) => key.to_owned(),
        (path, "") => path.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

/// A name as TOML would have it.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("\"{name}\"") }
}

/// The known key that a person most likely meant: a slip or two away, in long words up to a third of the letters.
pub(crate) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let (distance, near) = known.iter().map(|&candidate| (edits(key, candidate), candidate)).min()?;
    (distance <= near.len().div_euclid(3).max(2)).then_some(near)
}

/// How many insertions, deletions and replacements make one word the other (Levenshtein).
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), index.saturating_add(1));
        let mut before = index.saturating_add(1);
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let replaced = if from == *to { diagonal } else { diagonal.saturating_add(1) };
            diagonal = *cell;
            before = replaced.min(diagonal.saturating_add(1)).min(before.saturating_add(1));
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (left, right, count) in [("", "", 0), ("", "ab", 2), ("tcp", "tpc", 2), ("kitten", "sitting", 3)] {
            assert_eq!(edits(left, right), count, "{left} {right}");
        }
    }

    #[test]
    fn only_what_is_near_is_proposed() {
        assert_eq!(nearest("data_dirr", &["data_dir", "socket"]), Some("data_dir"));
        assert_eq!(nearest("nonsense", &["data_dir", "socket"]), None);
    }
}
