//! What is wrong with a template file, and where.

use std::fmt;

/// The most mistakes that are told of one file; the rest would only repeat them.
pub const MISTAKES_MAX: usize = 64;

/// The most characters of one name in a pointer that are shown: a longer one is no field's name, and may be a prompt that
/// was written in the wrong place.
const SEGMENT_CHARS_MAX: usize = 64;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in Unicode code points, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset in a text.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or("").chars().count().saturating_add(1);
        Self { line, column }
    }
}

/// Which part of a member of an object a mistake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control_plane::template) enum Mark {
    /// Its value.
    Value,
    /// Its name.
    Key,
}

/// One mistake: where it is, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The JSON pointer (RFC 6901) of the value; empty for the whole document.
    pub pointer: String,
    /// The place in the file, where it is known.
    pub place: Option<Place>,
    /// What is wrong and what would be right. Never the text of a prompt.
    pub message: String,
    pub(in crate::control_plane::template) mark: Mark,
}

impl Mistake {
    /// A mistake at a pointer.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), place: None, message: message.into(), mark: Mark::Value }
    }

    /// A mistake in the name of the member at a pointer.
    pub(in crate::control_plane::template) fn of_key(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { mark: Mark::Key, ..Self::at(pointer, message) }
    }

    /// Adds the place in the file.
    #[must_use]
    pub fn placed(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// The pointer as people are shown it: names that are too long for a field are cut.
    #[must_use]
    pub fn shown_pointer(&self) -> String {
        let cut = |segment: &str| match segment.char_indices().nth(SEGMENT_CHARS_MAX) {
            Some(_) => format!("({} characters)", segment.chars().count()),
            None => segment.to_owned(),
        };
        self.pointer.split('/').map(cut).collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.shown_pointer())?;
        }
        f.write_str(&self.message)
    }
}

/// In the order of the file, no more than [`MISTAKES_MAX`]; the last one then says that there are more.
pub(in crate::control_plane::template) fn in_order(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort_by(|one, other| (one.place, &one.pointer).cmp(&(other.place, &other.pointer)));
    mistakes.dedup();
    if mistakes.len() > MISTAKES_MAX {
        mistakes.truncate(MISTAKES_MAX.saturating_sub(1));
        mistakes.push(Mistake::at("", "there are more mistakes; mend these first"));
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_may_be_a_prompt_is_not_shown() {
        let mistake = Mistake::at(format!("/model/{}", "secret ".repeat(20)), "wrong");
        assert_eq!(mistake.to_string(), "/model/(140 characters): wrong");
    }

    #[test]
    fn more_mistakes_than_are_told_are_said_to_be_there() {
        let many = (0..100).map(|index| Mistake::at(format!("/{index:03}"), "wrong")).collect();
        let told = in_order(many);
        assert_eq!(told.len(), MISTAKES_MAX);
        assert!(told.last().is_some_and(|last| last.message.contains("more mistakes")));
    }
}
