//! Stored forms: what the store keeps of each published version, and their keys.
//!
//! | key | record |
//! |---|---|
//! | `v` name 0 version | the version: its digests, signer and date |
//! | `d` name 0 digest | the content: the resolved template and the files that made it ([`mod@super::content`]) |
//! | `c` name | the digest in force, so that it serves after a restart even if its file was damaged meanwhile |
//! | `p` name 0 number | one publication: when, why, by whom, under which policy |
//! | `s` name | what outlives edits and withdrawal: the highest versions, the next number, that somebody went back |
//! | `keys/revoked` | the list of revocations that was accepted last, as its file was |
//! | `z` id | a dictionary that was trained on this host's templates; the content names it by its id |

use std::sync::Arc;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};
use crate::store::Record;

use crate::control_plane::template::model::Signer;
use crate::control_plane::template::trust::revocations::Revocations;
use crate::control_plane::template::trust::signature::{Algorithm, Scheme};
use crate::control_plane::template::version::{By, Cause, Publication, Published, RolledBack, Standing};

use super::dictionary::Dictionary;
use super::shelf::Trained;

const KIND_VERSION: u8 = 1;
pub(super) const KIND_CONTENT: u8 = 2;
const KIND_CURRENT: u8 = 3;
const KIND_PUBLICATION: u8 = 4;
const KIND_STANDING: u8 = 5;
const KIND_DICTIONARY: u8 = 6;
/// The number says what it is, far from the kinds of templates.
const KIND_REVOCATIONS: u8 = 64;
/// The key of the list of revocations.
pub(in crate::control_plane::template) const REVOCATIONS_KEY: &[u8] = b"keys/revoked";
const KIND_TRUST_FILE: u8 = 65;
/// The key of the note that there was a `trust.toml`.
pub(in crate::control_plane::template) const TRUST_FILE_KEY: &[u8] = b"keys/trust";
/// The first encoding of every kind.
const ENCODING: u8 = 1;
/// What the keys of dictionaries begin with.
pub(super) const DICTIONARY_PREFIX: &[u8] = b"z";

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
    /// The form of the signature; none is v1, the only one of earlier releases.
    #[n(6)]
    scheme: Option<String>,
}

#[derive(Encode, Decode)]
struct DictionaryBody {
    #[n(0)]
    bytes: ByteVec,
    #[n(1)]
    templates: u32,
    #[n(2)]
    trained_micros: i64,
}

#[derive(Encode, Decode)]
struct CurrentBody {
    #[n(0)]
    digest: ByteArray<32>,
}

#[derive(Encode, Decode)]
struct PublicationBody {
    #[n(0)]
    at_micros: i64,
    #[n(1)]
    version: String,
    #[n(2)]
    digest: ByteArray<32>,
    #[n(3)]
    own: ByteArray<32>,
    #[n(4)]
    key_id: Option<String>,
    #[n(5)]
    algorithm: Option<String>,
    #[n(6)]
    cause: String,
    #[n(7)]
    by_name: Option<String>,
    #[n(8)]
    by_uid: Option<u32>,
    #[n(9)]
    policy: ByteArray<32>,
    /// The form of the signature; none is v1.
    #[n(10)]
    scheme: Option<String>,
}

#[derive(Encode, Decode)]
struct StandingBody {
    #[n(0)]
    floors: Vec<FloorBody>,
    #[n(1)]
    next: u64,
    #[n(2)]
    pin: Option<PinBody>,
}

#[derive(Encode, Decode)]
struct FloorBody {
    #[n(0)]
    layer: String,
    #[n(1)]
    version: String,
}

#[derive(Encode, Decode)]
struct PinBody {
    #[n(0)]
    version: String,
    #[n(1)]
    digest: ByteArray<32>,
    #[n(2)]
    by: String,
    #[n(3)]
    at_micros: i64,
    #[n(4)]
    from: Option<String>,
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
    [content_prefix(name).as_slice(), digest.as_bytes()].concat()
}

/// What the keys of all contents of a template begin with.
pub(in crate::control_plane::template) fn content_prefix(name: &TemplateName) -> Vec<u8> {
    [b"d", name.as_str().as_bytes(), &[0]].concat()
}

/// The key of a publication; without a number, the prefix of all publications of a template.
pub(in crate::control_plane::template) fn publication_key(name: &TemplateName, number: Option<u64>) -> Vec<u8> {
    let prefix = [b"p", name.as_str().as_bytes(), &[0]].concat();
    number.map_or(prefix.clone(), |number| [prefix.as_slice(), &number.to_be_bytes()].concat())
}

pub(in crate::control_plane::template) fn standing_key(name: &TemplateName) -> Vec<u8> {
    [b"s", name.as_str().as_bytes()].concat()
}

/// What the keys of all digests in force begin with.
pub(in crate::control_plane::template) const CURRENT_PREFIX: &[u8] = b"c";

/// The template that a key of [`current_key`] names.
pub(in crate::control_plane::template) fn name_of_current_key(key: &[u8]) -> Option<TemplateName> {
    std::str::from_utf8(key.strip_prefix(CURRENT_PREFIX)?).ok()?.parse().ok()
}

pub(in crate::control_plane::template) fn current_key(name: &TemplateName) -> Vec<u8> {
    [CURRENT_PREFIX, name.as_str().as_bytes()].concat()
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
        scheme: signer.and_then(|signer| scheme_word(signer.scheme)),
    };
    encode(KIND_VERSION, &body)
}

pub(in crate::control_plane::template) fn read_version(record: &Record) -> Result<Published, String> {
    let body: VersionBody = decode(KIND_VERSION, record)?;
    let signer = read_signer(body.key_id, body.algorithm, body.scheme)?;
    Ok(Published {
        own: Digest::from_bytes(body.own.into()),
        resolved: Digest::from_bytes(body.resolved.into()),
        seal: body.seal.into(),
        signer,
        published_at: Timestamp::from_micros(body.published_micros),
    })
}

/// The key of a trained dictionary.
pub(super) fn dictionary_key(id: u32) -> Vec<u8> {
    [DICTIONARY_PREFIX, &id.to_be_bytes()].concat()
}

pub(in crate::control_plane::template) fn dictionary_record(trained: &Trained) -> Result<Record, String> {
    let body = DictionaryBody {
        bytes: trained.dictionary.bytes().to_vec().into(),
        templates: trained.templates,
        trained_micros: trained.trained_at.micros(),
    };
    encode(KIND_DICTIONARY, &body)
}

pub(in crate::control_plane::template) fn read_dictionary(record: &Record) -> Result<Trained, String> {
    let body: DictionaryBody = decode(KIND_DICTIONARY, record)?;
    Ok(Trained {
        dictionary: Arc::new(Dictionary::read(body.bytes.into())?),
        templates: body.templates,
        trained_at: Timestamp::from_micros(body.trained_micros),
    })
}

pub(in crate::control_plane::template) fn current_record(digest: &Digest) -> Result<Record, String> {
    encode(KIND_CURRENT, &CurrentBody { digest: (*digest.as_bytes()).into() })
}

pub(in crate::control_plane::template) fn read_current(record: &Record) -> Result<Digest, String> {
    decode::<CurrentBody>(KIND_CURRENT, record).map(|body| Digest::from_bytes(body.digest.into()))
}

pub(in crate::control_plane::template) fn revocations_record(bytes: &[u8]) -> Record {
    Record { kind: KIND_REVOCATIONS, version: ENCODING, body: bytes.to_vec() }
}

/// That there was a `trust.toml`: the record says so by being there.
pub(in crate::control_plane::template) fn trust_file_record() -> Record {
    Record { kind: KIND_TRUST_FILE, version: ENCODING, body: Vec::new() }
}

pub(in crate::control_plane::template) fn read_revocations(record: &Record) -> Result<Revocations, String> {
    if (record.kind, record.version) != (KIND_REVOCATIONS, ENCODING) {
        return Err(format!("unknown kind {} version {}", record.kind, record.version));
    }
    Revocations::parse(&record.body)
}

pub(in crate::control_plane::template) fn publication_record(publication: &Publication) -> Result<Record, String> {
    let signer = publication.signer.as_ref();
    let body = PublicationBody {
        at_micros: publication.at.micros(),
        version: publication.version.to_string(),
        digest: (*publication.digest.as_bytes()).into(),
        own: (*publication.own.as_bytes()).into(),
        key_id: signer.map(|signer| signer.key_id.to_string()),
        algorithm: signer.map(|signer| signer.algorithm.to_string()),
        cause: publication.cause.as_str().to_owned(),
        by_name: publication.by.name.as_ref().map(ToString::to_string),
        by_uid: publication.by.uid,
        policy: (*publication.policy.as_bytes()).into(),
        scheme: signer.and_then(|signer| scheme_word(signer.scheme)),
    };
    encode(KIND_PUBLICATION, &body)
}

pub(in crate::control_plane::template) fn read_publication(record: &Record) -> Result<Publication, String> {
    let body: PublicationBody = decode(KIND_PUBLICATION, record)?;
    Ok(Publication {
        at: Timestamp::from_micros(body.at_micros),
        version: parse(&body.version)?,
        digest: Digest::from_bytes(body.digest.into()),
        own: Digest::from_bytes(body.own.into()),
        signer: read_signer(body.key_id, body.algorithm, body.scheme)?,
        cause: Cause::from_word(&body.cause).ok_or_else(|| format!("unknown cause {:?}", body.cause))?,
        by: By { name: body.by_name.map(Into::into), uid: body.by_uid },
        policy: Digest::from_bytes(body.policy.into()),
    })
}

pub(in crate::control_plane::template) fn standing_record(standing: &Standing) -> Result<Record, String> {
    let floor = |(layer, version): (&std::sync::Arc<str>, &Version)| FloorBody {
        layer: layer.to_string(),
        version: version.to_string(),
    };
    let pin = standing.pin.as_ref().map(|pin| PinBody {
        version: pin.version.to_string(),
        digest: (*pin.digest.as_bytes()).into(),
        by: pin.by.to_string(),
        at_micros: pin.at.micros(),
        from: pin.from.as_ref().map(ToString::to_string),
    });
    encode(
        KIND_STANDING,
        &StandingBody { floors: standing.floors.iter().map(floor).collect(), next: standing.next, pin },
    )
}

pub(in crate::control_plane::template) fn read_standing(record: &Record) -> Result<Standing, String> {
    let body: StandingBody = decode(KIND_STANDING, record)?;
    let floor = |floor: FloorBody| Ok::<_, String>((floor.layer.into(), parse(&floor.version)?));
    let pin = body.pin.map(|pin| {
        Ok::<_, String>(RolledBack {
            version: parse(&pin.version)?,
            digest: Digest::from_bytes(pin.digest.into()),
            by: pin.by.into(),
            at: Timestamp::from_micros(pin.at_micros),
            from: pin.from.as_deref().map(parse).transpose()?,
        })
    });
    Ok(Standing {
        floors: body.floors.into_iter().map(floor).collect::<Result<_, _>>()?,
        next: body.next,
        pin: pin.transpose()?,
    })
}

pub(super) fn read_signer(
    key_id: Option<String>,
    algorithm_word: Option<String>,
    scheme_word: Option<String>,
) -> Result<Option<Signer>, String> {
    let scheme = match scheme_word.as_deref() {
        None => Scheme::V1,
        Some(word) => Scheme::from_word(word).ok_or_else(|| format!("unknown scheme {word:?}"))?,
    };
    match (key_id, algorithm_word) {
        (Some(key_id), Some(word)) => {
            Ok(Some(Signer { key_id: parse(&key_id)?, algorithm: algorithm(&word)?, scheme }))
        }
        (None, None) | (Some(_), None) | (None, Some(_)) => Ok(None),
    }
}

/// The word for a form; nothing for v1, so that its records stay as they were before there was a second form.
pub(super) fn scheme_word(scheme: Scheme) -> Option<String> {
    match scheme {
        Scheme::V1 => None,
        Scheme::Legacy => Some(scheme.to_string()),
    }
}

fn algorithm(word: &str) -> Result<Algorithm, String> {
    Algorithm::from_word(word).ok_or_else(|| format!("unknown algorithm {word:?}"))
}

pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|fault: T::Err| fault.to_string())
}

fn encode<T: Encode<()>>(kind: u8, body: &T) -> Result<Record, String> {
    encode_as(kind, ENCODING, body)
}

pub(super) fn encode_as<T: Encode<()>>(kind: u8, encoding: u8, body: &T) -> Result<Record, String> {
    let body = minicbor::to_vec(body).map_err(|fault| fault.to_string())?;
    Ok(Record { kind, version: encoding, body })
}

pub(super) fn decode<'a, T: Decode<'a, ()>>(kind: u8, record: &'a Record) -> Result<T, String> {
    decode_as(kind, ENCODING, record)
}

pub(super) fn decode_as<'a, T: Decode<'a, ()>>(kind: u8, encoding: u8, record: &'a Record) -> Result<T, String> {
    if (record.kind, record.version) != (kind, encoding) {
        return Err(format!("unknown kind {} version {}", record.kind, record.version));
    }
    minicbor::decode(&record.body).map_err(|fault| fault.to_string())
}
