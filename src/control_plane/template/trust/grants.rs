//! `trust.toml`: what each key is trusted with. Pure.
//!
//! ```toml
//! [keys.release]
//! schemes = ["factory-v1"]            # or "legacy", the predecessor's form
//! templates = ["team-a-*", "base"]    # names that it may sign
//! not_before = 2026-01-01T00:00:00Z   # an RFC 3339 time, with or without quotes
//! not_after = "2027-01-01T00:00:00Z"
//! revokes = true                      # whether it may sign the list of revocations
//! ```
//!
//! A key that is not listed is trusted with nothing, and a file with any mistake trusts nobody: half a restriction is worse than
//! none that work.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::control_plane::template::format::mistake::{MISTAKES_MAX, Mistake, Place};
use crate::domain::clock::Timestamp;
use crate::domain::name::KeyId;

use super::pattern::Pattern;
use super::signature::Scheme;

/// The largest `trust.toml`, in bytes: 1,024 keys with some patterns each.
pub const TRUST_FILE_BYTES_MAX: usize = 512 * 1024;
/// The most patterns of one key.
pub const PATTERNS_MAX: usize = 256;
/// The most keys that may sign in the legacy form. Its signatures name no key, so that each of these is tried.
pub const LEGACY_KEYS_MAX: usize = 16;

/// What a key is trusted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The forms that it may sign in.
    pub schemes: BTreeSet<Scheme>,
    /// The names of templates that it may sign.
    pub templates: Vec<Pattern>,
    /// The first instant at which it is trusted.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it is not trusted any more.
    pub not_after: Option<Timestamp>,
    /// Whether it may sign the list of revocations.
    pub revokes: bool,
}

impl Grant {
    /// What every key is trusted with where there is no `trust.toml`: any template in form v1, and revocations.
    #[must_use]
    pub fn without_a_file() -> Self {
        Self { revokes: true, ..Self::default() }
    }

    /// The instants at which the trust begins or ends.
    pub(super) fn boundaries(&self) -> impl Iterator<Item = Timestamp> {
        self.not_before.into_iter().chain(self.not_after)
    }
}

impl Default for Grant {
    /// What a listed key is trusted with where its entry says nothing.
    fn default() -> Self {
        Self {
            schemes: BTreeSet::from([Scheme::V1]),
            templates: vec![Pattern::any()],
            not_before: None,
            not_after: None,
            revokes: false,
        }
    }
}

/// A listed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) grant: Grant,
    /// Whether the entry itself says which forms.
    pub(super) names_schemes: bool,
}

/// Reads a `trust.toml`; gives all its mistakes, at most [`MISTAKES_MAX`].
pub(super) fn parse(text: &str) -> Result<BTreeMap<KeyId, Entry>, Vec<Mistake>> {
    let mut reading = Reading { text, mistakes: Vec::new() };
    if text.len() > TRUST_FILE_BYTES_MAX {
        return Err(vec![Mistake::at("", format!("larger than {TRUST_FILE_BYTES_MAX} bytes"))]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reading.refuse("", error.span().map_or(0, |span| span.start), error.message());
    }
    let mut entries = BTreeMap::new();
    for (key, value) in document.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("keys", DeValue::Table(keys)) => {
                entries.extend(keys.iter().filter_map(|(id, entry)| reading.key(id, entry)))
            }
            ("keys", _) => reading.refuse("keys", value.span().start, "must be tables, [keys.ID]"),
            (other, _) => reading.refuse(other, key.span().start, "is unknown; expected [keys.ID]"),
        }
    }
    let legacy = entries.values().filter(|entry: &&Entry| entry.grant.schemes.contains(&Scheme::Legacy)).count();
    if legacy > LEGACY_KEYS_MAX {
        let message = format!("{legacy} keys may sign in the legacy form; at most {LEGACY_KEYS_MAX} may");
        reading.refuse("keys", 0, &message);
    }
    reading.mistakes.truncate(MISTAKES_MAX);
    if reading.mistakes.is_empty() { Ok(entries) } else { Err(reading.mistakes) }
}

struct Reading<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn refuse(&mut self, path: &str, offset: usize, message: &str) {
        self.mistakes.push(Mistake::at(path, message).placed(Some(Place::of(self.text, offset))));
    }

    fn key(&mut self, id: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Option<(KeyId, Entry)> {
        let path = format!("keys.{}", id.get_ref());
        let parsed = id.get_ref().parse::<KeyId>();
        if let Err(fault) = &parsed {
            self.refuse(&path, id.span().start, &fault.to_string());
        }
        let DeValue::Table(fields) = value.get_ref() else {
            self.refuse(&path, value.span().start, "must be a table");
            return None;
        };
        let mut grant = Grant::default();
        let mut names_schemes = false;
        for (key, value) in fields {
            let at = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "schemes" => {
                    names_schemes = true;
                    grant.schemes = self.schemes(&at, value);
                }
                "templates" => grant.templates = self.templates(&at, value),
                "not_before" => grant.not_before = self.time(&at, value),
                "not_after" => grant.not_after = self.time(&at, value),
                "revokes" => grant.revokes = self.boolean(&at, value),
                _ => self.refuse(
                    &at,
                    key.span().start,
                    "is unknown; expected schemes, templates, not_before, not_after or revokes",
                ),
            }
        }
        if grant.not_before.zip(grant.not_after).is_some_and(|(from, until)| from >= until) {
            self.refuse(&path, id.span().start, "not_before must lie before not_after");
        }
        parsed.ok().map(|id| (id, Entry { grant, names_schemes }))
    }

    fn list<T>(
        &mut self,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        count_max: usize,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let DeValue::Array(items) = value.get_ref() else {
            self.refuse(path, value.span().start, "must be a list of texts");
            return Vec::new();
        };
        if items.is_empty() || items.len() > count_max {
            self.refuse(path, value.span().start, &format!("must have 1 to {count_max} items"));
        }
        let mut found = Vec::new();
        for item in items.iter() {
            let DeValue::String(text) = item.get_ref() else {
                self.refuse(path, item.span().start, "must be a list of texts");
                continue;
            };
            match read(text) {
                Ok(item) => found.push(item),
                Err(reason) => self.refuse(path, item.span().start, &reason),
            }
        }
        found
    }

    fn schemes(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> BTreeSet<Scheme> {
        let read = |word: &str| {
            Scheme::from_word(word).ok_or_else(|| "is unknown; expected \"factory-v1\" or \"legacy\"".to_owned())
        };
        self.list(path, value, 2, read).into_iter().collect()
    }

    fn templates(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Vec<Pattern> {
        self.list(path, value, PATTERNS_MAX, |text| text.parse().map_err(|fault| format!("{fault}")))
    }

    /// A time in quotes, or TOML's own with an offset.
    fn time(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Timestamp> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => {
                String::new()
            }
        };
        let time = text.parse().ok();
        if time.is_none() {
            let message = "must be an RFC 3339 time with its offset, such as 2027-01-01T00:00:00Z";
            self.refuse(path, value.span().start, message);
        }
        time
    }

    fn boolean(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> bool {
        let DeValue::Boolean(boolean) = value.get_ref() else {
            self.refuse(path, value.span().start, "must be true or false");
            return false;
        };
        *boolean
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(id: &str) -> KeyId {
        id.parse().expect("a key id")
    }

    #[test]
    fn an_entry_that_says_nothing_is_trusted_with_v1_for_every_template_and_revokes_nothing() {
        let entries = parse("[keys.ops]").expect("good");
        assert_eq!(entries[&id("ops")], Entry { grant: Grant::default(), names_schemes: false });
        let grant = Grant::default();
        assert!(!grant.revokes && grant.schemes == BTreeSet::from([Scheme::V1]));
        assert!(grant.templates[0].fits(&"anything".parse().expect("a name")));
        assert_eq!(parse(""), Ok(BTreeMap::new()));
    }

    #[test]
    fn every_field_is_read() {
        let text = "[keys.\"old.one\"]\nschemes = [\"legacy\", \"factory-v1\"]\ntemplates = [\"a-*\", \"b\"]\n\
            not_before = 2026-01-01T00:00:00+01:00\nnot_after = \"2027-01-01T00:00:00Z\"\nrevokes = true\n";
        let entry = &parse(text).expect("good")[&id("old.one")];
        let time = |text: &str| text.parse::<Timestamp>().ok();
        assert_eq!(entry.grant.schemes.len(), 2);
        assert_eq!(entry.grant.not_before, time("2025-12-31T23:00:00Z"));
        assert_eq!(entry.grant.not_after, time("2027-01-01T00:00:00Z"));
        assert!(entry.grant.revokes && entry.names_schemes);
        let fits = |name: &str| entry.grant.templates.iter().any(|p| p.fits(&name.parse().expect("a name")));
        assert_eq!([fits("a-1"), fits("b"), fits("c")], [true, true, false]);
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let text = "keyring = 1\n[keys.a]\nschemes = [\"v2\", 3]\nnot_before = \"soon\"\nrevoke = true\n\
            [keys.b]\ntemplates = []\nrevokes = \"yes\"\nnot_after = 2027-01-01\n\
            [keys.c]\nnot_before = 2027-01-01T00:00:00Z\nnot_after = 2026-01-01T00:00:00Z\ntemplates = [\"a/b\"]\n\
            [keys.\"../x\"]\n";
        let told: Vec<String> = parse(text).expect_err("mistakes").iter().map(ToString::to_string).collect();
        for expected in [
            "line 1, column 1: keyring",
            "line 3, column 12: keys.a.schemes: is unknown",
            "line 3, column 18: keys.a.schemes",
            "line 4, column 14: keys.a.not_before",
            "line 5, column 1: keys.a.revoke: is unknown",
            "line 7, column 13: keys.b.templates",
            "line 8, column 11: keys.b.revokes",
            "line 9, column 13: keys.b.not_after",
            "keys.c: not_before must lie before",
            "keys.c.templates: not a pattern",
            "keys.../x: not a key id",
        ] {
            assert!(told.iter().any(|mistake| mistake.contains(expected)), "{expected}: {told:#?}");
        }
        assert!(parse("[keys.a").expect_err("mistakes")[0].place.is_some());
        assert!(parse("[keys.a]\n[keys.a]").is_err());
    }

    #[test]
    fn legacy_keys_are_bounded() {
        let keys =
            |count: usize| (0..count).map(|n| format!("[keys.k{n}]\nschemes = [\"legacy\"]\n")).collect::<String>();
        assert!(parse(&keys(LEGACY_KEYS_MAX)).is_ok());
        assert!(parse(&keys(LEGACY_KEYS_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\[keys\\.[a-z\"]{0,3}\\]|schemes|templates|not_after|[ =\\n\\[\\]\"a-z0-9:TZ-]){0,40}") {
            let _result = parse(&text);
        }
    }
}
