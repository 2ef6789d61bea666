//! The layers of templates: the base directory, and over it the one of the environment that the settings name. Blocks.
//!
//! A file of the environment takes the place of the base file of the same name; where it `extends` its own name, it inherits
//! from that file. Other directories in the base directory are nobody's business.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::settings;
use crate::domain::name::{Environment, TemplateName};

use super::audit::Audit;
use super::descent::Astray;
use super::look::Bytes;
use super::opened::{Opened, ReadFile, Stamp};
use crate::control_plane::template::format::compressed;
use crate::control_plane::template::format::document::TEMPLATE_BYTES_MAX;
use crate::control_plane::template::signing::{COMPRESSED_SUFFIX, SIGNATURE_SUFFIX, TEMPLATE_SUFFIX, template_stem};
use crate::control_plane::template::trust::signature::SIGNATURE_BYTES_MAX;

/// The most templates in a directory.
pub const TEMPLATES_MAX: usize = 100_000;
/// The most files that are told to be none.
const IGNORED_MAX: usize = 16;

/// Where templates lie.
#[derive(Debug, Clone)]
pub(in crate::control_plane::template) struct Layers {
    directory: PathBuf,
    environment: Option<Environment>,
    audit: Option<Audit>,
}

/// The layers, open.
#[derive(Debug)]
pub(in crate::control_plane::template) struct OpenLayers {
    pub(in crate::control_plane::template) base: Opened,
    pub(in crate::control_plane::template) overlay: Option<Overlay>,
}

/// The directory of the environment.
#[derive(Debug)]
pub(in crate::control_plane::template) struct Overlay {
    pub(in crate::control_plane::template) environment: Environment,
    /// The directory, or why it is not there.
    pub(in crate::control_plane::template) directory: Result<Opened, String>,
}

/// What the directories hold.
#[derive(Debug, Default)]
pub(in crate::control_plane::template) struct Listed {
    pub(in crate::control_plane::template) names: BTreeSet<TemplateName>,
    /// Files that are none, for these reasons.
    pub(in crate::control_plane::template) ignored: Vec<String>,
}

/// A template's files as they were read.
#[derive(Debug)]
pub(in crate::control_plane::template) struct Files {
    /// The environment whose file it is; none of the base.
    pub(in crate::control_plane::template) environment: Option<Environment>,
    pub(in crate::control_plane::template) bytes: Bytes,
    /// The base file of the same name, where the environment has one in its place.
    pub(in crate::control_plane::template) beneath: Option<Bytes>,
    pub(in crate::control_plane::template) stamps: Stamps,
}

/// Stamps of one layer: of the document, of its compressed form and of the signature.
type Layer = [Option<Stamp>; 3];

/// Stamps of the files of the environment, then of those of the base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::control_plane::template) struct Stamps([Layer; 2]);

impl Stamps {
    /// When the latest of the files was changed, in microseconds since 1970.
    pub(in crate::control_plane::template) fn changed_micros(&self) -> Option<i64> {
        self.0.iter().flatten().flatten().map(Stamp::changed_micros).max()
    }
}

impl Layers {
    pub(in crate::control_plane::template) fn of(directory: &Path, settings: &settings::Templates) -> Self {
        let audit = settings.source_audit.then(|| Audit::for_user(rustix::process::geteuid().as_raw()));
        Self { directory: directory.to_owned(), environment: settings.environment.clone(), audit }
    }

    pub(in crate::control_plane::template) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens the directories anew: they may be others than a moment ago.
    ///
    /// # Errors
    /// The base directory is not there or cannot be read.
    pub(in crate::control_plane::template) fn open(&self) -> Result<OpenLayers, String> {
        let base = Opened::root(&self.directory, self.audit).map_err(told)?;
        let overlay = self.environment.clone().map(|environment| {
            let directory = base.within(environment.as_str()).map_err(told);
            Overlay { environment, directory }
        });
        Ok(OpenLayers { base, overlay })
    }
}

fn told(astray: Astray) -> String {
    match astray {
        Astray::Missing => "there is no such directory".to_owned(),
        Astray::Because(reason) => reason,
    }
}

impl OpenLayers {
    fn over(&self) -> Option<&Opened> {
        self.overlay.as_ref().and_then(|overlay| overlay.directory.as_ref().ok())
    }

    /// Why the environment's directory is not there.
    pub(in crate::control_plane::template) fn overlay_missing(&self) -> Option<&str> {
        self.overlay.as_ref().and_then(|overlay| overlay.directory.as_ref().err()).map(String::as_str)
    }

    /// What the audit has against the directories themselves.
    pub(in crate::control_plane::template) fn faults(&self) -> Vec<String> {
        let over = self.over().map(|opened| opened.faults.clone()).unwrap_or_default();
        let fresh = over.into_iter().filter(|fault| !self.base.faults.contains(fault));
        self.base.faults.iter().cloned().chain(fresh).collect()
    }

    /// The stamps of the directories themselves.
    pub(in crate::control_plane::template) fn stamps(&self) -> (Stamp, Option<Stamp>) {
        (self.base.stamp(), self.over().map(Opened::stamp))
    }

    /// Lists the templates. Hidden files and files of other kinds are nobody's business.
    ///
    /// # Errors
    /// A directory cannot be listed.
    pub(in crate::control_plane::template) fn list(&self) -> Result<Listed, String> {
        let mut listed = Listed::default();
        for directory in [Some(&self.base), self.over()].into_iter().flatten() {
            for file in directory.names()? {
                listed.add(&file);
            }
        }
        listed.ignored.truncate(IGNORED_MAX);
        Ok(listed)
    }

    /// Reads a template's files; none if neither layer has it.
    pub(in crate::control_plane::template) fn read(&self, name: &TemplateName) -> Option<Files> {
        let base = pair(&self.base, name);
        let Some((environment, over)) = self.overlay.as_ref().and_then(|overlay| {
            let opened = overlay.directory.as_ref().ok()?;
            Some((overlay.environment.clone(), pair(opened, name)?))
        }) else {
            let (bytes, stamps) = base?;
            return Some(Files { environment: None, bytes, beneath: None, stamps: Stamps([Layer::default(), stamps]) });
        };
        let (bytes, stamps) = over;
        let (beneath, of_base) = base.map_or((None, Layer::default()), |(bytes, stamps)| (Some(bytes), stamps));
        Some(Files { environment: Some(environment), bytes, beneath, stamps: Stamps([stamps, of_base]) })
    }

    /// The stamps of a template's files, without reading them.
    pub(in crate::control_plane::template) fn stamps_of(&self, name: &TemplateName) -> Stamps {
        let Names { document, compressed, signature } = Names::of(name);
        let of = |directory: Option<&Opened>| {
            let Some(directory) = directory else { return Layer::default() };
            let (document, compressed) = (directory.stamp_of(&document), directory.stamp_of(&compressed));
            let signature = document.or(compressed).and_then(|_| directory.stamp_of(&signature));
            [document, compressed, signature]
        };
        Stamps([of(self.over()), of(Some(&self.base))])
    }
}

impl Listed {
    fn add(&mut self, file: &str) {
        let Some(stem) = template_stem(file).filter(|stem| !stem.starts_with('.')) else { return };
        match stem.parse::<TemplateName>() {
            Ok(name) if self.names.len() >= TEMPLATES_MAX && !self.names.contains(&name) => {
                self.ignore(format!("more than {TEMPLATES_MAX} templates"));
            }
            Ok(name) => {
                self.names.insert(name);
            }
            Err(fault) => self.ignore(format!("{file}: {fault}")),
        }
    }

    fn ignore(&mut self, reason: String) {
        if self.ignored.len() < IGNORED_MAX {
            self.ignored.push(reason);
        }
    }
}

/// What the files of a template are called in each directory.
struct Names {
    document: String,
    compressed: String,
    /// It is of the content, so that both have the same.
    signature: String,
}

impl Names {
    fn of(name: &TemplateName) -> Self {
        Self {
            document: format!("{name}{TEMPLATE_SUFFIX}"),
            compressed: format!("{name}{TEMPLATE_SUFFIX}{COMPRESSED_SUFFIX}"),
            signature: format!("{name}{TEMPLATE_SUFFIX}{SIGNATURE_SUFFIX}"),
        }
    }
}

/// Reads a template and its signature from one directory.
fn pair(directory: &Opened, name: &TemplateName) -> Option<(Bytes, Layer)> {
    let names = Names::of(name);
    let plain = directory.read(&names.document, TEMPLATE_BYTES_MAX);
    let compressed = directory.read(&names.compressed, TEMPLATE_BYTES_MAX);
    let stamp = |read: Option<&ReadFile>| read.and_then(|read| read.stamp);
    let (of_plain, of_compressed) = (stamp(plain.as_ref()), stamp(compressed.as_ref()));
    let (document, owner) = match (plain, compressed) {
        (None, None) => return None,
        (Some(plain), None) => (plain.content, plain.owner),
        (None, Some(compressed)) => {
            (compressed.content.and_then(|bytes| compressed::decompress(&bytes)), compressed.owner)
        }
        (Some(plain), Some(_)) => {
            let Names { document, compressed, .. } = &names;
            (Err(format!("there are both {document} and {compressed}; remove one of them")), plain.owner)
        }
    };
    let beside = directory.read(&names.signature, SIGNATURE_BYTES_MAX);
    let stamps = [of_plain, of_compressed, stamp(beside.as_ref())];
    let signature = beside.map(|read| read.content).transpose();
    Some((Bytes { document, signature, owner }, stamps))
}
