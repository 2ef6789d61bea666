//! The keys that may sign templates, at one reading of their files.
//!
//! Each `ID.pub.pem` in the directory of trusted keys (SPKI, PEM) may sign any template in form v1, unless a `trust.toml` beside
//! the keys says otherwise ([`super::grants`]). A file that is not a usable key is told by name and trusts nobody; the others go
//! on. A `trust.toml` with a mistake, or a first list of revocations that cannot be believed, trusts nobody at all.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use crate::control_plane::template::model::Signer;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, KeyId, TemplateName};

use super::fault::Fault;
use super::grants::Grant;
use super::public::PublicKey;
use super::revocations::{Revocation, Revocations};
use super::signature::{Algorithm, Digests, Envelope, Scheme, Signed, message};

/// One key file that was read.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) public: PublicKey,
    pub(super) spki_sha256: Digest,
    /// What it is trusted with; nothing where it is not listed.
    pub(super) grant: Option<Grant>,
}

/// The keys at one moment of their files, and the revocations in force.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    pub(super) keys: BTreeMap<KeyId, Key>,
    pub(super) unusable: Vec<(PathBuf, String)>,
    pub(super) fingerprint: [u8; 32],
    /// None where no list, not even an empty one, could be believed yet.
    pub(super) revocations: Option<Arc<Revocations>>,
    /// The file of the list in force, where this reading accepted it.
    pub(super) accepted: Option<Arc<Vec<u8>>>,
}

/// A signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// Whose it is.
    pub signer: Signer,
    /// The first instant at which it holds no longer.
    pub until: Option<Timestamp>,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyStatus {
    /// It may sign what its entry says.
    Trusted,
    /// Its `not_after` has passed.
    Expired,
    /// Its `not_before` is to come.
    NotYetValid,
    /// It is on the list of revocations.
    Revoked,
    /// Nothing is entrusted to it.
    NotListed,
}

impl KeyStatus {
    /// Every standing.
    pub const ALL: [Self; 5] = [Self::Trusted, Self::Expired, Self::NotYetValid, Self::Revoked, Self::NotListed];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::NotListed => "not_listed",
        }
    }
}

/// A key as it is told to people.
#[derive(Debug, Clone)]
pub struct KeyView<'a> {
    /// Its id.
    pub id: &'a KeyId,
    /// The key.
    pub public: &'a PublicKey,
    /// Its fingerprint.
    pub spki_sha256: Digest,
    /// What it is trusted with.
    pub grant: Option<&'a Grant>,
    /// Why it is revoked.
    pub revocation: Option<&'a Revocation>,
    /// How it stands.
    pub standing: KeyStatus,
}

impl TrustStore {
    /// A store that trusts nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Adds a key that was read from a file.
    pub(super) fn add(&mut self, path: PathBuf, id: KeyId, key: Key) {
        match self.keys.entry(id) {
            Entry::Vacant(place) => {
                place.insert(key);
            }
            Entry::Occupied(mut earlier) if earlier.get().spki_sha256 == key.spki_sha256 => {
                earlier.get_mut().grant = key.grant;
            }
            Entry::Occupied(earlier) => {
                let reason = format!("there is another key named {}; the first is kept", earlier.key());
                self.unusable.push((path, reason));
            }
        }
    }

    /// The keys, also those that nothing is entrusted to, by id.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &PublicKey)> {
        self.keys.iter().map(|(id, key)| (id, &key.public))
    }

    /// The keys as they stand, by id.
    pub fn views(&self, now: Timestamp) -> impl Iterator<Item = KeyView<'_>> {
        self.keys.iter().map(move |(id, key)| KeyView {
            id,
            public: &key.public,
            spki_sha256: key.spki_sha256,
            grant: key.grant.as_ref(),
            revocation: self.revocation(id, key),
            standing: self.standing(id, key, now),
        })
    }

    /// The files that trust nobody, each with the reason.
    #[must_use]
    pub fn unusable(&self) -> &[(PathBuf, String)] {
        &self.unusable
    }

    /// Tells these keys, and whatever else [`Self::verify`] goes by, from others.
    pub(in crate::control_plane::template) fn mark(&self) -> u64 {
        let (mark, _) = self.fingerprint.split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_be_bytes(*mark)
    }

    /// The list of revocations in force; none where none could be believed.
    #[must_use]
    pub fn revocations(&self) -> Option<&Arc<Revocations>> {
        self.revocations.as_ref()
    }

    /// The file of the list in force, where this reading accepted it: it must be kept before anyone relies on it.
    pub(in crate::control_plane::template) fn accepted(&self) -> Option<&Arc<Vec<u8>>> {
        self.accepted.as_ref()
    }

    /// The same, once the list that it accepted is kept.
    pub(in crate::control_plane::template) fn kept(mut self) -> Self {
        self.accepted = None;
        self
    }

    /// Whether another reading found the same keys, trusted with the same.
    pub(in crate::control_plane::template) fn same_as(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.keys.len() == other.keys.len()
    }

    /// The next instant at which a key begins or ceases to be trusted.
    pub(in crate::control_plane::template) fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        self.boundaries().filter(|at| *at > now).min()
    }

    /// Whether a key began or ceased to be trusted between two instants, in whichever order they came.
    pub(in crate::control_plane::template) fn turned(&self, one: Timestamp, other: Timestamp) -> bool {
        let (from, to) = (one.min(other), one.max(other));
        self.boundaries().any(|at| from < at && at <= to)
    }

    fn boundaries(&self) -> impl Iterator<Item = Timestamp> {
        self.keys.values().filter_map(|key| key.grant.as_ref()).flat_map(Grant::boundaries)
    }

    /// The trust at one instant.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Trust<'_> {
        Trust { store: self, now }
    }

    /// Verifies a signature over a template of this name and these digests.
    ///
    /// # Errors
    /// The key is not trusted with it at this instant, or the signature does not fit.
    pub fn verify(
        &self,
        name: &TemplateName,
        envelope: &Envelope,
        digests: &Digests,
        now: Timestamp,
    ) -> Result<Trusted, Fault> {
        match envelope {
            Envelope::V1 { key_id, algorithm, signature } => {
                let (key, grant) = self.key_of(key_id, *algorithm)?;
                self.may(key_id, key, grant, now)?;
                entrusted(key_id, grant, name, Scheme::V1)?;
                if !key.public.fits(&message(key_id, *algorithm, &digests.own), signature) {
                    return Err(Fault::Wrong(key_id.clone()));
                }
                let signer = Signer { key_id: key_id.clone(), algorithm: *algorithm, scheme: Scheme::V1 };
                Ok(Trusted { signer, until: grant.not_after })
            }
            Envelope::Legacy { signature } => self.verify_legacy(name, signature, digests, now),
        }
    }

    /// Tries the keys that may sign in the legacy form, at most [`super::grants::LEGACY_KEYS_MAX`] and the one of the settings.
    fn verify_legacy(
        &self,
        name: &TemplateName,
        signature: &[u8],
        digests: &Digests,
        now: Timestamp,
    ) -> Result<Trusted, Fault> {
        let may_sign = |grant: &Grant| grant.schemes.contains(&Scheme::Legacy);
        let candidates: Vec<(&KeyId, &Key, &Grant)> = self
            .keys
            .iter()
            .filter_map(|(id, key)| key.grant.as_ref().filter(|grant| may_sign(grant)).map(|grant| (id, key, grant)))
            .collect();
        if candidates.is_empty() {
            return Err(Fault::Legacy);
        }
        let digest = digests.legacy.as_ref().ok_or(Fault::LegacyWrong)?;
        let fits = |key: &Key| key.public.fits_legacy(digest, signature);
        // One key may have several names; the first that is trusted with this template is the signer.
        let mut refused = None;
        for (id, key, grant) in candidates {
            let allowed = self.may(id, key, grant, now).and_then(|()| entrusted(id, grant, name, Scheme::Legacy));
            match allowed {
                Ok(()) if fits(key) => {
                    let signer =
                        Signer { key_id: id.clone(), algorithm: key.public.algorithm(), scheme: Scheme::Legacy };
                    return Ok(Trusted { signer, until: grant.not_after });
                }
                Ok(()) => {}
                Err(fault) if refused.is_none() && fits(key) => refused = Some(fault),
                Err(_) => {}
            }
        }
        Err(refused.unwrap_or(Fault::LegacyWrong))
    }

    /// A key of the algorithm that a signature names, and what it is trusted with.
    fn key_of(&self, key_id: &KeyId, written: Algorithm) -> Result<(&Key, &Grant), Fault> {
        let key = self.keys.get(key_id).ok_or_else(|| Fault::UnknownKey(key_id.clone()))?;
        let algorithm = key.public.algorithm();
        if algorithm != written {
            return Err(Fault::AlgorithmMismatch { key_id: key_id.clone(), written, key: algorithm });
        }
        let grant = key.grant.as_ref().ok_or_else(|| Fault::NotListed(key_id.clone()))?;
        Ok((key, grant))
    }

    /// Whether a key may sign anything at this instant.
    fn may(&self, key_id: &KeyId, key: &Key, grant: &Grant, now: Timestamp) -> Result<(), Fault> {
        let key_id = || key_id.clone();
        match self.standing(&key_id(), key, now) {
            KeyStatus::Trusted => Ok(()),
            KeyStatus::Revoked => Err(Fault::Revoked(key_id())),
            KeyStatus::NotListed => Err(Fault::NotListed(key_id())),
            KeyStatus::Expired => Err(Fault::Expired { key_id: key_id(), until: grant.not_after.unwrap_or(now) }),
            KeyStatus::NotYetValid => {
                Err(Fault::NotYetValid { key_id: key_id(), from: grant.not_before.unwrap_or(now) })
            }
        }
    }

    fn standing(&self, id: &KeyId, key: &Key, now: Timestamp) -> KeyStatus {
        // INVARIANT I61: without a list that can be believed nobody knows who is revoked, and nobody is trusted.
        let (Some(grant), Some(_)) = (&key.grant, &self.revocations) else { return KeyStatus::NotListed };
        if self.revocation(id, key).is_some() {
            KeyStatus::Revoked
        } else if grant.not_after.is_some_and(|until| now >= until) {
            KeyStatus::Expired
        } else if grant.not_before.is_some_and(|from| now < from) {
            KeyStatus::NotYetValid
        } else {
            KeyStatus::Trusted
        }
    }

    fn revocation(&self, id: &KeyId, key: &Key) -> Option<&Revocation> {
        self.revocations.as_ref()?.of(id, &key.spki_sha256)
    }

    /// Whether a signature over a list of revocations holds at an instant; without one, the key's time does not count.
    pub(super) fn verify_list(
        &self,
        list: &Revocations,
        envelope: &Envelope,
        now: Option<Timestamp>,
    ) -> Result<(), String> {
        let Envelope::V1 { key_id, algorithm, signature } = envelope else {
            return Err("its signature has the legacy form; a list is signed in form v1".to_owned());
        };
        let told = |fault: Fault| format!("it is {fault}");
        let (key, grant) = self.key_of(key_id, *algorithm).map_err(told)?;
        if list.of(key_id, &key.spki_sha256).is_some() {
            return Err(format!("the key {key_id} revokes itself; sign the list with another"));
        }
        if let Some(revoked) = self.revocation(key_id, key) {
            let version = self.revocations.as_ref().map_or(0, |list| list.version());
            return Err(format!("the key {key_id} is revoked by version {version}, since {}", revoked.revoked_at));
        }
        now.map_or(Ok(()), |now| self.may(key_id, key, grant, now)).map_err(told)?;
        if !grant.revokes {
            return Err(format!(
                "the key {key_id} may not revoke keys: its entry in trust.toml lacks \"revokes = true\""
            ));
        }
        let fits = key.public.fits(&list.message(key_id, *algorithm), signature);
        fits.then_some(()).ok_or_else(|| format!("its signature by the key {key_id} does not fit it"))
    }
}

/// Whether a key is trusted with templates of this name in this form.
fn entrusted(key_id: &KeyId, grant: &Grant, name: &TemplateName, scheme: Scheme) -> Result<(), Fault> {
    if !grant.schemes.contains(&scheme) {
        return Err(Fault::SchemeNotAllowed { key_id: key_id.clone(), scheme });
    }
    if !grant.templates.iter().any(|pattern| pattern.fits(name)) {
        return Err(Fault::TemplateNotAllowed { key_id: key_id.clone(), name: name.clone() });
    }
    Ok(())
}

/// The trust at one instant.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    store: &'a TrustStore,
    now: Timestamp,
}

impl Trust<'_> {
    /// Verifies a signature; see [`TrustStore::verify`].
    ///
    /// # Errors
    /// The key is not trusted with it now, or the signature does not fit.
    pub fn verify(&self, name: &TemplateName, envelope: &Envelope, digests: &Digests) -> Result<Trusted, Fault> {
        self.store.verify(name, envelope, digests, self.now)
    }

    /// Verifies once more a signature that held, over a content of this digest. It must still be the same key's.
    pub(in crate::control_plane::template) fn again(
        &self,
        name: &TemplateName,
        signed: &Signed,
        own: Digest,
    ) -> Result<Trusted, Fault> {
        let signature = signed.signature.clone();
        let Signer { key_id, algorithm, scheme } = signed.signer.clone();
        let envelope = match scheme {
            Scheme::V1 => Envelope::V1 { key_id, algorithm, signature },
            Scheme::Legacy => Envelope::Legacy { signature },
        };
        let trusted = self.verify(name, &envelope, &Digests { own, legacy: signed.legacy })?;
        if trusted.signer == signed.signer { Ok(trusted) } else { Err(Fault::UnknownKey(signed.signer.key_id.clone())) }
    }
}
