//! Restores a text that comes in pieces. Pure.
//!
//! A pseudonym can be cut by the seam between two pieces. What is held back is the last word: the run of characters that
//! pseudonyms and their brackets are made of, at the end, and of that no more than the longest pseudonym with what decides about it.
//!
//! INVARIANT: what all pieces give, joined, is what [`Vault::restore`] makes of the whole.

use super::vault::{Names, Vault};

/// A text on its way to whom it is for.
#[derive(Debug)]
pub struct Restorer {
    /// None where there is nothing to restore.
    names: Option<Names>,
    held: String,
}

impl Restorer {
    /// Restores with this vault.
    #[must_use]
    pub fn new(vault: &Vault) -> Self {
        Self { names: vault.names(), held: String::new() }
    }

    /// Takes a piece, and gives what can be told by now.
    pub fn take(&mut self, piece: &str) -> String {
        let Some(names) = &self.names else { return piece.to_owned() };
        self.held.push_str(piece);
        let decided = safe(&self.held, names.reach());
        if decided == 0 {
            return String::new();
        }
        let (told, end) = names.restore(&self.held, decided);
        self.held.drain(..end);
        told
    }

    /// Gives what was held back; nothing more comes.
    #[must_use]
    pub fn finish(self) -> String {
        match &self.names {
            Some(names) => names.restore(&self.held, self.held.len()).0,
            None => self.held,
        }
    }
}

/// Where the last run of characters that pseudonyms are made of begins, or the last `reach` of it.
fn safe(held: &str, reach: usize) -> usize {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'<' | b'>');
    let run = held.bytes().rev().take(reach).take_while(is_of_name).count();
    held.len().saturating_sub(run)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault() -> Vault {
        let mut vault = Vault::default();
        vault.keep("EMAIL_ADDRESS_3f9a2c71".to_owned(), "jean@example.fr");
        vault.keep("EMAIL_ADDRESS_3f9a2c7144aa".to_owned(), "Jean@example.fr");
        vault.keep("PHONE_NUMBER_00ff00ff".to_owned(), "01 23 45 67 89");
        vault
    }

    #[test]
    fn a_text_without_pseudonyms_is_not_held_back() {
        assert_eq!(Restorer::new(&Vault::default()).take("EMAIL_ADD"), "EMAIL_ADD");
    }

    #[test]
    fn only_the_last_word_is_held_back() {
        let mut restorer = Restorer::new(&vault());
        assert_eq!(restorer.take("Write to <EMAIL_ADDRESS_3f9"), "Write to ");
        assert_eq!(restorer.take("a2c71> or"), "jean@example.fr ");
        assert_eq!(restorer.take(" call"), "or ");
        assert_eq!(restorer.finish(), "call");
    }

    #[test]
    fn of_a_word_without_end_no_more_is_held_back_than_a_pseudonym_is_long() {
        let (mut restorer, mut told) = (Restorer::new(&vault()), String::new());
        for _ in 0..1_000 {
            told.push_str(&restorer.take("abcdef"));
            assert!(restorer.held.len() <= "EMAIL_ADDRESS_3f9a2c7144aa".len() + 2);
        }
        assert_eq!(told + &restorer.finish(), "abcdef".repeat(1_000));
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "<EMAIL_ADDRESS_3f9a2c71>", "EMAIL_ADDRESS_3f9a2c7144aa", "email_address_3F9A2C71", "phone_number_00ff00ff",
                    "<", ">", "<<", "EMAIL_", "a", " ", "é", "3f", "_", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                ]),
                0..24,
            ),
            seams in proptest::collection::vec(1_usize..40, 1..40),
        ) {
            let whole: String = words.concat();
            let (mut restorer, mut told, mut rest) = (Restorer::new(&vault()), String::new(), whole.as_str());
            for seam in seams.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let at = (*seam..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
                let (piece, after) = rest.split_at(at);
                told.push_str(&restorer.take(piece));
                rest = after;
            }
            told.push_str(&restorer.finish());
            let restored = vault().restore(&whole.as_str().into());
            prop_assert_eq!(told.as_str(), restored.expose());
        }
    }
}
