//! `factoryctl keys`: the keys that sign templates; no daemon is needed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::exit::{Error, Exit};
use super::output::{Output, Tone};
use super::table::{Table, plain};
use super::templates;
use crate::control_plane::template::{Algorithm, TrustStore, keys};
use crate::domain::name::KeyId;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Makes a key pair: ID.pem, which signs and stays with you, and ID.pub.pem, which the daemon trusts.
    #[command(after_help = "Examples:
  factoryctl keys generate release --out ~/keys
  install -m 644 ~/keys/release.pub.pem /etc/agent-factory/keys/")]
    Generate(Generate),
    /// Lists the keys of a directory of trusted keys.
    #[command(after_help = "Example:\n  factoryctl keys ls --dir /etc/agent-factory/keys")]
    Ls {
        /// The directory.
        #[arg(long, value_name = "DIR", default_value = "keys")]
        dir: PathBuf,
    },
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

/// The algorithms by the names that people use.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Choice {
    Ed25519,
    Rsa,
}

fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse().map_err(|error| format!("{error}"))
}

impl Keys {
    pub(super) fn perform(self, output: &Output) -> Result<Exit, Error> {
        match self {
            Self::Generate(generate) => generate.perform(output),
            Self::Ls { dir } => {
                let trust = TrustStore::read(Some(&dir), None);
                templates::remark_unusable(output, &trust);
                list(output, &trust)
            }
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

fn list(output: &Output, trust: &TrustStore) -> Result<Exit, Error> {
    let keys: Vec<_> = trust.keys().map(|(id, key)| (id.as_str(), key.algorithm().as_str())).collect();
    let items: Vec<_> = keys.iter().map(|(id, algorithm)| json!({"key_id": id, "algorithm": algorithm})).collect();
    output.show(&json!({"items": items, "next": null}), |paint| {
        let mut table = Table::new(paint, &["KEY", "ALGORITHM"]);
        for (id, algorithm) in &keys {
            table.row([plain(*id), plain(*algorithm)]);
        }
        table.render("no keys; make one with `factoryctl keys generate ID`")
    })?;
    Ok(Exit::Done)
}
