//! A TOML file -> a tree whose places are lines and columns.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{Mistake, Place};
use super::tree::{Entry, Node, Table, Value};

/// The largest settings file, in bytes.
pub const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// Reads a file. Mistakes of syntax are all reported; a file that has any gives no tree.
pub(super) fn read(path: &Path) -> Result<Table, Vec<Mistake>> {
    let whole = |text: String| vec![Mistake { place: Place::WholeFile(path.to_owned()), setting: String::new(), text }];
    let length = std::fs::metadata(path).map_err(|error| whole(format!("cannot be read: {error}")))?.len();
    if length > SETTINGS_BYTES_MAX {
        return Err(whole(format!("{length} bytes are more than a settings file may have ({SETTINGS_BYTES_MAX})")));
    }
    let bytes = std::fs::read(path).map_err(|error| whole(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| whole(format!("not UTF-8 after byte {}", error.utf8_error().valid_up_to())))?;
    parse(path, &text)
}

/// Parses the text of a file.
pub(super) fn parse(path: &Path, text: &str) -> Result<Table, Vec<Mistake>> {
    let source = Source { path, text };
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(source.table(document.get_ref()));
    }
    let mistake = |error: toml::de::Error| Mistake {
        place: source.place(error.span().map_or(0, |span| span.start)),
        setting: String::new(),
        text: error.message().to_owned(),
    };
    Err(errors.into_iter().map(mistake).collect())
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let last_line = before.rsplit('\n').next().unwrap_or(before);
        Place::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count().saturating_add(1),
            column: last_line.chars().count().saturating_add(1),
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        let entry = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
            let key_place = self.place(key.span().start);
            // A table's own span begins at whatever header or key opened it first; its key says the same more plainly.
            let place = if value.get_ref().is_table() { key_place.clone() } else { self.place(value.span().start) };
            let node = Node { place, value: self.value(value.get_ref()) };
            (key.get_ref().to_string(), Entry { key: key_place, node })
        };
        table.iter().map(entry).collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Value::Other("a number beyond 64 bits"), Value::Integer),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Node { place: self.place(item.span().start), value: self.value(item.get_ref()) })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}
