//! Signing, verifying and validating single files, without a daemon and without settings.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::control_plane::policy::Policy;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, TemplateName, Version};

use super::error::Error;
use super::format::compressed;
use super::format::document::{self, Document, TEMPLATE_BYTES_MAX};
use super::format::inherit::{self, EXTENDS_MAX};
use super::format::mistake::Mistake;
use super::format::wire::{self, Facts};
use super::model::Signer;
use super::trust::TrustStore;
use super::trust::fault::Fault;
use super::trust::keys::{PrivateKey, file};
use super::trust::signature::{Digests, Envelope, SIGNATURE_BYTES_MAX, message};

/// How template files end.
pub const TEMPLATE_SUFFIX: &str = ".json";
/// How template files end that are compressed with zstd, behind [`TEMPLATE_SUFFIX`].
pub const COMPRESSED_SUFFIX: &str = ".zst";
/// How signature files end, behind the template's name.
pub const SIGNATURE_SUFFIX: &str = ".sig";

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The digest of the file's canonical form.
    pub digest: Digest,
    /// Whose signature fits.
    pub signer: Signer,
    /// The first instant at which it holds no longer.
    pub until: Option<Timestamp>,
}

/// What was validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// The template's name.
    pub name: TemplateName,
    /// Its version.
    pub version: Version,
    /// The digest of the resolved template.
    pub digest: Digest,
}

/// Signs a template file with the key in `ID.pem` and puts the signature beside it, in place of an older one. Whether the file
/// is a good template is not asked; see [`validate_file`].
///
/// # Errors
/// The file is not unambiguous JSON, the key cannot be used, or the directory cannot be written.
pub fn sign_file(path: &Path, private_key: &Path) -> Result<(), Error> {
    let key = PrivateKey::read(private_key)?;
    let digest = digest_of(path)?;
    let algorithm = key.algorithm();
    let signature = key.sign(&message(&key.id, algorithm, &digest));
    let envelope = Envelope::V1 { key_id: key.id, algorithm, signature };
    replace(&signature_path(path), envelope.to_text().as_bytes())
}

/// Verifies a template file against the signature beside it, as it is trusted now.
///
/// # Errors
/// The file is not unambiguous JSON or not named like a template, or its signature makes it not trusted.
pub fn verify_file(path: &Path, trust: &TrustStore, now: Timestamp) -> Result<Verified, Error> {
    let invalid = |mistakes| Error::Invalid { path: path.to_owned(), mistakes };
    let bytes = read_bounded(path, TEMPLATE_BYTES_MAX)?;
    let digest = document::canonical_digest(&bytes).map_err(invalid)?;
    let stem =
        path.file_name().and_then(|name| name.to_str()).map(|name| name.strip_suffix(TEMPLATE_SUFFIX).unwrap_or(name));
    let name: TemplateName = stem
        .and_then(|stem| stem.parse().ok())
        .ok_or_else(|| invalid(vec![Mistake::at("", "the file's name is not the name of a template")]))?;
    let refuse = |fault| Error::Signature { path: path.to_owned(), fault };
    let beside = signature_path(path);
    if !beside.exists() {
        return Err(refuse(Fault::Missing));
    }
    let envelope = Envelope::parse(&read_bounded(&beside, SIGNATURE_BYTES_MAX)?).map_err(refuse)?;
    let legacy = match &envelope {
        Envelope::V1 { .. } => None,
        Envelope::Legacy { .. } => Some(document::legacy_digest(&bytes).map_err(invalid)?),
    };
    let trusted = trust.verify(&name, &envelope, &Digests { own: digest, legacy }, now).map_err(refuse)?;
    Ok(Verified { digest, signer: trusted.signer, until: trusted.until })
}

/// Judges a template file as the daemon would, but for its signature: schema, parents (looked for in `siblings`), plan, and
/// the shipped policy.
///
/// # Errors
/// All mistakes of the file, or what is wrong with a parent.
pub fn validate_file(path: &Path, siblings: &Path) -> Result<Validated, Error> {
    let invalid = |mistakes| Error::Invalid { path: path.to_owned(), mistakes };
    let document = read_document(path)?;
    let stem = path.file_name().and_then(|name| name.to_str()).and_then(template_stem);
    if stem != Some(document.name().as_str()) {
        let message = format!("the file must be named {}{TEMPLATE_SUFFIX}", document.name());
        return Err(invalid(vec![Mistake::at("/name", message)]));
    }
    let resolved = resolve(path, &document, siblings)?;
    let (digest, _) = document::resolved_form(&resolved).map_err(|mistake| invalid(vec![mistake]))?;
    let facts = Facts { digest, signer: None, published_at: Timestamp::from_micros(0) };
    let template = wire::typed(&resolved, facts).map_err(invalid)?;
    let denials = Policy::shipped().check(&resolved, None).err().unwrap_or_default();
    if !denials.is_empty() {
        return Err(invalid(denials.into_iter().map(|denial| Mistake::at("", denial.to_string())).collect()));
    }
    Ok(Validated { name: template.name, version: template.version, digest })
}

/// The file with everything that it inherits, from the parents as their files are now.
fn resolve(path: &Path, document: &Document, siblings: &Path) -> Result<Value, Error> {
    let mut chain = vec![document.clone()];
    let told = |chain: &[Document], next: &TemplateName, what: &str| {
        let names: Vec<&str> = chain.iter().map(|document| document.name().as_str()).collect();
        let message = format!("{what}: {} -> {next}", names.join(" -> "));
        Error::Invalid { path: path.to_owned(), mistakes: vec![Mistake::at("/extends", message)] }
    };
    while let Some(parent) = chain.last().and_then(|last| last.extends().cloned()) {
        if chain.iter().any(|document| *document.name() == parent) {
            return Err(told(&chain, &parent, "templates extend one another"));
        }
        if chain.len() > EXTENDS_MAX {
            return Err(told(&chain, &parent, "more parents than are allowed"));
        }
        let plain = siblings.join(format!("{parent}{TEMPLATE_SUFFIX}"));
        let compressed = siblings.join(format!("{parent}{TEMPLATE_SUFFIX}{COMPRESSED_SUFFIX}"));
        let beside = match (plain.exists(), compressed.exists()) {
            (true, false) => plain,
            (false, true) => compressed,
            (false, false) => return Err(told(&chain, &parent, "the parent is missing")),
            (true, true) => return Err(told(&chain, &parent, "the parent has two files, one of them compressed")),
        };
        chain.push(read_document(&beside)?);
    }
    let mut newest = chain.iter().rev().map(|document| &document.value);
    let eldest = newest.next().cloned().unwrap_or_default();
    Ok(newest.fold(eldest, |parent, child| inherit::resolve(&parent, child)))
}

fn read_document(path: &Path) -> Result<Document, Error> {
    let bytes = read_template(path)?;
    Document::parse(&bytes).map_err(|mistakes| Error::Invalid { path: path.to_owned(), mistakes })
}

fn digest_of(path: &Path) -> Result<Digest, Error> {
    let bytes = read_template(path)?;
    document::canonical_digest(&bytes).map_err(|mistakes| Error::Invalid { path: path.to_owned(), mistakes })
}

/// The template that a file's name is about: what stands before `.json` or `.json.zst`.
pub(super) fn template_stem(file: &str) -> Option<&str> {
    file.strip_suffix(COMPRESSED_SUFFIX).unwrap_or(file).strip_suffix(TEMPLATE_SUFFIX)
}

/// The template that the name of a file, compressed or not, or of a signature is about.
pub(super) fn template_or_signature_stem(file: &str) -> Option<&str> {
    match file.strip_suffix(SIGNATURE_SUFFIX) {
        Some(signed) => signed.strip_suffix(TEMPLATE_SUFFIX),
        None => template_stem(file),
    }
}

fn is_compressed(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(COMPRESSED_SUFFIX.as_bytes())
}

/// Where the signature of a template file lies: it is of the content, so that a compressed file has the same as a plain one.
#[must_use]
pub fn signature_path(path: &Path) -> PathBuf {
    let mut beside = if is_compressed(path) { path.with_extension("") } else { path.to_owned() }.into_os_string();
    beside.push(SIGNATURE_SUFFIX);
    PathBuf::from(beside)
}

/// Reads a template file, decompressed where its name says that it is compressed.
fn read_template(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = read_bounded(path, TEMPLATE_BYTES_MAX)?;
    if !is_compressed(path) {
        return Ok(bytes);
    }
    compressed::decompress(&bytes)
        .map_err(|reason| Error::Invalid { path: path.to_owned(), mistakes: vec![Mistake::at("", reason)] })
}

/// A file's content, and whose it is.
pub(super) struct Owned {
    pub(super) bytes: Vec<u8>,
    /// The number of its owner.
    pub(super) owner: u32,
}

/// Reads a file up to one byte more than the limit, so that whoever parses it sees that it is too large.
pub(super) fn read_bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
    read_owned(path, bytes_max).map(|file| file.bytes)
}

/// [`read_bounded`], with the owner of the very file that was read.
pub(super) fn read_owned(path: &Path, bytes_max: usize) -> Result<Owned, Error> {
    let told = |fault: std::io::Error| file("read", path, &fault);
    let opened = std::fs::File::open(path).map_err(told)?;
    let owner = opened.metadata().map_err(told)?.uid();
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let _read = opened.take(limit).read_to_end(&mut bytes).map_err(told)?;
    Ok(Owned { bytes, owner })
}

/// Puts a whole file in a path's place at once: whoever watches never sees half a signature.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let told = |fault: std::io::Error| file("write", path, &fault);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(directory).map_err(told)?;
    fresh.write_all(content).map_err(told)?;
    fresh.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(told)?;
    fresh.as_file().sync_all().map_err(told)?;
    let _file = fresh.persist(path).map_err(|fault| told(fault.error))?;
    Ok(())
}
