//! A private directory with everything that a daemon needs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::exit::Error;
use crate::control_plane::template::signing::{self, TEMPLATE_SUFFIX};
use crate::control_plane::template::{Algorithm, keys};

/// The shipped templates by name.
pub(in crate::cli) const SHIPPED: &[(&str, &str)] = &[
    ("base", include_str!("../../../templates/base.json")),
    ("documentaliste", include_str!("../../../templates/documentaliste.json")),
    ("code_reviewer", include_str!("../../../templates/code_reviewer.json")),
    ("analyst", include_str!("../../../templates/analyst.json")),
    ("security_auditor", include_str!("../../../templates/security_auditor.json")),
    ("coordinateur", include_str!("../../../templates/coordinateur.json")),
];

/// The key that signs them.
const KEY_ID: &str = "private";

/// Paths in settings are relative to their file. Routes that are not set lead to `builtin/extractive`.
///
/// What a bench or a tour wants besides is appended.
const SETTINGS: &str = r#"data_dir = "data"
templates_dir = "templates"
socket = "control.sock"

[templates]
trusted_keys_dir = "keys"
"#;

/// The directory; it goes when this does.
#[derive(Debug)]
pub(in crate::cli) struct Workshop {
    dir: TempDir,
}

impl Workshop {
    /// Makes the directory (mode 700), a key pair, the signed templates (names and texts) and the settings, with `more` behind
    /// those that every such daemon has.
    pub(in crate::cli) fn prepare(templates: &[(&str, &str)], more: &str) -> Result<Self, Error> {
        let dir = tempfile::Builder::new().prefix("agent-factory-").tempdir().map_err(|source| not_made(&source))?;
        let workshop = Self { dir };
        workshop.fill(templates, more)?;
        Ok(workshop)
    }

    fn fill(&self, templates: &[(&str, &str)], more: &str) -> Result<(), Error> {
        let (directory, trusted) = (self.path().join("templates"), self.path().join("keys"));
        for dir in [&directory, &trusted] {
            fs::create_dir(dir).map_err(|source| not_made(&source))?;
        }
        let id = KEY_ID.parse().map_err(|error| Error::failed("workshop_not_made", format!("{error}")))?;
        let pair = keys::generate(&id, Algorithm::Ed25519, &self.path().join("private"))?;
        let public = trusted.join(pair.public.file_name().unwrap_or_default());
        let _bytes = fs::copy(&pair.public, public).map_err(|source| not_made(&source))?;
        for (name, text) in templates {
            let file = directory.join(format!("{name}{TEMPLATE_SUFFIX}"));
            fs::write(&file, text).map_err(|source| not_made(&source))?;
            signing::sign_file(&file, &pair.private)?;
        }
        fs::write(self.settings(), format!("{SETTINGS}{more}")).map_err(|source| not_made(&source))
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(in crate::cli) fn settings(&self) -> PathBuf {
        self.path().join("factoryd.toml")
    }

    pub(in crate::cli) fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    /// Where the daemon's log goes.
    pub(in crate::cli) fn log(&self) -> PathBuf {
        self.path().join("factoryd.log")
    }

    /// Removes the directory with all that is in it.
    pub(in crate::cli) fn remove(self) -> Result<(), Error> {
        let path = self.path().to_owned();
        self.dir.close().map_err(|source| {
            Error::failed("workshop_not_removed", format!("remove {}: {source}; remove it by hand", path.display()))
        })
    }
}

fn not_made(source: &io::Error) -> Error {
    Error::failed("workshop_not_made", format!("make a private directory for the daemon: {source}"))
}
