//! Stored forms: what the store keeps of each published version, and their keys.
//!
//! | key | record |
//! |---|---|
//! | `v` name 0 version | the version: its digests, signer and date |
//! | `d` name 0 digest | the content: the resolved template and the files that made it |
//! | `c` name | the digest in force, so that it serves after a restart even if its file was damaged meanwhile |

use std::sync::Arc;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};
use crate::store::Record;

use crate::control_plane::template::format::wire::{self, Facts};
use crate::control_plane::template::good::{Good, Link};
use crate::control_plane::template::model::Signer;
use crate::control_plane::template::state::Published;
use crate::control_plane::template::trust::signature::{Algorithm, Envelope};

const KIND_VERSION: u8 = 1;
const KIND_CONTENT: u8 = 2;
const KIND_CURRENT: u8 = 3;
/// The first encoding of all three kinds.
const ENCODING: u8 = 1;

#[derive(Encode, Decode)]
struct VersionBody {
    #[n(0)]
    own: ByteArray<32>,
    #[n(1)]
    resolved: ByteArray<32>,
    #[n(2)]
    seal: ByteArray<32>,
    #[n(3)]
    key_id: Option<String>,
    #[n(4)]
    algorithm: Option<String>,
    #[n(5)]
    published_micros: i64,
}

#[derive(Encode, Decode)]
struct ContentBody {
    #[n(0)]
    resolved: ByteVec,
    #[n(1)]
    lineage: Vec<LinkBody>,
    #[n(2)]
    published_micros: i64,
}

#[derive(Encode, Decode)]
struct LinkBody {
    #[n(0)]
    name: String,
    #[n(1)]
    version: String,
    #[n(2)]
    own: ByteArray<32>,
    #[n(3)]
    signature: Option<SignatureBody>,
    /// Since there are environments; before, every file was of the base.
    #[n(4)]
    environment: Option<String>,
}

#[derive(Encode, Decode)]
struct SignatureBody {
    #[n(0)]
    key_id: String,
    #[n(1)]
    algorithm: String,
    #[n(2)]
    signature: ByteVec,
}

#[derive(Encode, Decode)]
struct CurrentBody {
    #[n(0)]
    digest: ByteArray<32>,
}

/// The key of a version; without one, the prefix of all versions of a template.
pub(in crate::control_plane::template) fn version_key(name: &TemplateName, version: Option<&Version>) -> Vec<u8> {
    [b"v", name.as_str().as_bytes(), &[0], version.map_or("", Version::as_str).as_bytes()].concat()
}

/// The version that a key of [`version_key`] names.
pub(in crate::control_plane::template) fn version_of_key(name: &TemplateName, key: &[u8]) -> Option<Version> {
    let version = key.strip_prefix(version_key(name, None).as_slice())?;
    std::str::from_utf8(version).ok()?.parse().ok()
}

pub(in crate::control_plane::template) fn content_key(name: &TemplateName, digest: &Digest) -> Vec<u8> {
    [b"d", name.as_str().as_bytes(), &[0], digest.as_bytes()].concat()
}

pub(in crate::control_plane::template) fn current_key(name: &TemplateName) -> Vec<u8> {
    [b"c", name.as_str().as_bytes()].concat()
}

pub(in crate::control_plane::template) fn version_record(published: &Published) -> Result<Record, String> {
    let signer = published.signer.as_ref();
    let body = VersionBody {
        own: (*published.own.as_bytes()).into(),
        resolved: (*published.resolved.as_bytes()).into(),
        seal: published.seal.into(),
        key_id: signer.map(|signer| signer.key_id.to_string()),
        algorithm: signer.map(|signer| signer.algorithm.to_string()),
        published_micros: published.published_at.micros(),
    };
    encode(KIND_VERSION, &body)
}

pub(in crate::control_plane::template) fn read_version(record: &Record) -> Result<Published, String> {
    let body: VersionBody = decode(KIND_VERSION, record)?;
    let signer = match (body.key_id, body.algorithm) {
        (Some(key_id), Some(word)) => Some(Signer { key_id: parse(&key_id)?, algorithm: algorithm(&word)? }),
        (None, None) | (Some(_), None) | (None, Some(_)) => None,
    };
    Ok(Published {
        own: Digest::from_bytes(body.own.into()),
        resolved: Digest::from_bytes(body.resolved.into()),
        seal: body.seal.into(),
        signer,
        published_at: Timestamp::from_micros(body.published_micros),
    })
}

pub(in crate::control_plane::template) fn content_record(good: &Good) -> Result<Record, String> {
    let link = |link: &Link| LinkBody {
        name: link.name.to_string(),
        version: link.version.to_string(),
        own: (*link.own.as_bytes()).into(),
        signature: link.signature.as_ref().map(|envelope| SignatureBody {
            key_id: envelope.key_id.to_string(),
            algorithm: envelope.algorithm.to_string(),
            signature: envelope.signature.clone().into(),
        }),
        environment: link.environment.as_ref().map(ToString::to_string),
    };
    let body = ContentBody {
        resolved: serde_json::to_vec(&*good.resolved).map_err(|fault| fault.to_string())?.into(),
        lineage: good.lineage.iter().map(link).collect(),
        published_micros: good.template.published_at.micros(),
    };
    encode(KIND_CONTENT, &body)
}

pub(in crate::control_plane::template) fn read_content(digest: Digest, record: &Record) -> Result<Good, String> {
    let body: ContentBody = decode(KIND_CONTENT, record)?;
    let lineage = body.lineage.into_iter().map(read_link).collect::<Result<Vec<_>, _>>()?;
    let resolved: Value = serde_json::from_slice(&body.resolved).map_err(|fault| fault.to_string())?;
    let own = lineage.first().ok_or("it was made from nothing")?;
    let signer = own.signature.as_ref().map(|s| Signer { key_id: s.key_id.clone(), algorithm: s.algorithm });
    let facts = Facts { digest, signer, published_at: Timestamp::from_micros(body.published_micros) };
    let template = wire::typed(&resolved, facts)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok(Good { template: Arc::new(template), resolved: Arc::new(resolved), lineage })
}

pub(in crate::control_plane::template) fn current_record(digest: &Digest) -> Result<Record, String> {
    encode(KIND_CURRENT, &CurrentBody { digest: (*digest.as_bytes()).into() })
}

pub(in crate::control_plane::template) fn read_current(record: &Record) -> Result<Digest, String> {
    decode::<CurrentBody>(KIND_CURRENT, record).map(|body| Digest::from_bytes(body.digest.into()))
}

fn read_link(body: LinkBody) -> Result<Link, String> {
    let signature = body.signature.map(|written| {
        let signature = written.signature.into();
        Ok::<_, String>(Envelope {
            key_id: parse(&written.key_id)?,
            algorithm: algorithm(&written.algorithm)?,
            signature,
        })
    });
    Ok(Link {
        name: parse(&body.name)?,
        version: parse(&body.version)?,
        own: Digest::from_bytes(body.own.into()),
        signature: signature.transpose()?,
        environment: body.environment.as_deref().map(parse).transpose()?,
    })
}

fn algorithm(word: &str) -> Result<Algorithm, String> {
    Algorithm::from_word(word).ok_or_else(|| format!("unknown algorithm {word:?}"))
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|fault: T::Err| fault.to_string())
}

fn encode<T: Encode<()>>(kind: u8, body: &T) -> Result<Record, String> {
    let body = minicbor::to_vec(body).map_err(|fault| fault.to_string())?;
    Ok(Record { kind, version: ENCODING, body })
}

fn decode<'a, T: Decode<'a, ()>>(kind: u8, record: &'a Record) -> Result<T, String> {
    if (record.kind, record.version) != (kind, ENCODING) {
        return Err(format!("unknown kind {} version {}", record.kind, record.version));
    }
    minicbor::decode(&record.body).map_err(|fault| fault.to_string())
}
