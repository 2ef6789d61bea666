//! Reads a table of a rule file. What is wrong is noted with its place and reading goes on, so that a person sees every mistake
//! at once.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::{Mistake, Place};

/// The most mistakes that are told of one file.
const MISTAKES_MAX: usize = 100;

/// A file that is being read, and what is wrong with it.
pub(super) struct Source<'t> {
    path: &'t Path,
    text: &'t str,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'t> Source<'t> {
    pub(super) fn new(path: &'t Path, text: &'t str) -> Self {
        Self { path, text, mistakes: Vec::new() }
    }

    /// Notes a mistake at a byte of the file.
    pub(super) fn mistake(&mut self, offset: usize, setting: &str, text: impl Into<String>) {
        if self.mistakes.len() >= MISTAKES_MAX {
            return;
        }
        let before = self.text.get(..offset).unwrap_or(self.text);
        let last_line = before.rsplit('\n').next().unwrap_or(before);
        let place = Place::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count().saturating_add(1),
            column: last_line.chars().count().saturating_add(1),
        };
        self.mistakes.push(Mistake { place, setting: setting.to_owned(), text: text.into() });
    }
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

/// A table that is being read. [`Table::finish`] must end it: that is what notices unknown keys.
pub(super) struct Table<'v> {
    /// Its place among the file's tables: `rule[2]`; empty for the file itself.
    path: String,
    offset: usize,
    rest: BTreeMap<&'v str, (usize, &'v Spanned<DeValue<'v>>)>,
    known: Vec<&'static str>,
}

impl<'v> Table<'v> {
    pub(super) fn new(path: String, span: Range<usize>, table: &'v DeTable<'v>) -> Self {
        let entry = |(key, value): (&'v Spanned<std::borrow::Cow<'v, str>>, &'v Spanned<DeValue<'v>>)| {
            (key.get_ref().as_ref(), (key.span().start, value))
        };
        Self { path, offset: span.start, rest: table.iter().map(entry).collect(), known: Vec::new() }
    }

    /// Where the table stands.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The path of a key.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Text.
    pub(super) fn text(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<Located<String>> {
        self.read(source, key, "text", |value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// Text that must be there.
    pub(super) fn required_text(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<Located<String>> {
        let given = self.rest.contains_key(key);
        let read = self.text(source, key);
        if !given {
            source.mistake(self.offset, &self.path_of(key), "missing");
        }
        read
    }

    /// True or false.
    pub(super) fn boolean(&mut self, source: &mut Source<'_>, key: &'static str) -> Option<bool> {
        self.read(source, key, "true or false", |value| value.as_bool()).map(|located| located.value)
    }

    /// A number, whole or not, within bounds.
    pub(super) fn number(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        bounds: RangeInclusive<f64>,
    ) -> Option<f64> {
        let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
        let number = |value: &DeValue<'_>| {
            let whole = value.as_integer().and_then(|digits| digits.as_str().parse::<f64>().ok());
            whole.or_else(|| value.as_float().and_then(|digits| digits.as_str().parse::<f64>().ok()))
        };
        self.read(source, key, &expected, |value| number(value).filter(|number| bounds.contains(number)))
            .map(|located| located.value)
    }

    /// A whole number within bounds.
    pub(super) fn whole(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        bounds: RangeInclusive<usize>,
    ) -> Option<usize> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let number = |value: &DeValue<'_>| {
            value.as_integer().and_then(|digits| usize::from_str_radix(digits.as_str(), digits.radix()).ok())
        };
        self.read(source, key, &expected, |value| number(value).filter(|number| bounds.contains(number)))
            .map(|located| located.value)
    }

    /// A list of at most so many texts; what is left out is a list without any.
    pub(super) fn texts(&mut self, source: &mut Source<'_>, key: &'static str, most: usize) -> Vec<Located<String>> {
        let of_item = |item: &Spanned<DeValue<'_>>| {
            let text = item.get_ref().as_str().filter(|text| !text.is_empty())?;
            Some(Located { value: text.to_owned(), offset: item.span().start })
        };
        let of_value = |value: &DeValue<'_>| {
            let items = value.as_array().filter(|items| items.len() <= most)?;
            items.iter().map(of_item).collect::<Option<Vec<_>>>()
        };
        let read = self.read(source, key, &format!("a list of texts, at most {most}"), of_value);
        read.map(|located| located.value).unwrap_or_default()
    }

    /// The tables under a key that is written `[[key]]`, at most so many.
    pub(super) fn tables(&mut self, source: &mut Source<'_>, key: &'static str, most: usize) -> Vec<Table<'v>> {
        self.known.push(key);
        let Some((_, value)) = self.rest.remove(key) else { return Vec::new() };
        let path = self.path_of(key);
        let Some(items) = value.get_ref().as_array() else {
            source.mistake(value.span().start, &path, format!("expected tables, each written [[{key}]]"));
            return Vec::new();
        };
        if items.len() > most {
            source.mistake(
                value.span().start,
                &path,
                format!("{} are more than the {most} that there may be", items.len()),
            );
            return Vec::new();
        }
        let mut tables = Vec::new();
        for (place, item) in items.iter().enumerate() {
            // A person counts from one.
            let path = format!("{path}[{}]", place.saturating_add(1));
            match item.get_ref().as_table() {
                Some(table) => tables.push(Table::new(path, item.span(), table)),
                None => source.mistake(item.span().start, &path, "expected a table"),
            }
        }
        tables
    }

    /// Ends the table: whatever nobody asked for is unknown.
    pub(super) fn finish(self, source: &mut Source<'_>) {
        for (key, (offset, _)) in &self.rest {
            let text = match crate::config::nearest(key, &self.known) {
                Some(near) => format!("unknown key; did you mean \"{near}\"?"),
                None => format!("unknown key; known here: {}", self.known.join(", ")),
            };
            source.mistake(*offset, &self.path_of(key), text);
        }
    }

    fn read<T>(
        &mut self,
        source: &mut Source<'_>,
        key: &'static str,
        expected: &str,
        of_value: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<Located<T>> {
        self.known.push(key);
        let (_, value) = self.rest.remove(key)?;
        let offset = value.span().start;
        let read = of_value(value.get_ref());
        if read.is_none() {
            source.mistake(offset, &self.path_of(key), format!("expected {expected}"));
        }
        read.map(|value| Located { value, offset })
    }
}
