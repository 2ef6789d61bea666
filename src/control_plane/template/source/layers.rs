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
use crate::control_plane::template::format::document::TEMPLATE_BYTES_MAX;
use crate::control_plane::template::signing::{SIGNATURE_SUFFIX, TEMPLATE_SUFFIX};
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

/// Stamps of the document and signature of the environment, then of the base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::control_plane::template) struct Stamps([Option<Stamp>; 4]);

impl Stamps {
    /// When the latest of the files was changed, in microseconds since 1970.
    pub(in crate::control_plane::template) fn changed_micros(&self) -> Option<i64> {
        self.0.iter().flatten().map(Stamp::changed_micros).max()
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
            let (bytes, [document, signature]) = base?;
            return Some(Files {
                environment: None,
                bytes,
                beneath: None,
                stamps: Stamps([None, None, document, signature]),
            });
        };
        let (bytes, [document, signature]) = over;
        let (beneath, [of_base, of_its_signature]) = base.map_or((None, [None, None]), |(b, stamps)| (Some(b), stamps));
        let stamps = Stamps([document, signature, of_base, of_its_signature]);
        Some(Files { environment: Some(environment), bytes, beneath, stamps })
    }

    /// The stamps of a template's files, without reading them.
    pub(in crate::control_plane::template) fn stamps_of(&self, name: &TemplateName) -> Stamps {
        let (document, signature) = names(name);
        let of = |directory: Option<&Opened>| {
            let document = directory.and_then(|directory| directory.stamp_of(&document));
            let signature = directory.filter(|_| document.is_some()).and_then(|d| d.stamp_of(&signature));
            (document, signature)
        };
        let (over, base) = (of(self.over()), of(Some(&self.base)));
        Stamps([over.0, over.1, base.0, base.1])
    }
}

impl Listed {
    fn add(&mut self, file: &str) {
        let Some(stem) = file.strip_suffix(TEMPLATE_SUFFIX).filter(|stem| !stem.starts_with('.')) else { return };
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

fn names(name: &TemplateName) -> (String, String) {
    (format!("{name}{TEMPLATE_SUFFIX}"), format!("{name}{TEMPLATE_SUFFIX}{SIGNATURE_SUFFIX}"))
}

/// Reads a template and its signature from one directory.
fn pair(directory: &Opened, name: &TemplateName) -> Option<(Bytes, [Option<Stamp>; 2])> {
    let (document, signature) = names(name);
    let ReadFile { content, stamp, owner } = directory.read(&document, TEMPLATE_BYTES_MAX)?;
    let beside = directory.read(&signature, SIGNATURE_BYTES_MAX);
    let stamps = [stamp, beside.as_ref().and_then(|read| read.stamp)];
    let signature = beside.map(|read| read.content).transpose();
    Some((Bytes { document: content, signature, owner }, stamps))
}
