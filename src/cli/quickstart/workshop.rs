//! A private directory with everything that a daemon needs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::exit::Error;
use crate::control_plane::template::signing::{self, TEMPLATE_SUFFIX};
use crate::control_plane::template::{Algorithm, keys};

/// The shipped templates by name.
const TEMPLATES: [(&str, &str); 6] = [
    ("base", include_str!("../../../templates/base.json")),
    ("documentaliste", include_str!("../../../templates/documentaliste.json")),
    ("code_reviewer", include_str!("../../../templates/code_reviewer.json")),
    ("analyst", include_str!("../../../templates/analyst.json")),
    ("security_auditor", include_str!("../../../templates/security_auditor.json")),
    ("coordinateur", include_str!("../../../templates/coordinateur.json")),
];

/// Paths in settings are relative to their file. Routes that are not set lead to `builtin/extractive`.
const SETTINGS: &str = r#"data_dir = "data"
templates_dir = "templates"
socket = "control.sock"

[templates]
trusted_keys_dir = "keys"
"#;

/// The directory; it goes when this does.
#[derive(Debug)]
pub(super) struct Workshop {
    dir: TempDir,
}

impl Workshop {
    /// Makes the directory (mode 700), a key pair, the signed templates and the settings.
    pub(super) fn prepare() -> Result<Self, Error> {
        let dir = tempfile::Builder::new().prefix("agent-factory-").tempdir().map_err(|source| not_made(&source))?;
        let workshop = Self { dir };
        workshop.fill()?;
        Ok(workshop)
    }

    fn fill(&self) -> Result<(), Error> {
        let (templates, trusted) = (self.path().join("templates"), self.path().join("keys"));
        for dir in [&templates, &trusted] {
            fs::create_dir(dir).map_err(|source| not_made(&source))?;
        }
        let id = "quickstart".parse().map_err(|error| Error::failed("workshop_not_made", format!("{error}")))?;
        let pair = keys::generate(&id, Algorithm::Ed25519, &self.path().join("private"))?;
        let public = trusted.join(pair.public.file_name().unwrap_or_default());
        let _bytes = fs::copy(&pair.public, public).map_err(|source| not_made(&source))?;
        for (name, text) in TEMPLATES {
            let file = templates.join(format!("{name}{TEMPLATE_SUFFIX}"));
            fs::write(&file, text).map_err(|source| not_made(&source))?;
            signing::sign_file(&file, &pair.private)?;
        }
        fs::write(self.settings(), SETTINGS).map_err(|source| not_made(&source))
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn settings(&self) -> PathBuf {
        self.path().join("factoryd.toml")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    /// Where the daemon's log goes.
    pub(super) fn log(&self) -> PathBuf {
        self.path().join("factoryd.log")
    }

    /// How many templates there are.
    pub(super) fn templates(&self) -> usize {
        TEMPLATES.len()
    }

    /// Removes the directory with all that is in it.
    pub(super) fn remove(self) -> Result<(), Error> {
        let path = self.path().to_owned();
        self.dir.close().map_err(|source| {
            Error::failed("workshop_not_removed", format!("remove {}: {source}; remove it by hand", path.display()))
        })
    }
}

fn not_made(source: &io::Error) -> Error {
    Error::failed("workshop_not_made", format!("make a private directory for the daemon: {source}"))
}
