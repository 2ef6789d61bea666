//! The stored form of a published content.
//!
//! It has two encodings. The first, of the first release, has the resolved template as plain JSON and is only read. The
//! second has two zstd frames made with one dictionary: the resolved template in canonical JSON, and the body that lists the
//! files that it was made from.

use std::sync::Arc;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;
use crate::store::Record;

use crate::control_plane::template::format::wire::{self, Facts};
use crate::control_plane::template::good::{Good, Link};
use crate::control_plane::template::trust::signature::Signed;

use super::dictionary::{Dictionary, Pressing, frame_dictionary};
use super::packed::Packed;
use super::record::{KIND_CONTENT, decode, decode_as, encode_as, parse, read_signer, scheme_word};

/// The encoding of content that is compressed.
const ENCODING_PACKED: u8 = 2;

#[derive(Encode, Decode)]
struct ContentBody {
    #[n(0)]
    resolved: ByteVec,
    #[n(1)]
    lineage: Vec<LinkBody>,
    #[n(2)]
    published_micros: i64,
}

/// Content in its second encoding.
#[derive(Encode, Decode)]
struct PackedBody {
    /// A frame: canonical JSON.
    #[n(0)]
    resolved: ByteVec,
    /// A frame: [`LineageBody`].
    #[n(1)]
    lineage: ByteVec,
    #[n(2)]
    published_micros: i64,
}

#[derive(Encode, Decode)]
struct LineageBody {
    #[n(0)]
    links: Vec<LinkBody>,
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
    /// The form; none is v1, the only one of earlier releases.
    #[n(3)]
    scheme: Option<String>,
    /// The digest that a legacy signature is about.
    #[n(4)]
    legacy: Option<ByteArray<32>>,
}

/// The record of a template that is packed; its lineage is compressed with the same dictionary.
pub(in crate::control_plane::template) fn content_record(
    good: &Good,
    dictionary: &Arc<Dictionary>,
    pressing: &mut Pressing<'_>,
) -> Result<Record, String> {
    // A version that somebody goes back to may have been compressed with an older dictionary.
    let (kept, made_with) = good.resolved.kept();
    let anew;
    let resolved = if made_with.is_some_and(|one| one.id() == dictionary.id()) {
        kept
    } else {
        anew = pressing.frame(&good.resolved.json()?)?;
        &anew
    };
    let lineage = LineageBody { links: good.lineage.iter().map(link_body).collect() };
    let lineage = minicbor::to_vec(&lineage).map_err(|fault| fault.to_string())?;
    let body = PackedBody {
        resolved: resolved.to_vec().into(),
        lineage: pressing.frame(&lineage)?.into(),
        published_micros: good.template.published_at.micros(),
    };
    encode_as(KIND_CONTENT, ENCODING_PACKED, &body)
}

fn link_body(link: &Link) -> LinkBody {
    LinkBody {
        name: link.name.to_string(),
        version: link.version.to_string(),
        own: (*link.own.as_bytes()).into(),
        signature: link.signature.as_ref().map(|signed| SignatureBody {
            key_id: signed.signer.key_id.to_string(),
            algorithm: signed.signer.algorithm.to_string(),
            signature: signed.signature.clone().into(),
            scheme: scheme_word(signed.signer.scheme),
            legacy: signed.legacy.map(|digest| (*digest.as_bytes()).into()),
        }),
        environment: link.environment.as_ref().map(ToString::to_string),
    }
}

/// The dictionary that a content needs; none for the first encoding.
pub(in crate::control_plane::template) fn content_dictionary(record: &Record) -> Result<Option<u32>, String> {
    if (record.kind, record.version) != (KIND_CONTENT, ENCODING_PACKED) {
        return Ok(None);
    }
    let body: PackedBody = minicbor::decode(&record.body).map_err(|fault| fault.to_string())?;
    frame_dictionary(&body.resolved).map(Some).ok_or_else(|| "names no dictionary".to_owned())
}

/// Reads a content in either encoding; `dictionary` is the one that [`content_dictionary`] names, or the one to keep a content
/// of the first encoding with.
pub(in crate::control_plane::template) fn read_content(
    digest: Digest,
    record: &Record,
    dictionary: &Arc<Dictionary>,
) -> Result<Good, String> {
    let (resolved, links, published_micros) = if record.version == ENCODING_PACKED {
        let body: PackedBody = decode_as(KIND_CONTENT, ENCODING_PACKED, record)?;
        let lineage = dictionary.unpack(&body.lineage)?;
        let lineage: LineageBody = minicbor::decode(&lineage).map_err(|fault| fault.to_string())?;
        (Packed::frame(&body.resolved, dictionary), lineage.links, body.published_micros)
    } else {
        let body: ContentBody = decode(KIND_CONTENT, record)?;
        let press = dictionary.press()?;
        let packed = Packed::frame(&press.begin()?.frame(&body.resolved)?, dictionary);
        (packed, body.lineage, body.published_micros)
    };
    let lineage = links.into_iter().map(read_link).collect::<Result<Vec<_>, _>>()?;
    let own = lineage.first().ok_or("it was made from nothing")?;
    let signer = own.signature.as_ref().map(|signed| signed.signer.clone());
    let facts = Facts { digest, signer, published_at: Timestamp::from_micros(published_micros) };
    let template = wire::typed(&resolved.value()?, facts)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    // Until when it is trusted is for the keys of the present to say: whoever reads it verifies it again.
    Ok(Good::new(&template, resolved, lineage, None))
}

fn read_link(body: LinkBody) -> Result<Link, String> {
    let signature = body.signature.map(|written| {
        Ok::<_, String>(Signed {
            signer: read_signer(Some(written.key_id), Some(written.algorithm), written.scheme)?
                .ok_or("a signature names no key")?,
            signature: written.signature.into(),
            legacy: written.legacy.map(|digest| Digest::from_bytes(digest.into())),
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
