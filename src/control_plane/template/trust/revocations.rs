//! The list of revoked keys: `revoked.json`, signed in `revoked.json.sig`. Pure.
//!
//! ```json
//! {"version": 2, "revoked": [
//!   {"key_id": "release", "spki_sha256": "…", "revoked_at": "2026-11-20T10:00:00Z", "reason": "laptop stolen"}]}
//! ```
//!
//! Its version only rises and each list holds all of the earlier one, so that nobody brings a revoked key back with an old list.
//! The signature has form v1 over a message of another purpose than a template's. A key never signs a list that revokes it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::control_plane::template::format::document;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, KeyId};

use super::signature::Algorithm;

/// The list's file, beside the keys.
pub const REVOCATIONS_FILE: &str = "revoked.json";
/// The most revoked keys.
pub const REVOCATIONS_MAX: usize = 1_024;
/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 256;
/// The largest list, in bytes: 1,024 entries of at most 640 bytes, with room for layout.
pub const REVOCATIONS_BYTES_MAX: usize = 1024 * 1024;
/// The first line of the signed message.
const PURPOSE: &str = "agent-factory/revocations/v1";

/// One revoked key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its id: no key of this name is trusted any more.
    pub key_id: Option<KeyId>,
    /// Its fingerprint: this key is not trusted under any name.
    pub spki_sha256: Option<Digest>,
    /// When it was revoked. Told to people; the revocation holds from the moment it is read.
    pub revoked_at: Timestamp,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A list as read; nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    version: u64,
    revoked: Vec<Revocation>,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u64,
    revoked: Vec<WrittenEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spki_sha256: Option<String>,
    revoked_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How a list stands to the one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is the same.
    Same,
    /// It takes its place, if its signature is good.
    Newer,
}

impl Revocations {
    /// The list in force where there was never one.
    #[must_use]
    pub fn none() -> Self {
        Self { version: 0, revoked: Vec::new(), digest: Digest::from_bytes([0; 32]) }
    }

    /// Reads a list.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > REVOCATIONS_BYTES_MAX {
            return Err(format!("larger than {REVOCATIONS_BYTES_MAX} bytes"));
        }
        let digest = document::canonical_digest(bytes)
            .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let written: Written = serde_json::from_slice(bytes).map_err(|fault| fault.to_string())?;
        if written.version == 0 {
            return Err("version: must be at least 1".to_owned());
        }
        if written.revoked.len() > REVOCATIONS_MAX {
            return Err(format!("revoked: more than {REVOCATIONS_MAX} keys"));
        }
        let entry = |(index, entry)| read_entry(entry).map_err(|reason| format!("revoked/{index}: {reason}"));
        let revoked = written.revoked.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        Ok(Self { version: written.version, revoked, digest })
    }

    /// Its version; 0 where there was never a list.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The revoked keys.
    #[must_use]
    pub fn entries(&self) -> &[Revocation] {
        &self.revoked
    }

    pub(in crate::control_plane::template) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Why a key is revoked, if it is: by its name or by its fingerprint.
    #[must_use]
    pub fn of(&self, key_id: &KeyId, spki_sha256: &Digest) -> Option<&Revocation> {
        self.revoked
            .iter()
            .find(|entry| entry.key_id.as_ref() == Some(key_id) || entry.spki_sha256.as_ref() == Some(spki_sha256))
    }

    /// How this list stands to the one in force; an error says why it can never take its place.
    pub(super) fn step(&self, in_force: &Self) -> Result<Step, String> {
        if self.digest == in_force.digest {
            return Ok(Step::Same);
        }
        let (own, other) = (self.version, in_force.version);
        if own <= other {
            return Err(format!("its version is {own}, and version {other} with other content was accepted before"));
        }
        let forgotten = in_force.revoked.iter().filter(|entry| !self.revoked.contains(entry)).count();
        if forgotten > 0 {
            return Err(format!(
                "it leaves out {forgotten} of the revocations of version {other}; they cannot be taken back"
            ));
        }
        Ok(Step::Newer)
    }

    /// The list with one more key.
    ///
    /// # Errors
    /// It is full, or the version cannot be raised.
    pub(super) fn with(&self, entry: Revocation) -> Result<String, String> {
        let version = self.version.checked_add(1).ok_or("the version cannot be raised")?;
        let revoked: Vec<WrittenEntry> = self.revoked.iter().chain([&entry]).map(write_entry).collect();
        if revoked.len() > REVOCATIONS_MAX {
            return Err(format!("more than {REVOCATIONS_MAX} keys would be revoked"));
        }
        let mut text =
            serde_json::to_string_pretty(&Written { version, revoked }).map_err(|fault| fault.to_string())?;
        text.push('\n');
        Ok(text)
    }

    /// The message that this list's signature must fit.
    pub(super) fn message(&self, key_id: &KeyId, algorithm: Algorithm) -> Vec<u8> {
        format!("{PURPOSE}\n{key_id}\n{algorithm}\n{}", self.digest).into_bytes()
    }
}

impl fmt::Display for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} with {} revoked keys", self.version, self.revoked.len())
    }
}

fn read_entry(written: WrittenEntry) -> Result<Revocation, String> {
    let key_id = written.key_id.map(|id| id.parse()).transpose().map_err(|fault| format!("key_id: {fault}"))?;
    let spki_sha256 = written.spki_sha256.map(|hex| fingerprint(&hex)).transpose()?;
    if key_id.is_none() && spki_sha256.is_none() {
        return Err("names no key: key_id or spki_sha256 is needed".to_owned());
    }
    if written.reason.as_ref().is_some_and(|r| r.len() > REASON_BYTES_MAX || r.chars().any(char::is_control)) {
        return Err(format!("reason: longer than {REASON_BYTES_MAX} bytes, or with control characters"));
    }
    let revoked_at = written.revoked_at.parse().map_err(|fault| format!("revoked_at: {fault}"))?;
    Ok(Revocation { key_id, spki_sha256, revoked_at, reason: written.reason })
}

fn write_entry(entry: &Revocation) -> WrittenEntry {
    WrittenEntry {
        key_id: entry.key_id.as_ref().map(ToString::to_string),
        spki_sha256: entry.spki_sha256.as_ref().map(ToString::to_string),
        revoked_at: entry.revoked_at.to_string(),
        reason: entry.reason.clone(),
    }
}

/// A fingerprint from 64 digits of lower-case hexadecimal.
fn fingerprint(text: &str) -> Result<Digest, String> {
    let wrong = || "spki_sha256: must be 64 digits of lower-case hexadecimal".to_owned();
    let mut bytes = [0_u8; 32];
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 64 || !plain {
        return Err(wrong());
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(Digest::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(n: u64) -> Revocation {
        Revocation {
            key_id: Some(format!("k{n}").parse().expect("an id")),
            spki_sha256: n.is_multiple_of(2).then(|| Digest::from_bytes([u8::try_from(n % 256).expect("a byte"); 32])),
            revoked_at: Timestamp::from_micros(0),
            reason: None,
        }
    }

    fn list(version: u64, keys: impl IntoIterator<Item = u64>) -> Revocations {
        let revoked = keys.into_iter().map(entry).collect::<Vec<_>>();
        let written = Written { version, revoked: revoked.iter().map(write_entry).collect() };
        Revocations::parse(serde_json::to_string(&written).expect("text").as_bytes()).expect("a list")
    }

    #[test]
    fn a_list_reads_back_and_finds_a_key_by_name_or_fingerprint() {
        let text = list(1, [1]).with(Revocation { reason: Some("stolen".into()), ..entry(2) }).expect("raised");
        let read = Revocations::parse(text.as_bytes()).expect("a list");
        assert_eq!((read.version(), read.entries().len()), (2, 2));
        let (id, other) = ("k2".parse().expect("an id"), "x".parse().expect("an id"));
        let (spki, unknown) = (Digest::from_bytes([2; 32]), Digest::from_bytes([9; 32]));
        assert!(read.of(&id, &unknown).is_some_and(|entry| entry.reason.as_deref() == Some("stolen")));
        assert!(read.of(&other, &spki).is_some());
        assert!(read.of(&other, &unknown).is_none());
    }

    #[test]
    fn whatever_is_not_exactly_a_list_is_refused() {
        let at = r#""revoked_at": "2026-11-20T10:00:00Z""#;
        assert!(
            Revocations::parse(format!(r#"{{"version": 1, "revoked": [{{"key_id": "a", {at}}}]}}"#).as_bytes()).is_ok()
        );
        for bad in [
            String::new(),
            "[]".to_owned(),
            r#"{"version": 0, "revoked": []}"#.to_owned(),
            r#"{"version": -1, "revoked": []}"#.to_owned(),
            r#"{"version": 1, "version": 2, "revoked": []}"#.to_owned(),
            r#"{"version": 1, "revoked": [], "more": 1}"#.to_owned(),
            r#"{"version": 1}"#.to_owned(),
            format!(r#"{{"version": 1, "revoked": [{{{at}}}]}}"#),
            format!(r#"{{"version": 1, "revoked": [{{"key_id": "../a", {at}}}]}}"#),
            format!(r#"{{"version": 1, "revoked": [{{"spki_sha256": "AB", {at}}}]}}"#),
            format!(r#"{{"version": 1, "revoked": [{{"spki_sha256": "{}", {at}}}]}}"#, "A".repeat(64)),
            r#"{"version": 1, "revoked": [{"key_id": "a", "revoked_at": "now"}]}"#.to_owned(),
            format!(r#"{{"version": 1, "revoked": [{{"key_id": "a", "reason": "{}", {at}}}]}}"#, "r".repeat(257)),
        ] {
            assert!(Revocations::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_message_has_a_purpose_of_its_own() {
        let message = list(1, []).message(&"ops".parse().expect("an id"), Algorithm::Ed25519);
        let digest = document::canonical_digest(br#"{"revoked":[],"version":1}"#).expect("canonical");
        assert_eq!(message, format!("agent-factory/revocations/v1\nops\ned25519\n{digest}").into_bytes());
    }

    proptest! {
        /// INVARIANT I61: whatever lists are offered in whatever order, the version in force never falls and no key comes back.
        #[test]
        fn a_revoked_key_never_comes_back(
            offers in proptest::collection::vec((1_u64..6, proptest::collection::btree_set(0_u64..5, 0..5)), 0..12)
        ) {
            let mut in_force = Revocations::none();
            for (version, keys) in offers {
                let offered = list(version, keys);
                if offered.step(&in_force) == Ok(Step::Newer) {
                    prop_assert!(offered.version() > in_force.version());
                    prop_assert!(in_force.entries().iter().all(|entry| offered.entries().contains(entry)));
                    in_force = offered;
                }
            }
        }
    }
}
