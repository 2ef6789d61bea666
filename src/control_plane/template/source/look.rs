//! What one file turns out to be, before it is set beside the others: parsed, named right, signed by a trusted key.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, Environment, TemplateName, Version};

use crate::control_plane::template::format::document::{self, Document};
use crate::control_plane::template::format::draft::Draft;
use crate::control_plane::template::format::mistake::Mistake;
use crate::control_plane::template::metrics;
use crate::control_plane::template::trust::Trust;
use crate::control_plane::template::trust::fault::Fault;
use crate::control_plane::template::trust::signature::{Algorithm, Digests, Envelope, Signed};

/// What was read from the directory for one name.
#[derive(Clone)]
pub(in crate::control_plane::template) struct Bytes {
    /// The template file, or why it cannot be read.
    pub(in crate::control_plane::template) document: Result<Vec<u8>, String>,
    /// The file beside it, if there is one, or why it cannot be read.
    pub(in crate::control_plane::template) signature: Result<Option<Vec<u8>>, String>,
    /// Whose the template file is, by number.
    pub(in crate::control_plane::template) owner: Option<u32>,
}

impl std::fmt::Debug for Bytes {
    /// Leaves out the content, which holds prompts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a template's bytes")
    }
}

impl Bytes {
    /// Tells one content of the two files from another.
    pub(in crate::control_plane::template) fn fingerprint(&self) -> [u8; 32] {
        let part = |hash: &mut Sha256, tag: &str, bytes: &[u8]| {
            hash.update(tag);
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        };
        let mut hash = Sha256::new();
        match &self.document {
            Ok(bytes) => part(&mut hash, "document", bytes),
            Err(reason) => part(&mut hash, "unreadable", reason.as_bytes()),
        }
        match &self.signature {
            Ok(Some(bytes)) => part(&mut hash, "signature", bytes),
            Ok(None) => part(&mut hash, "unsigned", &[]),
            Err(reason) => part(&mut hash, "unreadable", reason.as_bytes()),
        }
        hash.finalize().into()
    }
}

/// One file as it was when it was last looked at.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) struct Seen {
    pub(in crate::control_plane::template) fingerprint: [u8; 32],
    /// The version that the file names, also where it is refused.
    pub(in crate::control_plane::template) version: Option<Version>,
    pub(in crate::control_plane::template) outcome: Result<Checked, Refusal>,
    /// Whose the file is, by number.
    pub(in crate::control_plane::template) owner: Option<u32>,
    /// The environment whose file it is; none of the base.
    pub(in crate::control_plane::template) environment: Option<Environment>,
    /// The base file of the same name, where this one inherits from it.
    pub(in crate::control_plane::template) beneath: Option<Beneath>,
}

/// The base file that an environment's file of the same name inherits from.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) enum Beneath {
    /// There is none.
    Missing,
    /// What it turned out to be by itself.
    There(Box<Result<Checked, Refusal>>),
}

impl Seen {
    /// The other template that the file inherits from, itself or through the file beneath it.
    pub(in crate::control_plane::template) fn parent(&self) -> Option<&TemplateName> {
        let checked = self.outcome.as_ref().ok()?;
        match &self.beneath {
            None => checked.document.extends(),
            Some(Beneath::Missing) => None,
            Some(Beneath::There(beneath)) => beneath.as_ref().as_ref().ok()?.document.extends(),
        }
    }
}

/// A file that is good by itself.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) struct Checked {
    pub(in crate::control_plane::template) document: Document,
    /// The signature that fits; none where signatures are not required.
    pub(in crate::control_plane::template) signature: Option<Signed>,
    /// The first instant at which that signature holds no longer.
    pub(in crate::control_plane::template) until: Option<Timestamp>,
}

/// Why a file is refused, whatever stands beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::control_plane::template) struct Refusal {
    pub(in crate::control_plane::template) reasons: Vec<String>,
    /// What is wrong with its signature.
    pub(in crate::control_plane::template) fault: Option<Fault>,
    /// What is wrong in the file itself; `reasons` tell it too.
    pub(in crate::control_plane::template) mistakes: Vec<Mistake>,
    /// The rest of the file, for what later stages would say about it.
    pub(in crate::control_plane::template) draft: Option<Arc<Draft>>,
}

/// Looks at one file; without `trust`, signatures are not required and not read.
pub(in crate::control_plane::template) fn look(name: &TemplateName, bytes: &Bytes, trust: Option<Trust<'_>>) -> Seen {
    let (fingerprint, owner) = (bytes.fingerprint(), bytes.owner);
    let seen = |version, outcome| Seen { fingerprint, version, outcome, owner, environment: None, beneath: None };
    let refused = |version, refusal| seen(version, Err(refusal));
    let content = match &bytes.document {
        Ok(content) => content,
        Err(reason) => return refused(None, Refusal { reasons: vec![reason.clone()], ..Refusal::default() }),
    };
    let parsed = Document::parse(content).and_then(|document| named(document, name));
    let digest = match &parsed {
        Ok(document) => Some(document.digest()),
        Err(_) => document::canonical_digest(content).ok(),
    };
    let signature = match (trust, digest) {
        (Some(trust), Some(digest)) => {
            envelope(bytes).and_then(|envelope| vouch(trust, name, envelope, content, digest))
        }
        (Some(_), None) | (None, _) => Ok((None, None)),
    };
    match (parsed, signature) {
        (Ok(document), Ok((signature, until))) => {
            seen(Some(document.version().clone()), Ok(Checked { document, signature, until }))
        }
        (parsed, signature) => {
            let fault = signature.err();
            let mistakes = parsed.err().unwrap_or_default();
            let told = mistakes.iter().map(ToString::to_string).chain(fault.iter().map(ToString::to_string));
            let reasons = told.collect();
            let draft = Draft::of(content).map(Arc::new);
            refused(document::claimed_version(content), Refusal { reasons, fault, mistakes, draft })
        }
    }
}

fn named(document: Document, name: &TemplateName) -> Result<Document, Vec<Mistake>> {
    if document.name() == name {
        return Ok(document);
    }
    let message = format!("the file is {name}.json, so that the name must be {name}");
    Err(document.place(vec![Mistake::at("/name", message)], |_| None))
}

fn envelope(bytes: &Bytes) -> Result<Envelope, Fault> {
    match &bytes.signature {
        Ok(Some(signature)) => Envelope::parse(signature),
        Ok(None) => Err(Fault::Missing),
        Err(reason) => Err(Fault::Malformed(reason.clone())),
    }
}

/// Whose signature it is, and until when it holds.
fn vouch(
    trust: Trust<'_>,
    name: &TemplateName,
    envelope: Envelope,
    content: &[u8],
    own: Digest,
) -> Result<(Option<Signed>, Option<Timestamp>), Fault> {
    let legacy = match &envelope {
        Envelope::V1 { .. } => None,
        Envelope::Legacy { .. } => document::legacy_digest(content).ok(),
    };
    let algorithm = match &envelope {
        Envelope::V1 { algorithm, .. } => *algorithm,
        Envelope::Legacy { .. } => Algorithm::RsaPssSha256,
    };
    let trusted = metrics::verified(algorithm, || trust.verify(name, &envelope, &Digests { own, legacy }))?;
    let (Envelope::V1 { signature, .. } | Envelope::Legacy { signature }) = envelope;
    Ok((Some(Signed { signer: trusted.signer, signature, legacy }), trusted.until))
}
