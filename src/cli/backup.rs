//! `factoryctl backup` and `factoryctl restore`: everything durable in one file, and back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde_json::{Value, json};

use super::exit::{Error, Exit};
use super::output::{Output, Paint, Tone};
use super::progress::Progress;
use super::session::Session;
use super::words;
use crate::client::Download;
use crate::config::settings::{Encryption, KeyFile};
use crate::config::{self, Overrides, Sources};
use crate::domain::clock::Timestamp;
use crate::store::backup::{self, Restored, Summary};
use crate::store::{self, Masters};

const BACKUP_EXAMPLES: &str = "\
Examples:
  factoryctl backup /srv/backups/factory.zst
  factoryctl backup \"factory-$(date +%F).zst\" --json | jq .sha256

The daemon goes on meanwhile. Where records are not encrypted, the file holds every text and the key of pseudonyms in clear: keep it
as you keep the data directory. Where they are, it is of no use without the master key, which is not in it: keep that elsewhere. It
holds no provider's key and no settings. It is written as FILE.partial and gets its name when it is whole; a FILE
that is there is replaced then.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  systemctl stop factoryd
  factoryctl restore /srv/backups/factory.zst --config /etc/agent-factory/factoryd.toml
  systemctl start factoryd

The daemon must be stopped. The whole file is checked first; the old data directory is kept beside the new one. Tasks that were
open when the backup was taken go on, and may call and pay again for what they had done since.";

/// The arguments of `backup`.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(super) struct Backup {
    /// Where to write the archive.
    file: PathBuf,
}

/// The arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(super) struct Restore {
    /// The archive.
    file: PathBuf,

    /// The daemon's settings, of which `data_dir` and `[encryption]` alone are read; /etc/agent-factory/factoryd.toml where it exists and none is named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The data directory; what the settings say where it is not given.
    #[arg(long, value_name = "DIR", env = "NG_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,

    /// The master key under which the backup was taken, where its records are encrypted; what the settings say where it is not
    /// given.
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

impl Backup {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let began = Instant::now();
        let summary = take(session, &target(&self.file)?).await?;
        let file = self.file.display().to_string();
        let document = with(described(&summary), "file", json!(file));
        session.output.show(&document, |paint| {
            let size = words::bytes(summary.bytes);
            let line = format!("{size} in {} · position {}", words::duration(began.elapsed()), summary.totals.position);
            let sum = paint.text(Tone::Faint, &format!("sha256 {}", hex::encode(summary.sha256)));
            format!("{} {file}\n{line}\n{sum}", paint.text(Tone::Good, "backup:"))
        })?;
        remark_losses(&session.output, &summary);
        Ok(Exit::Done)
    }
}

/// Writes the archive beside its place, checks what the disk holds of it, and gives it its name.
async fn take(session: &Session, target: &Path) -> Result<Summary, Error> {
    let partial = beside(target)?;
    // Asked first: what a backup that is being taken has written so far is not touched by one that is refused.
    let stream = session.client.backup().await?;
    let file = create(&partial).map_err(|fault| not_written(&partial, &fault))?;
    let taken = receive(stream, file, &partial, target).await;
    if taken.is_err() {
        // What is there is no archive.
        let _gone = fs::remove_file(&partial).is_ok();
    }
    taken
}

async fn receive(mut stream: Download, mut file: File, partial: &Path, target: &Path) -> Result<Summary, Error> {
    let progress = Progress::start("backing up");
    let mut bytes = 0_u64;
    while let Some(chunk) = stream.next().await? {
        file.write_all(&chunk).map_err(|fault| not_written(partial, &fault))?;
        bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        progress.say(format!("backing up · {}", words::bytes(bytes)));
    }
    file.sync_all().map_err(|fault| not_written(partial, &fault))?;
    progress.say("checking the archive");
    let summary = backup::inspect(partial)?;
    fs::rename(partial, target).map_err(|fault| not_written(target, &fault))?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(|fault| not_written(target, &fault))?;
    Ok(summary)
}

impl Restore {
    pub(super) fn perform(self, output: &Output) -> Result<Exit, Error> {
        let flags = Overrides { data_dir: self.data_dir, ..Overrides::default() };
        let sources = Sources { file: self.config, environment: Vec::new(), flags };
        let (data_dir, encryption) = config::stored(&sources).map_err(|mistakes| Error::Usage(mistakes.to_string()))?;
        let named = self.master_key_file.map(KeyFile::File).or(encryption.master_key);
        let masters =
            Masters::load(&Encryption { master_key: named, ..encryption }, &data_dir).map_err(store::Error::from)?;
        let progress = Progress::start(format!("restoring to {}", data_dir.display()));
        let restored = backup::restore(&self.file, &data_dir, &masters, Timestamp::now())?;
        drop(progress);
        let kept = restored.kept.as_ref().map(|kept| kept.display().to_string());
        let document = with(described(&restored.archive), "data_dir", json!(restored.data_dir.display().to_string()));
        output.show(&with(document, "kept", json!(kept)), |paint| told(&restored, kept.as_deref(), paint))?;
        remark_losses(output, &restored.archive);
        Ok(Exit::Done)
    }
}

fn told(restored: &Restored, kept: Option<&str>, paint: Paint) -> String {
    let archive = &restored.archive;
    let taken_at = words::time(&archive.taken_at.to_string());
    let mut text = format!(
        "{} {} · as it was on {taken_at}, position {}",
        paint.text(Tone::Good, "restored:"),
        restored.data_dir.display(),
        archive.totals.position
    );
    if let Some(kept) = kept {
        text.push_str(&format!("\n{} {kept}", paint.text(Tone::Strong, "kept:    ")));
    }
    text
}

/// What a script is told of an archive.
fn described(summary: &Summary) -> Value {
    let totals = &summary.totals;
    json!({
        "bytes": summary.bytes,
        "sha256": hex::encode(summary.sha256),
        "taken_at": summary.taken_at.to_string(),
        "version": summary.daemon,
        "position": totals.position,
        "entries": totals.entries,
        "groups": totals.groups,
        "payloads": totals.payloads,
        "payloads_missing": totals.payloads_missing,
    })
}

fn with(mut document: Value, member: &str, value: Value) -> Value {
    if let Some(members) = document.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
    document
}

fn remark_losses(output: &Output, summary: &Summary) {
    let missing = summary.totals.payloads_missing;
    if missing > 0 {
        output.remark(|paint| {
            let lost = paint.text(Tone::Warning, "warning:");
            format!(
                "{lost} {missing} payload files were missing or damaged when the backup was taken; it lacks them too"
            )
        });
    }
}

/// The name under which the archive is written before it is whole.
fn beside(file: &Path) -> Result<PathBuf, Error> {
    let name = file.file_name().ok_or_else(|| Error::Usage(format!("{} names no file", file.display())))?;
    let mut partial = name.to_owned();
    partial.push(".partial");
    Ok(file.with_file_name(partial))
}

/// Where the archive goes: a link is followed. What is there and no file, such as a pipe, would be replaced by one.
fn target(file: &Path) -> Result<PathBuf, Error> {
    match fs::metadata(file) {
        Ok(found) if found.is_file() => fs::canonicalize(file).map_err(|fault| not_written(file, &fault)),
        Ok(_) => Err(Error::Usage(format!(
            "{} is there and is no file: a backup is written to a file, so that it can be checked before it gets its name",
            file.display()
        ))),
        // Where it cannot be written either, that is told then.
        Err(_) => Ok(file.to_owned()),
    }
}

/// A new file that its owner alone may read, locked while it is written; one that an interrupted backup left is replaced.
fn create(partial: &Path) -> io::Result<File> {
    let lock = |file: &File| match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(io::Error::new(io::ErrorKind::WouldBlock, "another backup is written to it")),
        Err(fault) => Err(fault.into()),
    };
    match File::open(partial) {
        Ok(left) => lock(&left).and_then(|()| fs::remove_file(partial))?,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
        Err(fault) => return Err(fault),
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial)?;
    lock(&file)?;
    Ok(file)
}

fn not_written(path: &Path, fault: &io::Error) -> Error {
    Error::failed("backup_not_written", format!("write {}: {fault}", path.display()))
}
