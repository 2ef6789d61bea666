//! Signing, verifying and validating single files, without a daemon and without settings.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::control_plane::policy::Policy;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, Environment, TemplateName, Version};

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
    /// It, with everything that it inherits.
    pub resolved: Value,
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
    let bytes = read_template(path)?;
    let digest = document::canonical_digest(&bytes).map_err(invalid)?;
    let stem = path.file_name().and_then(|name| name.to_str()).map(|name| template_stem(name).unwrap_or(name));
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

/// Where a template file lies, and with it where its parents are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The environment's directory, where there is an environment.
    over: Option<PathBuf>,
    base: PathBuf,
}

impl Layout {
    /// The layout around a file: it lies in the environment's directory if that is what its directory is called, else in the
    /// base directory.
    #[must_use]
    pub fn around(file: &Path, environment: Option<&Environment>) -> Self {
        let beside = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(environment) = environment else { return Self { over: None, base: beside.to_owned() } };
        if directory_name(beside).is_some_and(|name| name == environment.as_str()) {
            return Self { base: beside.join(".."), over: Some(beside.to_owned()) };
        }
        Self { over: Some(beside.join(environment.as_str())), base: beside.to_owned() }
    }

    /// The same, for a file that says by extending its own name that it lies in an environment's directory.
    fn seen_from_above(self) -> Self {
        match self.over {
            Some(_) => self,
            None => Self { base: self.base.join(".."), over: Some(self.base) },
        }
    }

    fn is_over(&self, file: &Path) -> bool {
        let beside = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.over.as_deref() == Some(beside)
    }

    fn beneath(&self, name: &TemplateName) -> Vec<PathBuf> {
        present(&self.base, name)
    }

    /// The file that serves under a name; two where one of them is compressed.
    fn file(&self, name: &TemplateName) -> Vec<PathBuf> {
        let over = self.over.as_ref().map(|over| present(over, name));
        over.filter(|over| !over.is_empty()).unwrap_or_else(|| self.beneath(name))
    }
}

/// The files of a template that are there, plain and compressed.
fn present(directory: &Path, name: &TemplateName) -> Vec<PathBuf> {
    ["", COMPRESSED_SUFFIX]
        .map(|compressed| directory.join(format!("{name}{TEMPLATE_SUFFIX}{compressed}")))
        .into_iter()
        .filter(|file| file.exists())
        .collect()
}

/// What a directory is called, also where it is written as `.`.
fn directory_name(directory: &Path) -> Option<OsString> {
    directory.canonicalize().ok()?.file_name().map(OsStr::to_owned)
}

/// Judges a template file as the daemon would, but for its signature: schema, parents (as the layout says), plan, and the
/// policy.
///
/// # Errors
/// All mistakes of the file, or what is wrong with a parent.
pub fn validate_file(path: &Path, layout: &Layout, policy: &Policy) -> Result<Validated, Error> {
    let invalid = |mistakes| Error::Invalid { path: path.to_owned(), mistakes };
    let document = read_document(path)?;
    let stem = path.file_name().and_then(|name| name.to_str()).and_then(template_stem);
    if stem != Some(document.name().as_str()) {
        let message = format!("the file must be named {}{TEMPLATE_SUFFIX}", document.name());
        return Err(invalid(vec![Mistake::at("/name", message)]));
    }
    let resolved = resolve(path, &document, layout)?;
    let (digest, _) = document::resolved_form(&resolved).map_err(|mistake| invalid(vec![mistake]))?;
    let facts = Facts { digest, signer: None, published_at: Timestamp::from_micros(0) };
    let template = wire::typed(&resolved, facts).map_err(invalid)?;
    let denials = policy.check(&resolved, None).err().unwrap_or_default();
    if !denials.is_empty() {
        return Err(invalid(denials.into_iter().map(|denial| Mistake::at("", denial.to_string())).collect()));
    }
    Ok(Validated { name: template.name, version: template.version, digest, resolved })
}

/// The file with everything that it inherits, from the parents as their files are now.
fn resolve(path: &Path, document: &Document, layout: &Layout) -> Result<Value, Error> {
    let layout = match document.extends() {
        Some(parent) if parent == document.name() => layout.clone().seen_from_above(),
        Some(_) | None => layout.clone(),
    };
    let mut chain = vec![(path.to_owned(), document.clone())];
    let told = |chain: &[(PathBuf, Document)], next: &TemplateName, what: &str| {
        let names: Vec<&str> = chain.iter().map(|(_, document)| document.name().as_str()).collect();
        let message = format!("{what}: {} -> {next}", names.join(" -> "));
        Error::Invalid { path: path.to_owned(), mistakes: vec![Mistake::at("/extends", message)] }
    };
    // An environment's file that extends its own name adds one link to those that are counted.
    let links_max = EXTENDS_MAX.saturating_mul(2);
    while let Some((file, parent)) = chain.last().and_then(|(file, last)| Some((file, last.extends()?.clone()))) {
        let own = chain.last().is_some_and(|(_, last)| *last.name() == parent);
        let found = if own && layout.is_over(file) { layout.beneath(&parent) } else { layout.file(&parent) };
        let next = match found.as_slice() {
            [one] => one.clone(),
            [] => {
                let hint = " (--environment NAME looks into the directory above as well)";
                let where_else = if layout.over.is_none() { hint } else { "" };
                return Err(told(&chain, &parent, &format!("the parent is missing{where_else}")));
            }
            _both => return Err(told(&chain, &parent, "the parent has two files, one of them compressed")),
        };
        if chain.iter().any(|(earlier, _)| *earlier == next || (!own && same_file(earlier, &next))) {
            return Err(told(&chain, &parent, "templates extend one another"));
        }
        if chain.len() > links_max || names(&chain) > EXTENDS_MAX {
            return Err(told(&chain, &parent, "more parents than are allowed"));
        }
        let document = read_document(&next)?;
        chain.push((next, document));
    }
    let mut newest = chain.iter().rev().map(|(_, document)| &document.value);
    let eldest = newest.next().cloned().unwrap_or_default();
    Ok(newest.fold(eldest, |parent, child| inherit::resolve(&parent, child)))
}

/// The templates of a chain, a file and the one beneath it counted as one.
fn names(chain: &[(PathBuf, Document)]) -> usize {
    let mut names: Vec<&TemplateName> = chain.iter().map(|(_, document)| document.name()).collect();
    names.dedup();
    names.len()
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one))
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

/// Reads a file up to one byte more than the limit, so that whoever parses it sees that it is too large.
pub(super) fn read_bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let told = |fault: std::io::Error| file("read", path, &fault);
    let opened = std::fs::File::open(path).map_err(told)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let _read = opened.take(limit).read_to_end(&mut bytes).map_err(told)?;
    Ok(bytes)
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
