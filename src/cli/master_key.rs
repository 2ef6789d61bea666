//! `factoryctl keys master`, `keys rotate` and `keys status`: the keys that the store is encrypted with.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::{Error, Exit};
use super::output::{Output, Paint, Tone};
use super::session::Session;
use crate::protocol::encryption::Encryption;
use crate::store::MasterKey;

/// The arguments of `master`.
#[derive(Debug, Args)]
pub(super) struct Master {
    /// Where to write it: a new file, outside the data directory.
    file: PathBuf,
}

impl Master {
    pub(super) fn perform(self, output: &Output) -> Result<Exit, Error> {
        let path = self.file.display().to_string();
        let failed = |fault: std::io::Error| Error::failed("master_key_not_written", format!("write {path}: {fault}"));
        let key = MasterKey::generate().map_err(failed)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file).and_then(|mut file| {
            file.write_all(key.to_text().as_bytes())?;
            file.sync_all()
        });
        made.map_err(failed)?;
        output.show(&json!({"file": path}), |paint| {
            let keep =
                "keep a copy where neither the data directory nor its backups are: without it nothing can be read";
            format!("{} {path}\n{}", paint.text(Tone::Good, "master key:"), paint.text(Tone::Warning, keep))
        })?;
        Ok(Exit::Done)
    }
}

pub(super) async fn rotate(session: &Session) -> Result<Exit, Error> {
    let encryption = session.client.rotate_keys().await?;
    session.output.show(&encryption, |paint| line(&encryption, paint))?;
    Ok(Exit::Done)
}

pub(super) async fn status(session: &Session) -> Result<Exit, Error> {
    let encryption = session.client.encryption().await?;
    session.output.show(&encryption, |paint| line(&encryption, paint))?;
    Ok(Exit::Done)
}

/// How encryption is, in a line.
pub(super) fn line(encryption: &Encryption, paint: Paint) -> String {
    let Some(keys) = &encryption.keys else {
        return paint.text(Tone::Warning, "off: records are stored in clear");
    };
    let tone = if encryption.state == "sealed" { Tone::Good } else { Tone::Warning };
    let mut text =
        format!("{} · {} keys, generation {}", paint.text(tone, &encryption.state), keys.current, keys.generation);
    if encryption.state != "sealed" {
        text.push_str(&format!(" · {} of {} records looked at sealed anew", encryption.resealed, encryption.looked_at));
    }
    if encryption.unreadable > 0 || keys.damaged > 0 {
        let lost = format!("{} records unreadable, {} keys damaged", encryption.unreadable, keys.damaged);
        text.push_str(&format!(" · {}", paint.text(Tone::Bad, &lost)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::encryption::Keys;

    #[test]
    fn the_line_says_how_far_it_is() {
        let off = Encryption { state: "off".into(), keys: None, looked_at: 0, resealed: 0, unreadable: 0 };
        assert_eq!(line(&off, Paint::Plain), "off: records are stored in clear");
        let keys = Keys { current: 3, replaced: 3, destroyed: 0, damaged: 0, generation: 1, wraps: 0 };
        let sealing =
            Encryption { state: "sealing".into(), keys: Some(keys), looked_at: 40, resealed: 12, unreadable: 0 };
        let text = line(&sealing, Paint::Plain);
        assert_eq!(text, "sealing · 3 keys, generation 1 · 12 of 40 records looked at sealed anew");
        let sealed = Encryption { state: "sealed".into(), unreadable: 2, ..sealing };
        let text = line(&sealed, Paint::Plain);
        assert_eq!(text, "sealed · 3 keys, generation 1 · 2 records unreadable, 0 keys damaged");
    }
}
