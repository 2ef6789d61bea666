//! The vault: which original stands behind which pseudonym, in memory only. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::document::is_json;
use crate::domain::private::Text;

/// Originals by the names of their pseudonyms. `Debug` prints how many there are.
///
/// Restoring finds names in either case and with or without their angle brackets, for models change the one and drop the other.
/// It is one pass: what was put back is not looked at again, and a text without pseudonyms stays as it is.
#[derive(Clone, Default)]
pub struct Vault {
    originals: BTreeMap<String, Arc<str>>,
}

impl Vault {
    /// How many pseudonyms it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.originals.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    /// The original behind a pseudonym's name.
    pub(super) fn original(&self, name: &str) -> Option<&str> {
        self.originals.get(name).map(AsRef::as_ref)
    }

    /// Keeps the original behind a pseudonym's name.
    pub(super) fn keep(&mut self, name: String, original: &str) {
        let _kept = self.originals.entry(name).or_insert_with(|| original.into());
    }

    /// Takes in what another vault knows. Where both know a name, this one's original stays.
    pub fn merge(&mut self, other: &Self) {
        for (name, original) in &other.originals {
            let _kept = self.originals.entry(name.clone()).or_insert_with(|| Arc::clone(original));
        }
    }

    /// Puts the originals back into a text of JSON, escaped so that it stays one; into any other text as [`Self::restore`] does.
    #[must_use]
    pub fn restore_json(&self, text: &Text) -> Text {
        if self.is_empty() || !is_json(text.expose()) {
            return self.restore(text);
        }
        let escaped = |original: &Arc<str>| {
            let quoted = serde_json::to_string(&**original).unwrap_or_default();
            let inner = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"'));
            inner.unwrap_or_default().into()
        };
        let escape = |(name, original): (&String, &Arc<str>)| (name.clone(), escaped(original));
        Self { originals: self.originals.iter().map(escape).collect() }.restore(text)
    }

    /// Puts the originals back into a text.
    #[must_use]
    pub fn restore(&self, text: &Text) -> Text {
        if self.is_empty() {
            return text.clone();
        }
        let names = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(self.originals.keys());
        // More pseudonyms than an automaton can hold do not fit into any text that is taken.
        let Ok(names) = names else { return text.clone() };
        let originals: Vec<&Arc<str>> = self.originals.values().collect();
        let text = text.expose();
        let mut restored = String::with_capacity(text.len());
        let mut copied = 0;
        for found in names.find_iter(text) {
            let bracketed = text.get(..found.start()).is_some_and(|before| before.ends_with('<'))
                && text.get(found.end()..).is_some_and(|after| after.starts_with('>'));
            // Inside a longer name it is another one, perhaps of another conversation.
            let longer =
                text.get(found.end()..).is_some_and(|after| after.starts_with(|c: char| c.is_ascii_hexdigit()));
            let (start, end) = match bracketed {
                true => (found.start().saturating_sub(1), found.end().saturating_add(1)),
                false if longer => continue,
                false => (found.start(), found.end()),
            };
            if let (Some(between), Some(original)) =
                (text.get(copied..start), originals.get(found.pattern().as_usize()))
            {
                restored.push_str(between);
                restored.push_str(original);
                copied = end;
            }
        }
        restored.push_str(text.get(copied..).unwrap_or_default());
        restored.into()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<vault of {}>", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(pairs: &[(&str, &str)]) -> Vault {
        let mut vault = Vault::default();
        for (name, original) in pairs {
            vault.keep((*name).to_owned(), original);
        }
        vault
    }

    #[test]
    fn originals_are_put_back_however_models_write_the_pseudonym() {
        let vault =
            vault(&[("EMAIL_ADDRESS_3f9a2c71", "jean@example.fr"), ("EMAIL_ADDRESS_3f9a2c7144aa", "Jean@example.fr")]);
        for (text, expected) in [
            ("Dear <EMAIL_ADDRESS_3f9a2c71>,", "Dear jean@example.fr,"),
            ("Dear EMAIL_ADDRESS_3F9A2C71,", "Dear jean@example.fr,"),
            ("<email_address_3f9a2c71>", "jean@example.fr"),
            ("<EMAIL_ADDRESS_3f9a2c7144aa>", "Jean@example.fr"),
            ("<<EMAIL_ADDRESS_3f9a2c71>>", "<jean@example.fr>"),
            ("é<EMAIL_ADDRESS_3f9a2c71", "é<jean@example.fr"),
            ("<EMAIL_ADDRESS_3f9a2c71ff>", "<EMAIL_ADDRESS_3f9a2c71ff>"),
            ("<EMAIL_ADDRESS_00000000>", "<EMAIL_ADDRESS_00000000>"),
        ] {
            assert_eq!(vault.restore(&text.into()).expose(), expected, "{text}");
        }
    }

    #[test]
    fn restoring_twice_changes_nothing_more() {
        let vault = vault(&[("EMAIL_ADDRESS_3f9a2c71", "jean@example.fr")]);
        let once = vault.restore(&"a <EMAIL_ADDRESS_3f9a2c71> b".into());
        assert_eq!(vault.restore(&once), once);
    }

    #[test]
    fn merging_keeps_what_is_known() {
        let mut one = vault(&[("A_1", "a")]);
        one.merge(&vault(&[("A_1", "x"), ("B_2", "b")]));
        assert_eq!(one.restore(&"<A_1> <B_2>".into()).expose(), "a b");
    }

    #[test]
    fn nothing_of_it_is_printed() {
        assert_eq!(format!("{:?}", vault(&[("A_1", "secret")])), "<vault of 1>");
    }
}
