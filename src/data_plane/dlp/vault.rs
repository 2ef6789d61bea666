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
        match self.names() {
            Some(names) => names.restore(text.expose(), text.len()).0.into(),
            None => text.clone(),
        }
    }

    /// What finds the names; none where there are none.
    pub(super) fn names(&self) -> Option<Names> {
        let longest = self.originals.keys().map(String::len).max()?;
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(self.originals.keys());
        // More pseudonyms than an automaton can hold do not fit into any text that is taken.
        Some(Names { automaton: automaton.ok()?, originals: self.originals.values().cloned().collect(), longest })
    }
}

/// Finds the names of a vault, and knows what stands behind them.
pub(super) struct Names {
    automaton: AhoCorasick,
    /// In the automaton's order.
    originals: Vec<Arc<str>>,
    /// The length of the longest name, in bytes.
    longest: usize,
}

impl Names {
    /// From a name's first byte to where everything is known that decides about it, in bytes, with the bracket before it.
    pub(super) fn reach(&self) -> usize {
        self.longest.saturating_add(2)
    }

    /// Puts originals back for the names that begin before `decided`, and gives the text so far, and where it goes on.
    pub(super) fn restore(&self, text: &str, decided: usize) -> (String, usize) {
        let mut restored = String::with_capacity(text.len());
        let (mut copied, mut decided) = (0, decided);
        for found in self.automaton.find_iter(text) {
            let opened = text.get(copied..found.start()).is_some_and(|before| before.ends_with('<'));
            if found.start() >= decided {
                let bracket = usize::from(opened && found.start() == decided);
                decided = decided.saturating_sub(bracket);
                break;
            }
            decided = decided.max(found.end());
            let after = text.get(found.end()..).unwrap_or_default();
            let bracketed = opened && after.starts_with('>');
            // Inside a longer name it is another one, perhaps of another conversation.
            let longer = after.starts_with(|c: char| c.is_ascii_hexdigit());
            let (start, end) = match bracketed {
                true => (found.start().saturating_sub(1), found.end().saturating_add(1)),
                false if longer => continue,
                false => (found.start(), found.end()),
            };
            if let (Some(between), Some(original)) =
                (text.get(copied..start), self.originals.get(found.pattern().as_usize()))
            {
                restored.push_str(between);
                restored.push_str(original);
                copied = end;
            }
        }
        let end = decided.max(copied);
        restored.push_str(text.get(copied..end).unwrap_or_default());
        (restored, end)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<names of {}>", self.originals.len())
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
