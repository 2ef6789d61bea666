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
use super::format::chain;
use super::format::compressed;
use super::format::document::{self, Document, TEMPLATE_BYTES_MAX};
use super::format::draft::Draft;
use super::format::inherit::{self, EXTENDS_MAX};
use super::format::mistake::{Mistake, in_order};
use super::format::wire::{self, Facts};
use super::model::Signer;
use super::source::layers::TEMPLATES_MAX;
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
    /// A base directory without an environment.
    #[must_use]
    pub fn base(directory: &Path) -> Self {
        Self { over: None, base: directory.to_owned() }
    }

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

    /// The names of the templates that there are.
    fn neighbours(&self) -> Vec<TemplateName> {
        let directories = self.over.iter().chain(std::iter::once(&self.base));
        let entries = directories.filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
        let name = |file: OsString| template_stem(file.to_str()?)?.parse().ok();
        entries.take(TEMPLATES_MAX).filter_map(|entry| name(entry.file_name())).collect()
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
    let bytes = read_template(path)?;
    let document = Document::parse(&bytes).and_then(|document| named(document, path));
    let document = match document {
        Ok(document) => document,
        Err(mistakes) => {
            let later = Draft::of(&bytes).map(|draft| later(&draft, path, layout)).unwrap_or_default();
            return Err(invalid(in_order(mistakes.into_iter().chain(later).collect())));
        }
    };
    let parents = match parents(path, document.name(), document.extends(), layout) {
        Ok(parents) => parents,
        Err(mistake) => {
            let alone = Draft::good(&document).mistakes(None, |_| None);
            let mistakes = document.place(vec![mistake], |_| None).into_iter().chain(alone);
            return Err(invalid(in_order(mistakes.collect())));
        }
    };
    let resolved = match inherited(&parents) {
        Some(parent) => inherit::resolve(&parent, &document.value),
        None => document.value.clone(),
    };
    let placed = |mistakes| invalid(document.place(mistakes, |pointer| origin(&parents, pointer)));
    let (digest, _) = document::resolved_form(&resolved).map_err(|mistake| placed(vec![mistake]))?;
    let facts = Facts { digest, signer: None, published_at: Timestamp::from_micros(0) };
    let template = wire::typed(&resolved, facts).map_err(placed)?;
    let denials = policy.check(&resolved, None).err().unwrap_or_default();
    if !denials.is_empty() {
        return Err(invalid(denials.into_iter().map(|denial| Mistake::at("", denial.to_string())).collect()));
    }
    Ok(Validated { name: template.name, version: template.version, digest, resolved })
}

fn named(document: Document, path: &Path) -> Result<Document, Vec<Mistake>> {
    let stem = path.file_name().and_then(|name| name.to_str()).and_then(template_stem);
    if stem == Some(document.name().as_str()) {
        return Ok(document);
    }
    let message = format!("the file must be named {}{TEMPLATE_SUFFIX}", document.name());
    Err(document.place(vec![Mistake::at("/name", message)], |_| None))
}

/// What later stages say about a file that is refused already.
fn later(draft: &Draft, path: &Path, layout: &Layout) -> Vec<Mistake> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(template_stem);
    let name = name.and_then(|stem| stem.parse().ok());
    let Some(name) = name else { return draft.mistakes(None, |_| None) };
    match parents(path, &name, draft.extends(), layout) {
        Ok(parents) => draft.mistakes(inherited(&parents).as_ref(), |pointer| origin(&parents, pointer)),
        Err(mistake) => draft.place(vec![mistake]).into_iter().chain(draft.mistakes(None, |_| None)).collect(),
    }
}

/// The documents above a template, the nearest first, from the files as they are now: the file beneath it where it is an
/// environment's that extends its own name, then its parents.
fn parents(
    path: &Path,
    name: &TemplateName,
    extends: Option<&TemplateName>,
    layout: &Layout,
) -> Result<Vec<Document>, Mistake> {
    let layout = match extends {
        Some(parent) if parent == name => layout.clone().seen_from_above(),
        Some(_) | None => layout.clone(),
    };
    let (mut names, mut files) = (vec![name.clone()], vec![path.to_owned()]);
    let mut parents: Vec<Document> = Vec::new();
    let mut next = extends.cloned();
    while let Some(parent) = next {
        let own = names.last() == Some(&parent);
        let over = own && files.last().is_some_and(|file| layout.is_over(file));
        let found = if over { layout.beneath(&parent) } else { layout.file(&parent) };
        if over && found.is_empty() {
            let message = format!(
                "the parent is missing: {parent} is to inherit from the base file beneath it, and there is no {parent}.json"
            );
            return Err(Mistake::at("/extends", message));
        }
        if !over {
            names.push(parent.clone());
        }
        let found = match found.as_slice() {
            [one] => one.clone(),
            [] => {
                let mut mistake = chain::missing(&names, layout.neighbours().iter());
                if layout.over.is_none() {
                    mistake.message.push_str(" (--environment NAME looks into the directory above as well)");
                }
                return Err(mistake);
            }
            _both => {
                let message = format!("the parent {parent} has two files, one of them compressed; remove one of them");
                return Err(Mistake::at("/extends", message));
            }
        };
        let known = files.iter().any(|earlier| *earlier == found || (!own && same_file(earlier, &found)));
        if known {
            return Err(chain::cycle(&names));
        }
        if names.len() > EXTENDS_MAX.saturating_add(1) {
            return Err(chain::too_long(&names));
        }
        let bytes = read_template(&found).ok();
        let Some(document) = bytes.and_then(|bytes| Document::parse(&bytes).ok()) else {
            return Err(chain::refused(&names));
        };
        next = document.extends().cloned();
        parents.push(document);
        files.push(found);
    }
    Ok(parents)
}

/// What the documents above a template come to; nothing where there is none.
fn inherited(parents: &[Document]) -> Option<Value> {
    let mut eldest_first = parents.iter().rev().map(|document| &document.value);
    let eldest = eldest_first.next()?.clone();
    Some(eldest_first.fold(eldest, |parent, child| inherit::resolve(&parent, child)))
}

/// The nearest parent that says something at a pointer.
fn origin(parents: &[Document], pointer: &str) -> Option<TemplateName> {
    parents.iter().find(|document| document.value.pointer(pointer).is_some()).map(|document| document.name().clone())
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one))
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
