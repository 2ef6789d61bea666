//! Checkpoints as signed notes (pure): the forms of C2SP, [tlog-checkpoint] and [signed-note], so that other people's tools read
//! them.
//!
//! ```text
//! agent-factory/audit/9f3c…              the origin: which log
//! 1042                                   how many entries
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2…=     the Merkle root over them
//!
//! — agent-factory/audit/9f3c… Az3grl…=   the name again, 4 bytes of the key's hash and its Ed25519 signature
//! ```
//!
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [signed-note]: https://c2sp.org/signed-note

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use super::key::{AuditKey, PublicKey, Signature};
use super::merkle::{self, Hash};

/// The longest note that is read, in bytes. Others may have added their signatures.
pub const NOTE_BYTES_MAX: usize = 16 * 1_024;
/// What the name of every log begins with.
const ORIGIN: &str = "agent-factory/audit/";
/// Before each signature: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// The algorithm byte of Ed25519 in signed notes.
const ED25519: u8 = 1;
/// Bytes of a key's hash before its signature.
const KEY_HASH_BYTES: usize = 4;

/// What a checkpoint says: the log had so many entries, and this is their root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many entries; the sequence of the last of them.
    pub size: u64,
    /// Their Merkle root.
    pub root: Hash,
}

/// The name of a log: `agent-factory/audit/` and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Arc<str>);

/// Why a text is not a checkpoint of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It has not the form of a signed checkpoint.
    #[error("it is no signed checkpoint")]
    Form,
    /// No signature in it is of this key.
    #[error("it is not signed by this key")]
    OtherKey,
    /// The key's signature does not fit the text.
    #[error("its signature does not fit what it says")]
    Signature,
}

impl Origin {
    /// The log that a key signs: its id is made of the key, so that there is one log to a key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(format!("{ORIGIN}{}", key.log_id()).into())
    }

    /// The name as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Checkpoint {
    /// What is signed: three lines, each with its end.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, merkle::to_base64(&self.root))
    }

    /// The checkpoint as a note, signed. The origin is the key's own.
    #[must_use]
    pub fn sign(size: u64, root: Hash, key: &AuditKey) -> String {
        let public = key.public();
        let checkpoint = Self { origin: Origin::of(&public), size, root };
        let text = checkpoint.text();
        let signature = key.sign_note(&text);
        let blob = [key_hash(checkpoint.origin.as_str(), &public).as_slice(), signature.as_bytes()].concat();
        format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", checkpoint.origin, BASE64.encode(blob))
    }

    /// Reads a note and checks the signature of this key; signatures of others are passed over, as signed-note asks.
    ///
    /// # Errors
    /// It is not a checkpoint, or not one of this key.
    pub fn verify(note: &str, key: &PublicKey) -> Result<Self, Fault> {
        let (checkpoint, text, signatures) = parse(note).ok_or(Fault::Form)?;
        let (name, hash) = (checkpoint.origin.as_str(), key_hash(checkpoint.origin.as_str(), key));
        if checkpoint.origin != Origin::of(key) {
            return Err(Fault::OtherKey);
        }
        let own = signatures.iter().filter(|signed| signed.name == name && signed.blob.starts_with(&hash));
        let mut own = own.map(|signed| signed.blob.get(KEY_HASH_BYTES..).and_then(Signature::from_slice));
        match own.next() {
            None => Err(Fault::OtherKey),
            Some(Some(signature)) if key.fits_note(text, &signature) => Ok(checkpoint),
            Some(_) => Err(Fault::Signature),
        }
    }

    /// Reads what a note says without believing it.
    #[must_use]
    pub fn unverified(note: &str) -> Option<Self> {
        parse(note).map(|(checkpoint, ..)| checkpoint)
    }
}

/// The key as tools for signed notes are given it: `name+hash+key`.
#[must_use]
pub fn verifier_key(key: &PublicKey) -> String {
    let name = Origin::of(key);
    let hash = hex::encode(key_hash(name.as_str(), key));
    format!("{name}+{hash}+{}", BASE64.encode([&[ED25519], key.as_bytes().as_slice()].concat()))
}

/// The first bytes of `SHA-256(name ‖ 0x0a ‖ 0x01 ‖ key)`.
fn key_hash(name: &str, key: &PublicKey) -> [u8; KEY_HASH_BYTES] {
    let mut hash = Sha256::new();
    hash.update(name);
    hash.update([b'\n', ED25519]);
    hash.update(key.as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    [a, b, c, d]
}

struct Signed<'a> {
    name: &'a str,
    blob: Vec<u8>,
}

/// A note in its parts: what it says, the text that is signed, the signatures.
fn parse(note: &str) -> Option<(Checkpoint, &str, Vec<Signed<'_>>)> {
    if note.len() > NOTE_BYTES_MAX {
        return None;
    }
    // The last empty line divides the text from the signatures.
    let end = note.rfind("\n\n")?.checked_add(1)?;
    let (text, rest) = note.split_at_checked(end)?;
    let signatures = rest.strip_prefix('\n')?.strip_suffix('\n')?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let id = origin.strip_prefix(ORIGIN)?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size: u64 = Some(size).filter(|size| is_decimal(size))?.parse().ok()?;
    let root = merkle::from_base64(root)?;
    let checkpoint = Checkpoint { origin: Origin(origin.into()), size, root };
    // Lines beyond the three, which the form allows, are none of ours.
    let is_ours = is_id && checkpoint.text() == text;
    let signatures: Option<Vec<_>> = signatures.split('\n').map(signed).collect();
    is_ours.then_some((checkpoint, text, signatures?))
}

fn signed(line: &str) -> Option<Signed<'_>> {
    let (name, blob) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
    let blob = BASE64.decode(blob).ok()?;
    (!name.is_empty() && blob.len() > KEY_HASH_BYTES).then_some(Signed { name, blob })
}

/// Whether a number is written in its only form.
fn is_decimal(text: &str) -> bool {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::super::key::SIGNATURE_BYTES;
    use super::*;

    fn key(seed: u8) -> AuditKey {
        AuditKey::from_seed([seed; 32])
    }

    #[test]
    fn a_checkpoint_has_the_form_of_a_signed_note() {
        let note = Checkpoint::sign(7, [9; 32], &key(1));
        let origin = Origin::of(&key(1).public());
        let lines: Vec<_> = note.lines().collect();
        assert_eq!(&lines[..4], [origin.as_str(), "7", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=", ""]);
        let blob = lines[4].strip_prefix("— ").and_then(|line| line.split_once(' ')).expect("a signature");
        assert_eq!(
            (blob.0, BASE64.decode(blob.1).expect("base64").len()),
            (origin.as_str(), KEY_HASH_BYTES + SIGNATURE_BYTES)
        );
        assert!(note.ends_with('\n') && lines.len() == 5);
        let read = Checkpoint::verify(&note, &key(1).public()).expect("fits");
        assert_eq!((read.size, read.root), (7, [9; 32]));
    }

    #[test]
    fn the_key_is_told_as_tools_for_notes_take_it() {
        let told = verifier_key(&key(1).public());
        let parts: Vec<_> = told.splitn(3, '+').collect();
        assert_eq!(parts[0], Origin::of(&key(1).public()).as_str());
        assert_eq!(parts[1].len(), 8);
        assert_eq!(BASE64.decode(parts[2]).expect("base64").len(), 33);
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let (note, public) = (Checkpoint::sign(1_042, [9; 32], &key(1)), key(1).public());
        for at in 0..note.len() {
            for value in 0..=255_u8 {
                let mut changed = note.clone().into_bytes();
                if changed[at] != value {
                    changed[at] = value;
                    let held = String::from_utf8(changed).is_ok_and(|note| Checkpoint::verify(&note, &public).is_ok());
                    assert!(!held, "byte {at} to {value}");
                }
            }
            if note.is_char_boundary(at) {
                assert!(Checkpoint::verify(&note[..at], &public).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_note_of_another_key_is_told_apart() {
        let note = Checkpoint::sign(7, [9; 32], &key(2));
        assert_eq!(Checkpoint::verify(&note, &key(1).public()), Err(Fault::OtherKey));
        assert_eq!(Checkpoint::unverified(&note).map(|note| note.size), Some(7));
    }

    #[test]
    fn signatures_of_witnesses_are_passed_over() {
        let own = Checkpoint::sign(7, [9; 32], &key(1));
        let witness = format!("— example.org/witness {}\n", BASE64.encode([3; 76]));
        for (note, fits) in [
            (format!("{own}{witness}"), true),
            (own.replacen("\n\n", &format!("\n\n{witness}"), 1), true),
            (format!("{own}junk\n"), false),
            (format!("{own}\n"), false),
        ] {
            assert_eq!(Checkpoint::verify(&note, &key(1).public()).is_ok(), fits, "{note}");
        }
    }
}
