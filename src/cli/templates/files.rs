//! `factoryctl templates sign|verify|validate`: files, without a daemon and without settings.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::exit::{Error, Exit};
use crate::cli::output::{Output, Tone};
use crate::cli::policy::load;
use crate::control_plane::policy::Policy;
use crate::control_plane::template::signing::{self, Layout};
use crate::control_plane::template::{self, Mistake, TrustStore};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::name::Environment;

/// Template files.
#[derive(Debug, Args)]
pub(in crate::cli) struct Files {
    /// Template files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// The arguments of `validate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Validate {
    #[command(flatten)]
    files: Files,
    /// The policy directory, as the setting policy.dir names it; without it the shipped rules alone are asked.
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// The environment whose files take the place of those of the base directory, as `templates.environment` of the settings.
    ///
    /// FILEs lie in its directory (`templates/NAME`) or in the base directory. A file that extends its own name is known to be
    /// an environment's without this.
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
}

/// The arguments of `sign`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    #[command(flatten)]
    files: Files,
    /// The private key: `ID.pem`, as `factoryctl keys generate ID` writes it.
    #[arg(long, value_name = "ID.pem")]
    key: PathBuf,
}

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    trust: TrustFiles,
}

/// Where the keys lie, for verbs that judge by them without a daemon.
#[derive(Debug, Args)]
pub(in crate::cli) struct TrustFiles {
    /// Where the trusted keys lie, as `ID.pub.pem`, with their trust.toml and revoked.json.
    #[arg(long, visible_alias = "dir", value_name = "DIR", default_value = "keys")]
    pub(in crate::cli) keys: PathBuf,
    /// One more RSA key, which may also sign in the legacy form: the daemon's `rsa_public_key_path`.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) legacy_key: Option<PathBuf>,
}

impl TrustFiles {
    /// Reads the keys; says which files are not believed.
    pub(in crate::cli) fn read(&self, output: &Output) -> TrustStore {
        let trust = TrustStore::read(Some(&self.keys), self.legacy_key.as_deref());
        remark_unusable(output, &trust);
        trust
    }
}

/// What became of one file.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    file: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
    /// The same for programs, such as an editor's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<Spot>,
    /// The line for people, where all is well.
    #[serde(skip)]
    line: String,
    #[serde(skip)]
    exit: Option<Exit>,
}

/// One mistake in its parts.
#[derive(Debug, Serialize)]
struct Spot {
    line: Option<usize>,
    column: Option<usize>,
    pointer: String,
    message: String,
}

impl Spot {
    fn of(mistake: &Mistake) -> Self {
        let (line, column) = (mistake.place.map(|place| place.line), mistake.place.map(|place| place.column));
        Self { line, column, pointer: mistake.shown_pointer(), message: mistake.message.clone() }
    }
}

/// The document: a list like those of the daemon.
#[derive(Debug, Serialize)]
struct Outcomes {
    items: Vec<Outcome>,
    next: Option<String>,
}

impl Sign {
    pub(super) fn perform(&self, output: &Output) -> Result<Exit, Error> {
        self.outcomes().tell(output)
    }

    fn outcomes(&self) -> Outcomes {
        self.files.each(|file| {
            signing::sign_file(file, &self.key)?;
            let signature = signing::signature_path(file).display().to_string();
            Ok(Outcome { line: format!("signed: {signature}"), signature: Some(signature), ..Outcome::default() })
        })
    }
}

impl Verify {
    pub(super) fn perform(&self, output: &Output) -> Result<Exit, Error> {
        let trust = self.trust.read(output);
        self.outcomes(&trust).tell(output)
    }

    fn outcomes(&self, trust: &TrustStore) -> Outcomes {
        self.files.each(|file| {
            let signing::Verified { digest, signer, until } = signing::verify_file(file, trust, Timestamp::now())?;
            let ends = until.map(|until| format!(", trusted until {until}")).unwrap_or_default();
            let (key_id, algorithm, scheme) = (&signer.key_id, signer.algorithm, signer.scheme);
            Ok(Outcome {
                line: format!("{}: signed by {key_id} ({algorithm}, {scheme}){ends}", file.display()),
                key_id: Some(key_id.to_string()),
                algorithm: Some(algorithm.as_str()),
                scheme: Some(scheme.as_str()),
                trusted_until: until.map(|until| until.to_string()),
                digest: Some(digest.to_string()),
                ..Outcome::default()
            })
        })
    }
}

impl Validate {
    /// Judges each file as the daemon would, its parents being looked for beside it, or as the environment has it.
    pub(super) fn perform(&self, output: &Output) -> Result<Exit, Error> {
        let policy = self.policy.as_deref().map_or_else(|| Ok(Policy::shipped()), load)?;
        self.outcomes(&policy).tell(output)
    }

    fn outcomes(&self, policy: &Policy) -> Outcomes {
        self.files.each(|file| {
            let layout = Layout::around(file, self.environment.as_ref());
            let validated = signing::validate_file(file, &layout, policy)?;
            Ok(Outcome {
                line: format!("{}: {} {} is good", file.display(), validated.name, validated.version),
                version: Some(validated.version.to_string()),
                digest: Some(validated.digest.to_string()),
                ..Outcome::default()
            })
        })
    }
}

impl Files {
    /// Does the same to every file, also after one that failed.
    fn each(&self, act: impl Fn(&Path) -> Result<Outcome, template::Error>) -> Outcomes {
        let outcome = |file: &PathBuf| {
            let done = act(file).unwrap_or_else(|error| Outcome::refused(&error));
            Outcome { file: file.display().to_string(), ok: done.code.is_none(), ..done }
        };
        Outcomes { items: self.files.iter().map(outcome).collect(), next: None }
    }
}

impl Outcomes {
    /// Prints what is well, remarks what is not, and ends like the first file that is not.
    fn tell(&self, output: &Output) -> Result<Exit, Error> {
        output.show(self, |_| {
            let good = self.items.iter().filter(|outcome| outcome.ok);
            good.map(|outcome| outcome.line.clone()).collect::<Vec<_>>().join("\n")
        })?;
        for bad in self.items.iter().filter(|outcome| !outcome.ok) {
            output.remark(|paint| {
                let error = paint.text(Tone::Bad, "error:");
                let reasons: String = bad.reasons.iter().map(|reason| format!("\n  - {reason}")).collect();
                format!("{error} {}{reasons}", bad.detail.as_deref().unwrap_or_default())
            });
        }
        Ok(self.exit())
    }

    fn exit(&self) -> Exit {
        self.items.iter().find_map(|outcome| outcome.exit).unwrap_or(Exit::Done)
    }
}

impl Outcome {
    fn refused(error: &template::Error) -> Self {
        let (code, exit) = (Some(error.code()), Some(Exit::of_class(error.class())));
        let (detail, reasons, mistakes) = if let template::Error::Invalid { path, mistakes } = error {
            let reasons = mistakes.iter().map(ToString::to_string).collect();
            let spots = mistakes.iter().map(Spot::of).collect();
            (format!("{} is not a good template", path.display()), reasons, spots)
        } else {
            (error.to_string(), Vec::new(), Vec::new())
        };
        Self { code, exit, detail: Some(detail), reasons, mistakes, ..Self::default() }
    }
}

/// Says which files among the keys are not believed, and why.
pub(in crate::cli) fn remark_unusable(output: &Output, trust: &TrustStore) {
    for (path, reason) in trust.unusable() {
        output.remark(|paint| format!("{} {}: {reason}", paint.text(Tone::Warning, "not believed:"), path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::template::{Algorithm, keys};

    #[test]
    fn files_are_signed_verified_and_judged_one_by_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let pair = keys::generate(&"k".parse().expect("an id"), Algorithm::Ed25519, &path("keys")).expect("a pair");
        std::fs::write(path("good.json"), r#"{"name": "good", "version": "1.0.0", "system_prompt": "x"}"#)
            .expect("write");
        std::fs::write(path("bad.json"), r#"{"name": "other"}"#).expect("write");
        let files = || Files { files: vec![path("good.json"), path("bad.json"), path("none.json")] };
        let trust_files = || TrustFiles { keys: path("keys"), legacy_key: None };
        let oks = |outcomes: &Outcomes| outcomes.items.iter().map(|outcome| outcome.ok).collect::<Vec<_>>();

        let signed = Sign { files: files(), key: pair.private }.outcomes();
        assert_eq!((oks(&signed), signed.exit()), (vec![true, true, false], Exit::Failed));
        assert!(path("good.json.sig").exists());

        let trust = TrustStore::read(Some(&path("keys")), None);
        let verified = Verify { files: files(), trust: trust_files() }.outcomes(&trust);
        assert_eq!((oks(&verified), verified.items[0].key_id.as_deref()), (vec![true, true, false], Some("k")));

        let validated = Validate { files: files(), policy: None, environment: None }.outcomes(&Policy::shipped());
        assert_eq!((oks(&validated), validated.exit()), (vec![true, false, false], Exit::Refused));
        assert_eq!(validated.items[1].code, Some("template_invalid"));
        assert!(!validated.items[1].reasons.is_empty());

        std::fs::write(path("good.json"), r#"{"name": "good", "version": "1.0.0", "system_prompt": "y"}"#)
            .expect("write");
        let tampered = Verify { files: files(), trust: trust_files() }.outcomes(&trust);
        assert_eq!((tampered.items[0].ok, tampered.exit()), (false, Exit::Refused));
    }
}
