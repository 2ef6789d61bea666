//! `factoryctl keys`: the keys that sign templates, for which no daemon is needed, and those that the store is encrypted with.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::exit::{Error, Exit};
use super::master_key::{self, Master};
use super::output::{Output, Paint, Tone};
use super::session::Session;
use super::table::{Table, plain};
use super::templates::TrustFiles;
use crate::control_plane::template::revoking::{self, Subject};
use crate::control_plane::template::{Algorithm, KeyStatus, KeyView, PUBLIC_KEY_SUFFIX, TrustStore, keys};
use crate::domain::clock::Timestamp;
use crate::domain::name::KeyId;

/// Digits of a fingerprint that a table shows; `--json` has all 64.
const FINGERPRINT_SHOWN: usize = 16;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Makes a key pair: ID.pem, which signs and stays with you, and ID.pub.pem, which the daemon trusts.
    #[command(after_help = "Examples:
  factoryctl keys generate release --out ~/keys
  install -m 644 ~/keys/release.pub.pem /etc/agent-factory/keys/")]
    Generate(Generate),
    /// Lists the keys of a directory of trusted keys, what each is trusted with, and how it stands now.
    #[command(after_help = "Example:\n  factoryctl keys ls --dir /etc/agent-factory/keys")]
    Ls(TrustFiles),
    /// Revokes a key: adds it to the signed list of revocations beside the keys. It cannot be taken back.
    #[command(after_help = "Examples:
  factoryctl keys revoke release --key ~/keys/admin.pem --dir /etc/agent-factory/keys --reason \"laptop stolen\"
  factoryctl keys revoke ./found-elsewhere.pub.pem --key ~/keys/admin.pem --dir /etc/agent-factory/keys")]
    Revoke(Revoke),
    /// Makes a master key, under which the daemon encrypts what it stores (`encryption.master_key_file`). No daemon is needed.
    #[command(after_help = "Example:
  factoryctl keys master /etc/agent-factory/private/master.key")]
    Master(Master),
    /// Gives every tenant and user a new key; records are encrypted with it in the background, then the old ones are destroyed.
    #[command(after_help = "Example:\n  factoryctl keys rotate && factoryctl keys status")]
    Rotate,
    /// How encryption at rest is, and how far a rotation.
    #[command(after_help = "Example:\n  factoryctl keys status --json | jq .state")]
    Status,
}

/// The arguments of `generate`.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// The key's name; signatures carry it.
    #[arg(value_parser = key_id)]
    id: KeyId,
    /// Where to put both files; it is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// The algorithm.
    #[arg(long, value_enum, default_value_t = Choice::Ed25519)]
    algorithm: Choice,
}

/// The arguments of `revoke`.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The key's id; or a public key file, ending in .pub.pem, to revoke that key by its fingerprint whatever its name.
    #[arg(value_name = "ID|FILE.pub.pem", value_parser = subject)]
    subject: Subject,
    /// The private key that signs the list: one that may revoke, and not the one that is revoked.
    #[arg(long, value_name = "ADMIN.pem")]
    key: PathBuf,
    /// The directory of trusted keys.
    #[arg(long, alias = "keys", value_name = "DIR", default_value = "keys")]
    dir: PathBuf,
    /// Why, for people; at most 256 bytes.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// The algorithms by the names that people use.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Choice {
    Ed25519,
    Rsa,
}

fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn subject(text: &str) -> Result<Subject, String> {
    if text.ends_with(PUBLIC_KEY_SUFFIX) { Ok(Subject::File(text.into())) } else { key_id(text).map(Subject::Id) }
}

impl Keys {
    pub(super) async fn perform(self, session: &Session, output: &Output) -> Result<Exit, Error> {
        match self {
            Self::Generate(generate) => generate.perform(output),
            Self::Ls(files) => list(output, &files.read(output)),
            Self::Revoke(revoke) => revoke.perform(output),
            Self::Master(master) => master.perform(output),
            Self::Rotate => master_key::rotate(session).await,
            Self::Status => master_key::status(session).await,
        }
    }
}

impl Generate {
    fn perform(self, output: &Output) -> Result<Exit, Error> {
        let algorithm = match self.algorithm {
            Choice::Ed25519 => Algorithm::Ed25519,
            Choice::Rsa => Algorithm::RsaPssSha256,
        };
        let paths = keys::generate(&self.id, algorithm, &self.out)?;
        let (private, public) = (paths.private.display().to_string(), paths.public.display().to_string());
        let document =
            json!({"key_id": self.id.as_str(), "algorithm": algorithm.as_str(), "private": private, "public": public});
        output.show(&document, |paint| {
            format!(
                "{} {private}  {}\n{} {public}  {}",
                paint.text(Tone::Strong, "private:"),
                paint.text(Tone::Faint, "keep it to yourself; `factoryctl templates sign FILE --key …` uses it"),
                paint.text(Tone::Strong, "public: "),
                paint.text(Tone::Faint, "copy it to the daemon's trusted_keys_dir"),
            )
        })?;
        Ok(Exit::Done)
    }
}

impl Revoke {
    fn perform(self, output: &Output) -> Result<Exit, Error> {
        let raised = revoking::revoke(&self.subject, &self.dir, &self.key, self.reason, Timestamp::now())?;
        let revoked = &raised.revocation;
        let path = raised.path.display().to_string();
        let document = json!({
            "file": path,
            "version": raised.version,
            "key_id": revoked.key_id.as_ref().map(KeyId::as_str),
            "spki_sha256": revoked.spki_sha256.map(|digest| digest.to_string()),
            "revoked_at": revoked.revoked_at.to_string(),
            "reason": revoked.reason,
            "signed_by": raised.signed_by.as_str(),
        });
        output.show(&document, |paint| {
            let what = revoked.key_id.as_ref().map(ToString::to_string);
            let what = what.or_else(|| revoked.spki_sha256.map(|digest| format!("the key sha256 {digest}")));
            format!(
                "{} {}; {path} has version {}, signed by {}\n{}",
                paint.text(Tone::Bad, "revoked:"),
                what.unwrap_or_default(),
                raised.version,
                raised.signed_by,
                paint.text(Tone::Faint, "copy it with its .sig to every host; what the key signed must be signed anew"),
            )
        })?;
        if revoked.spki_sha256.is_none() {
            output.remark(|paint| {
                let note = paint.text(Tone::Warning, "note:");
                format!(
                    "{note} its file is not here, so that it is revoked by its name only; name its .pub.pem as well"
                )
            });
        }
        Ok(Exit::Done)
    }
}

fn list(output: &Output, trust: &TrustStore) -> Result<Exit, Error> {
    let keys: Vec<KeyView<'_>> = trust.views(Timestamp::now()).collect();
    let items: Vec<Value> = keys.iter().map(told).collect();
    let revocations = trust.revocations().map(|list| list.version());
    output.show(&json!({"items": items, "next": null, "revocations_version": revocations}), |paint| {
        table(&keys, paint)
    })?;
    Ok(Exit::Done)
}

fn told(key: &KeyView<'_>) -> Value {
    let grant = key.grant;
    json!({
        "key_id": key.id.as_str(),
        "algorithm": key.public.algorithm().as_str(),
        "bits": key.public.bits(),
        "spki_sha256": key.spki_sha256.to_string(),
        "status": key.standing.as_str(),
        "schemes": grant.map(|g| g.schemes.iter().map(|scheme| scheme.as_str()).collect::<Vec<_>>()).unwrap_or_default(),
        "templates": grant.map(|g| g.templates.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default(),
        "not_before": grant.and_then(|g| g.not_before).map(|at| at.to_string()),
        "not_after": grant.and_then(|g| g.not_after).map(|at| at.to_string()),
        "revokes": grant.is_some_and(|g| g.revokes),
        "revoked_at": key.revocation.map(|revocation| revocation.revoked_at.to_string()),
        "revocation_reason": key.revocation.and_then(|revocation| revocation.reason.clone()),
    })
}

fn table(keys: &[KeyView<'_>], paint: Paint) -> String {
    let head = ["KEY", "STATUS", "ALGORITHM", "BITS", "FORMS", "TEMPLATES", "FROM", "UNTIL", "REVOKES", "SHA-256"];
    let mut table = Table::new(paint, &head);
    for key in keys {
        let tone = match key.standing {
            KeyStatus::Trusted => Tone::Good,
            KeyStatus::NotYetValid => Tone::Warning,
            KeyStatus::Expired | KeyStatus::Revoked | KeyStatus::NotListed => Tone::Bad,
        };
        let joined = |texts: Option<Vec<String>>| plain(texts.map_or_else(|| "-".to_owned(), |texts| texts.join(" ")));
        let time = |at: Option<Timestamp>| plain(at.map_or_else(|| "-".to_owned(), |at| at.to_string()));
        let fingerprint = key.spki_sha256.to_string();
        table.row([
            plain(key.id.as_str()),
            (tone, key.standing.as_str().to_owned()),
            plain(key.public.algorithm().as_str()),
            plain(key.public.bits().to_string()),
            joined(key.grant.map(|grant| grant.schemes.iter().map(ToString::to_string).collect())),
            joined(key.grant.map(|grant| grant.templates.iter().map(ToString::to_string).collect())),
            time(key.grant.and_then(|grant| grant.not_before)),
            time(key.grant.and_then(|grant| grant.not_after)),
            plain(if key.grant.is_some_and(|grant| grant.revokes) { "yes" } else { "no" }),
            (Tone::Faint, fingerprint.get(..FINGERPRINT_SHOWN).unwrap_or(&fingerprint).to_owned()),
        ]);
    }
    table.render("no keys; make one with `factoryctl keys generate ID`")
}
