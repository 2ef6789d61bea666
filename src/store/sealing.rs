//! Bodies sealed before they are committed, and opened when they are read (pure but for the nonce).
//!
//! What a body is bound to is its full key, its kind, that kind's version, and the id of the key that seals it: a value that is
//! moved elsewhere, or said to be something else, does not open.

use std::num::NonZeroU32;

use super::chain::Link32;
use super::envelope::{Label, Seal, StoredLink};
use super::keyring::cipher::{self, Forged};
use super::keyring::{DataKey, Keyring, NoKey};
use super::reading::damaged;
use super::{Error, Keyspace};

/// Whether records of a keyspace are sealed. What the committer counts and how the store keeps itself holds only numbers and
/// digests; pieces hold parts of what was sealed as a whole.
pub(super) const fn is_sealed(keyspace: Keyspace) -> bool {
    !matches!(keyspace, Keyspace::Counter | Keyspace::Meta | Keyspace::Piece)
}

/// What is sealed under one nonce.
#[derive(Clone, Copy)]
enum Part {
    Body,
    Link,
}

fn bound(part: Part, key: &[u8], kind: u8, version: u8, id: u32) -> Vec<u8> {
    let part = match part {
        Part::Body => 0,
        Part::Link => 1,
    };
    let mut bound = Vec::with_capacity(key.len().saturating_add(7));
    bound.extend_from_slice(&[part, kind, version]);
    bound.extend_from_slice(&id.to_be_bytes());
    bound.extend_from_slice(key);
    bound
}

/// Seals the body of a record that is stored under the full key `key`; returns its label.
pub(super) fn seal(
    with: &DataKey,
    key: &[u8],
    kind: u8,
    version: u8,
    link: Option<&Link32>,
    body: &mut Vec<u8>,
) -> Label {
    let nonce = cipher::new_nonce();
    with.cipher.seal(&nonce, &bound(Part::Body, key, kind, version, with.id), body);
    let link = link.map(|link| {
        let mut sealed = link.to_vec();
        // The same nonce for another text: GCM-SIV bears that, and what each is bound to differs.
        with.cipher.seal(&nonce, &bound(Part::Link, key, kind, version, with.id), &mut sealed);
        StoredLink::Sealed(sealed.try_into().unwrap_or([0; 48]))
    });
    // Keys are numbered from 1.
    let seal = NonZeroU32::new(with.id).map(|key| Seal { key, nonce });
    Label { kind, version, link, seal }
}

/// Opens the body of the record under the full key `key`, in its place.
pub(super) fn open(keys: Option<&Keyring>, key: &[u8], label: &Label, body: &mut Vec<u8>) -> Result<(), Error> {
    let Some(seal) = label.seal else { return Ok(()) };
    let with = opening(keys, key, seal)?;
    let bound = bound(Part::Body, key, label.kind, label.version, with.id);
    with.cipher.open(&seal.nonce, &bound, body).map_err(|forged| forgery(key, forged))
}

/// Opens the link of a chained record; none where it is not chained.
pub(super) fn link(keys: Option<&Keyring>, key: &[u8], label: &Label) -> Result<Option<Link32>, Error> {
    match (&label.link, label.seal) {
        (None, _) => Ok(None),
        (Some(StoredLink::Clear(link)), _) => Ok(Some(*link)),
        (Some(StoredLink::Sealed(link)), Some(seal)) => {
            let with = opening(keys, key, seal)?;
            let bound = bound(Part::Link, key, label.kind, label.version, with.id);
            let mut link = link.to_vec();
            with.cipher.open(&seal.nonce, &bound, &mut link).map_err(|forged| forgery(key, forged))?;
            link.try_into().map(Some).map_err(|_| damaged(key, "its link has another length"))
        }
        (Some(StoredLink::Sealed(_)), None) => Err(damaged(key, "its link is sealed, and it is not")),
    }
}

fn opening(keys: Option<&Keyring>, key: &[u8], seal: Seal) -> Result<std::sync::Arc<DataKey>, Error> {
    let id = seal.key.get();
    let Some(keys) = keys else {
        return Err(damaged(key, &format!("it is sealed under key {id}, and there is no keyring")));
    };
    keys.opening(id).map_err(|none| match none {
        NoKey::Erased => erased(key),
        NoKey::Failed => Error::Read(format!("key {id} of the keyring")),
        NoKey::Replaced => damaged(key, &format!("it is sealed under key {id}, which was replaced and destroyed")),
        NoKey::Damaged => damaged(key, &format!("it is sealed under key {id}, which is damaged")),
        NoKey::Unknown => damaged(key, &format!("it is sealed under key {id}, which is not in the keyring")),
    })
}

fn forgery(key: &[u8], _: Forged) -> Error {
    damaged(key, "it does not open: it was changed, or moved here")
}

/// The error that names an erased record by its full key.
fn erased(key: &[u8]) -> Error {
    let (keyspace, key) = key.split_first().map_or(('?', key), |(keyspace, key)| (char::from(*keyspace), key));
    Error::Erased { keyspace, key: hex::encode(key) }
}
