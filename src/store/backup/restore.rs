//! A data directory made of an archive.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::format::{Section, Write, changed};
use super::reader::{Archive, Summary};
use super::snapshot::COMPANIONS;
use super::swap::{self, Place};
use crate::domain::clock::Timestamp;
use crate::store::engine::{self, Engine};
use crate::store::fault::Fault;
use crate::store::group::Writes;
use crate::store::keyring::{self, Masters};
use crate::store::payload::{Payloads, sync_directory};
use crate::store::{Error, Options, committer, reencryption};

/// Bytes that sled may keep in memory meanwhile.
const CACHE_BYTES: u64 = 64 * 1_024 * 1_024;

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The directory that holds what the archive held.
    pub data_dir: PathBuf,
    /// Where the directory is now that was in its place; none where there was none, or nothing in it.
    pub kept: Option<PathBuf>,
    /// What the archive said about itself.
    pub archive: Summary,
}

/// Checks an archive and that a master key fits it, makes a directory of it beside `data_dir`, syncs it, and swaps the two. Blocks. The old directory is never
/// deleted; whoever owned it owns the new one. Where it is interrupted, the old directory is untouched or complete beside the new
/// one, and it can be run again.
///
/// # Errors
/// A daemon holds the directory, the archive is not one or not whole, its records are encrypted and no master key fits, or the disk
/// fails: the old directory is as it was.
pub fn restore(archive: &Path, data_dir: &Path, masters: &Masters, at: Timestamp) -> Result<Restored, Error> {
    let archive = Archive::open(archive)?;
    let data_dir = swap::replaceable(data_dir)?;
    let store = data_dir.join("store");
    // Held until the directory is swapped, so that no daemon starts on what is about to be moved aside.
    let _in_use = if store.is_dir() { Some(engine::lock(&store)?) } else { None };
    let place = Place::beside(&data_dir, at)?;
    match fill(&archive, place.directory(), masters).and_then(|totals| Ok((totals, place.take()?))) {
        Ok((totals, kept)) => Ok(Restored { data_dir, kept, archive: archive.summary(totals) }),
        Err(error) => {
            place.give_up();
            Err(error)
        }
    }
}

/// Puts everything into a new directory and makes it durable.
fn fill(archive: &Archive, directory: &Path, masters: &Masters) -> Result<super::Totals, Error> {
    let engine = Engine::open(directory, Options { cache_bytes: CACHE_BYTES })?;
    let payloads = failed(directory, Payloads::open(directory.join("payloads")))?;
    let totals = archive.each(|section| match section {
        Section::Writes(entries) => load(&engine, directory, entries),
        Section::Payload { digest, body } => {
            let written = failed(directory, payloads.write(&body).map(|(written, _pin)| written))?;
            if written == digest { Ok(()) } else { Err(archive.flawed(changed("a payload has another digest"))) }
        }
        Section::Companion { name, body } => companion(archive, directory, masters, &name, &body),
        Section::End(_) => Ok(()),
    })?;
    let position = committer::last_position(&engine)?;
    if position.0 != totals.position {
        let text = format!("it holds position {}, not {} as it says", position.0, totals.position);
        return Err(archive.flawed(changed(&text)));
    }
    if reencryption::needed(&engine)?.is_some() && !directory.join(keyring::FILE_NAME).exists() {
        return Err(archive.flawed(changed("its records are encrypted, and it has no keyring")));
    }
    engine.flush().map_err(|fault| unwritten(directory, &fault))?;
    drop(engine.mark()?);
    // What sled writes when it closes is part of what must be durable.
    drop(engine);
    failed(directory, swap::sync_all(directory))?;
    Ok(totals)
}

fn load(engine: &Engine, directory: &Path, entries: Vec<Write>) -> Result<(), Error> {
    let writes = Writes { entries: HashMap::from_iter(entries), unnamed: Vec::new() };
    // Flushed each time: sled uses the room of a page that it wrote anew again only when the new one is in its file.
    engine.write(writes).and_then(|()| engine.flush()).map_err(|fault| unwritten(directory, &fault))
}

fn unwritten(directory: &Path, fault: &Fault) -> Error {
    Error::Restore(format!("{}: {fault}", directory.display()))
}

/// Files beside the store; a name that is not expected is refused, so that no archive writes anywhere else.
fn companion(archive: &Archive, directory: &Path, masters: &Masters, name: &str, body: &[u8]) -> Result<(), Error> {
    let path = directory.join(name);
    if name == keyring::FILE_NAME {
        keyring::check(&path, body, masters)?;
    } else if !COMPANIONS.contains(&name) {
        return Err(archive.flawed(changed(&format!("it holds a file {name:?}, which no backup has"))));
    }
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file: File| {
        file.write_all(body)?;
        file.sync_all()
    });
    failed(&path, written)?;
    failed(directory, sync_directory(directory))
}

pub(super) fn failed<T>(path: &Path, outcome: io::Result<T>) -> Result<T, Error> {
    outcome.map_err(|fault| Error::Restore(format!("{}: {fault}", path.display())))
}
