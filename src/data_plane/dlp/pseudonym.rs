//! Pseudonyms: names that stand for found values, made from the values with a key. Pure.
//!
//! A pseudonym is `<EMAIL_ADDRESS_3f9a2c71>`: the kind in capitals, so that a model knows what it talks about, and lowercase
//! hexadecimal; every character is one that models copy, and none that JSON escapes. Its digits are a keyed hash of tenant, kind
//! and normalised value, so that the same value has the same pseudonym in every text of a tenant, after a crash too, and
//! without the key nobody can try values. A value that is not written in its normal form gets more digits for its spelling:
//! what is restored is what was written.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::finding::Kind;
use crate::domain::entity::NormalForm;
use crate::domain::name::Tenant;
use crate::domain::private::Text;

/// Digits of a pseudonym that tell values apart; two values of one text that share them get more.
const DIGITS: usize = 8;

/// Digits that tell spellings of one value apart.
const SPELLING_DIGITS: usize = 4;

/// Digits that are added where a pseudonym is taken.
const MORE_DIGITS: usize = 8;

/// Digits of a hash that stands for a value for good.
const HASH_DIGITS: usize = 32;

/// The daemon's secret under which pseudonyms and hashes are made. Neither `Debug` nor anything else prints it.
#[derive(Clone)]
pub struct PseudonymKey([u8; Self::BYTES]);

impl PseudonymKey {
    /// The length of a key.
    pub const BYTES: usize = 32;

    /// A key from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<pseudonym key>")
    }
}

/// Makes the pseudonyms of one tenant.
#[derive(Debug, Clone)]
pub struct Pseudonyms {
    key: PseudonymKey,
    tenant: Tenant,
}

impl Pseudonyms {
    /// Those that `tenant` has under `key`.
    #[must_use]
    pub fn new(key: PseudonymKey, tenant: Tenant) -> Self {
        Self { key, tenant }
    }

    /// The name inside the angle brackets; each `attempt` beyond the first has more digits.
    pub(super) fn name(&self, kind: Kind, original: &str, attempt: u8) -> String {
        let normal = normalise(kind, original);
        let mut digits = prefix_of(&self.digest("value", kind, &normal), DIGITS);
        if normal != original || attempt > 0 {
            let more = usize::from(attempt).saturating_mul(MORE_DIGITS).saturating_add(SPELLING_DIGITS);
            digits.push_str(&prefix_of(&self.digest("spelling", kind, original), more));
        }
        format!("{kind}_{digits}")
    }

    /// What stands for a value for good.
    pub(super) fn hash(&self, kind: Kind, original: &str) -> String {
        let digits = prefix_of(&self.digest("hash", kind, &normalise(kind, original)), HASH_DIGITS);
        format!("<{kind}_HASH_{digits}>")
    }

    /// A keyed hash of texts in their order, by which leave for them is told from leave for others.
    pub(super) fn digest_of<'t>(&'t self, texts: impl Iterator<Item = &'t Text>) -> Option<[u8; 32]> {
        self.hashed(["factory-dlp-v1", "texts", self.tenant.as_str()].into_iter().chain(texts.map(Text::expose)))
    }

    /// The keyed hash of a value, in hexadecimal.
    fn digest(&self, purpose: &str, kind: Kind, value: &str) -> String {
        let parts = ["factory-dlp-v1", purpose, self.tenant.as_str(), kind.as_str(), value];
        self.hashed(parts.into_iter()).map(hex::encode).unwrap_or_default()
    }

    /// The keyed hash of parts. Each is preceded by its length, so that no two lists of parts are alike.
    fn hashed<'p>(&self, parts: impl Iterator<Item = &'p str>) -> Option<[u8; 32]> {
        // A key of any length is taken; the result is an error in type only.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).ok()?;
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(mac.finalize().into_bytes().into())
    }
}

fn prefix_of(digits: &str, length: usize) -> String {
    digits.get(..length).unwrap_or(digits).to_owned()
}

/// A value without what differs between its spellings.
fn normalise(kind: Kind, value: &str) -> String {
    match kind.normal_form() {
        NormalForm::AsWritten => value.to_owned(),
        NormalForm::Lowercase => value.to_lowercase(),
        NormalForm::Digits => value.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
        NormalForm::Letters => {
            value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
        }
        NormalForm::Words => value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonyms(key: u8, tenant: &str) -> Pseudonyms {
        Pseudonyms::new(PseudonymKey::from_bytes([key; 32]), tenant.parse().expect("a tenant"))
    }

    #[test]
    fn pseudonyms_depend_on_key_tenant_kind_and_value_only() {
        let name = pseudonyms(1, "acme").name(Kind::EMAIL_ADDRESS, "jean@example.fr", 0);
        assert_eq!(name, pseudonyms(1, "acme").name(Kind::EMAIL_ADDRESS, "jean@example.fr", 0));
        assert_eq!(name.len(), "EMAIL_ADDRESS_".len() + DIGITS);
        for other in [
            pseudonyms(2, "acme").name(Kind::EMAIL_ADDRESS, "jean@example.fr", 0),
            pseudonyms(1, "other").name(Kind::EMAIL_ADDRESS, "jean@example.fr", 0),
            pseudonyms(1, "acme").name(Kind::PHONE_NUMBER, "jean@example.fr", 0),
            pseudonyms(1, "acme").name(Kind::EMAIL_ADDRESS, "jeanne@example.fr", 0),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn spellings_of_one_value_share_their_first_digits() {
        let acme = pseudonyms(1, "acme");
        let plain = acme.name(Kind::CREDIT_CARD, "4111111111111111", 0);
        let spaced = acme.name(Kind::CREDIT_CARD, "4111 1111 1111 1111", 0);
        assert!(spaced.starts_with(&plain) && spaced != plain);
        assert_eq!(
            acme.hash(Kind::CREDIT_CARD, "4111111111111111"),
            acme.hash(Kind::CREDIT_CARD, "4111 1111 1111 1111")
        );
    }

    #[test]
    fn further_attempts_have_more_digits() {
        let acme = pseudonyms(1, "acme");
        let names: Vec<String> = (0..4).map(|attempt| acme.name(Kind::IBAN_CODE, "x", attempt)).collect();
        assert!(names.windows(2).all(|pair| pair[0].len() < pair[1].len()), "{names:?}");
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", PseudonymKey::from_bytes([7; 32])), "<pseudonym key>");
    }
}
