//! Verifies an export, line by line, with nothing but the public key. No daemon, no settings, no store.

use std::io::{self, BufRead, Read as _};

use sha2::{Digest as _, Sha256};

use crate::control_plane::audit::entry::Entry;
use crate::control_plane::audit::handle::Recorded;
use crate::control_plane::audit::key::{PublicKey, Purpose, Signature};
use crate::control_plane::audit::merkle::{self, Tree};
use crate::control_plane::audit::note::{self, Checkpoint};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure};
use crate::store::chain::{self, FIRST_SEQUENCE, GENESIS, Link32};

use super::format::{CHECKPOINT, CheckpointLine, END, ENTRY, EndLine, EntryLine, FORMAT, Header, LINE_BYTES_MAX, line};

/// What is known of the log beforehand, from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The key; the one that the export names where it is not given, which proves only that whoever wrote it signed it.
    pub key: Option<PublicKey>,
    /// A checkpoint of this log, as a signed note.
    pub checkpoint: Option<String>,
}

/// An export that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The key that signed it.
    pub key: PublicKey,
    /// When it was written.
    pub exported_at: Timestamp,
    /// How many entries it has.
    pub entries: u64,
    /// The link of the last one.
    pub head: Link32,
    /// The Merkle root over them.
    pub root: merkle::Hash,
    /// How many checkpoints it has.
    pub checkpoints: u64,
    /// Over how many entries the checkpoint was made that was kept elsewhere, where there is one.
    pub since: Option<u64>,
}

/// What is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not begin as exports do.
    #[error("it is no export of an audit log: {0}")]
    Form(&'static str),
    /// It is another log, or signed by another key.
    #[error("it is signed by another key: it is the export of the log {log}, and that of {expected} was expected")]
    OtherKey {
        /// The log that it says it is.
        log: String,
        /// The log of the key that was given.
        expected: String,
    },
    /// The checkpoint that was kept elsewhere is not one of this log.
    #[error("the checkpoint that was kept elsewhere: {0}")]
    Kept(note::Fault),
    /// It ends too early.
    #[error("it is cut off: {0}")]
    Cut(String),
    /// A line is not what was written.
    #[error("{0}")]
    Changed(String),
}

/// Why an export is not taken for one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("read the export: {0}")]
    Read(#[from] io::Error),
    /// It does not hold.
    #[error("line {line}: {fault}")]
    At {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        fault: Fault,
    },
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "audit_export_unreadable",
            Self::At { fault, .. } => match fault {
                Fault::Form(_) => "audit_export_unreadable",
                Fault::OtherKey { .. } => "audit_other_key",
                Fault::Kept(_) => "audit_checkpoint_refused",
                Fault::Cut(_) => "audit_export_cut",
                Fault::Changed(_) => "audit_export_broken",
            },
        }
    }

    fn class(&self) -> Class {
        Class::Internal
    }

    fn detail(&self) -> String {
        self.to_string()
    }
}

/// Verifies an export to its last byte.
///
/// # Errors
/// The first place where it does not hold, and what is wrong there.
pub fn verify(mut input: impl BufRead, expected: &Expected) -> Result<Report, Error> {
    let (mut verifier, mut held, mut number) = (Verifier::new(expected.clone()), Vec::new(), 0_u64);
    let longest = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    loop {
        held.clear();
        number = number.saturating_add(1);
        let read = input.by_ref().take(longest).read_until(b'\n', &mut held)?;
        let at = |fault| Error::At { line: number, fault };
        if read == 0 {
            return verifier.finish().map_err(at);
        }
        if held.last() != Some(&b'\n') {
            let is_long = read >= LINE_BYTES_MAX;
            let (long, cut) = ("the line is longer than any of an export", "its last line has no end");
            return Err(at(if is_long { Fault::Changed(long.to_owned()) } else { Fault::Cut(cut.to_owned()) }));
        }
        verifier.line(&held).map_err(at)?;
    }
}

/// What has been verified so far.
#[derive(Clone)]
pub(super) struct Verifier {
    expected: Expected,
    hash: Sha256,
    begun: Option<Begun>,
}

#[derive(Clone)]
struct Begun {
    key: PublicKey,
    exported_at: Timestamp,
    last: u64,
    tree: Tree,
    link: Link32,
    /// How many checkpoints there were, and over how many entries the last of them.
    checkpoints: u64,
    signed: Option<u64>,
    /// The checkpoint that was kept elsewhere.
    kept: Option<Checkpoint>,
    has_ended: bool,
}

impl Verifier {
    pub(super) fn new(expected: Expected) -> Self {
        Self { expected, hash: Sha256::new(), begun: None }
    }

    /// Takes the next line, with its end.
    pub(super) fn line(&mut self, held: &[u8]) -> Result<(), Fault> {
        match &mut self.begun {
            None => self.begun = Some(begin(held, &self.expected)?),
            Some(begun) if begun.has_ended => return Err(changed("something follows the end of the export")),
            Some(begun) if held.starts_with(ENTRY.as_bytes()) => begun.entry(held)?,
            Some(begun) if held.starts_with(CHECKPOINT.as_bytes()) => begun.checkpoint(held)?,
            Some(begun) if held.starts_with(END.as_bytes()) => {
                begun.end(held, std::mem::take(&mut self.hash).finalize().into())?;
            }
            Some(_) => return Err(changed("it is neither an entry, nor a checkpoint, nor the end")),
        }
        self.hash.update(held);
        Ok(())
    }

    /// There are no more lines.
    pub(super) fn finish(self) -> Result<Report, Fault> {
        let begun = self.begun.ok_or(Fault::Form("it is empty"))?;
        if !begun.has_ended {
            return Err(Fault::Cut("it has no end line, which is signed over all that stands before it".to_owned()));
        }
        Ok(Report {
            key: begun.key,
            exported_at: begun.exported_at,
            entries: begun.tree.size(),
            head: begun.link,
            root: begun.tree.root(),
            checkpoints: begun.checkpoints,
            since: begun.kept.map(|kept| kept.size),
        })
    }
}

fn changed(text: impl Into<String>) -> Fault {
    Fault::Changed(text.into())
}

/// Reads the header and what is known beforehand.
fn begin(held: &[u8], expected: &Expected) -> Result<Begun, Fault> {
    let header: Header = serde_json::from_slice(held).map_err(|_| Fault::Form("its first line is no header"))?;
    if header.format != FORMAT {
        return Err(Fault::Form("its header names another format"));
    }
    let key = PublicKey::from_base64(&header.key).ok_or(Fault::Form("its header has no usable key"))?;
    if let Some(expected) = expected.key.as_ref().filter(|expected| **expected != key) {
        return Err(Fault::OtherKey { log: key.log_id(), expected: expected.log_id() });
    }
    let exported_at: Timestamp = header.exported_at.parse().map_err(|_| changed("its header has no time"))?;
    if line(&Header::new(&key, exported_at, header.last)).as_bytes() != held {
        return Err(changed("the header is not written as headers are"));
    }
    let kept = expected.checkpoint.as_ref().map(|note| Checkpoint::verify(note, &key)).transpose();
    let kept = kept.map_err(Fault::Kept)?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.size > header.last) {
        let text = format!("it has {} entries, and a checkpoint was signed over {}", header.last, kept.size);
        return Err(Fault::Cut(text));
    }
    let (tree, link, last) = (Tree::default(), GENESIS, header.last);
    let begun = Begun { key, exported_at, last, tree, link, checkpoints: 0, signed: None, kept, has_ended: false };
    begun.agree()?;
    Ok(begun)
}

impl Begun {
    fn entry(&mut self, held: &[u8]) -> Result<(), Fault> {
        let told: EntryLine = serde_json::from_slice(held).map_err(|_| changed("the entry cannot be read"))?;
        let sequence = self.tree.size().saturating_add(FIRST_SEQUENCE);
        if told.entry.sequence != sequence {
            return Err(changed(format!("entry {} stands where {sequence} belongs", told.entry.sequence)));
        }
        if sequence > self.last {
            return Err(changed(format!("entry {sequence} is behind the last one that the header names")));
        }
        let record = told.record().ok_or_else(|| changed("the record cannot be read"))?;
        let link = chain::link(&self.link, sequence, &record);
        if hex::encode(link) != told.entry.link {
            let text = "the chain does not hold: this entry, or one before it, is not the one that was recorded";
            return Err(changed(text));
        }
        let entry = Entry::decode(&record).map_err(|reason| changed(format!("the record cannot be read: {reason}")))?;
        if line(&EntryLine::new(&Recorded { sequence, entry, link }, &record)).as_bytes() != held {
            return Err(changed("what the entry says is not what was recorded, or is not written as entries are"));
        }
        self.tree.append(merkle::leaf(sequence, &record));
        self.link = link;
        self.agree()
    }

    /// Where the checkpoint that was kept elsewhere was made, the entries must be the same.
    fn agree(&self) -> Result<(), Fault> {
        match &self.kept {
            Some(kept) if kept.size == self.tree.size() && kept.root != self.tree.root() => Err(changed(format!(
                "the first {} entries are not those that the checkpoint that was kept elsewhere was signed over",
                kept.size
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn checkpoint(&mut self, held: &[u8]) -> Result<(), Fault> {
        let told: CheckpointLine =
            serde_json::from_slice(held).map_err(|_| changed("the checkpoint cannot be read"))?;
        let unfit = |fault: note::Fault| changed(format!("the checkpoint: {fault}"));
        let checkpoint = Checkpoint::verify(&told.checkpoint, &self.key).map_err(unfit)?;
        if line(&told).as_bytes() != held {
            return Err(changed("the checkpoint is not written as checkpoints are"));
        }
        if checkpoint.size != self.tree.size() {
            let (over, here) = (checkpoint.size, self.tree.size());
            return Err(changed(format!("a checkpoint over {over} entries stands behind entry {here}")));
        }
        if checkpoint.root != self.tree.root() {
            return Err(changed("the entries before it are not those that the checkpoint was signed over"));
        }
        self.checkpoints = self.checkpoints.saturating_add(1);
        self.signed = Some(checkpoint.size);
        Ok(())
    }

    fn end(&mut self, held: &[u8], digest: [u8; 32]) -> Result<(), Fault> {
        let told: EndLine = serde_json::from_slice(held).map_err(|_| changed("the end cannot be read"))?;
        let entries = self.tree.size();
        if (told.end.entries, entries) != (self.last, self.last) {
            return Err(Fault::Cut(format!("it has {entries} entries, and its header names {}", self.last)));
        }
        if self.signed != Some(entries) {
            return Err(Fault::Cut(format!("no checkpoint stands over its {entries} entries")));
        }
        if told.end.sha256 != hex::encode(digest) {
            return Err(changed("what stands before the end is not what was signed"));
        }
        let signature = Signature::from_base64(&told.end.signature);
        if !signature.is_some_and(|signature| self.key.fits(Purpose::Export, &digest, &signature)) {
            return Err(changed("the signature does not fit what stands before it"));
        }
        if line(&told).as_bytes() != held {
            return Err(changed("the end is not written as ends are"));
        }
        self.has_ended = true;
        Ok(())
    }
}
