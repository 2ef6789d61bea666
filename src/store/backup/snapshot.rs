//! A backup: goes through the database while it is written to, and takes down what is written meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::format::{self, Header, Kind, SectionHead, Totals};
use super::tee::{Group, Tee};
use super::writer::Writer;
use crate::domain::clock::Timestamp;
use crate::store::engine::{Engine, FORMAT_CLEAR, FORMAT_SEALED};
use crate::store::keyring;
use crate::store::payload::{Digest, Hold};
use crate::store::shared::Shared;
use crate::store::{Error, Position, committer, key};

/// The longest that a backup may take, however willingly its chunks are taken.
pub const BACKUP_TIME_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Bytes of entries that are read at once. The store can be closed, and what was written is followed, in between.
const SCANNED_AT_ONCE: usize = 256 * 1_024;
/// Files beside the store that a backup takes along. Without `dlp.key` the same value would have another pseudonym after a
/// restore, and what providers and reports know under the old ones could not be matched with anything any more; without `audit.key`
/// the audit log would go on under another key than the one that auditors know.
pub(super) const COMPANIONS: &[&str] = &["dlp.key", "audit.key"];
/// The longest of them, in bytes.
pub(super) const COMPANION_BYTES_MAX: u64 = 64 * 1_024;

/// A backup under way; there is one at a time. Dropping it ends it: nothing is taken down any more, and payload files that
/// were to be removed meanwhile are.
pub(super) struct Snapshot {
    shared: Arc<Shared>,
    tee: Arc<Tee>,
    hold: Hold,
    begun_at: Position,
    began: Instant,
}

/// A part of the database, in the order of its keys.
struct Chunk {
    head: SectionHead,
    body: Vec<u8>,
    last: Vec<u8>,
}

impl Snapshot {
    /// Begins to take down what is written.
    pub(super) fn begin(shared: &Arc<Shared>) -> Result<Self, Error> {
        if let Some(reason) = shared.unwell() {
            return Err(Error::Unwell(reason.to_owned()));
        }
        let hold = shared.payloads.hold().ok_or(Error::BackupRunning)?;
        let tee = Arc::new(Tee::default());
        let begun_at = {
            let mut applying = shared.applying();
            applying.tee = Some(tee.clone());
            applying.position
        };
        Ok(Self { shared: shared.clone(), tee, hold, begun_at, began: Instant::now() })
    }

    /// Writes the archive. Blocks. `durable` waits until a position is on the disk.
    pub(super) fn write_to<W: Write>(
        &self,
        sink: W,
        at: Timestamp,
        durable: impl FnOnce(Position) -> Result<(), Error>,
    ) -> Result<(Totals, W), Error> {
        let daemon = env!("CARGO_PKG_VERSION").to_owned();
        let store_format = if self.shared.keys.is_some() { FORMAT_SEALED } else { FORMAT_CLEAR };
        let (begun_at, time) = (self.begun_at.0, at.micros());
        let header = Header { daemon, store_format, begun_at, time };
        let mut writer = Writer::begin(sink, &header).map_err(abandoned)?;
        let (mut totals, mut named) = (Totals::default(), BTreeSet::new());
        self.scan(&mut writer, &mut totals, &mut named)?;
        let (position, keyring) = self.leave(&mut writer, &mut totals, &mut named)?;
        durable(position)?;
        totals.position = position.0;
        self.payloads(&mut writer, &mut totals, &named)?;
        self.companions(&mut writer, &mut totals, keyring)?;
        let sink = writer.finish(&totals).map_err(abandoned)?;
        Ok((totals, sink))
    }

    fn in_time(&self) -> Result<(), Error> {
        if self.began.elapsed() > BACKUP_TIME_MAX {
            return Err(Error::BackupAbandoned(format!("it took longer than {BACKUP_TIME_MAX:?}")));
        }
        Ok(())
    }

    fn scan<W: Write>(
        &self,
        writer: &mut Writer<W>,
        totals: &mut Totals,
        named: &mut BTreeSet<Digest>,
    ) -> Result<(), Error> {
        let mut after = Bound::Unbounded;
        while let Some(chunk) = self.chunk(after, named)? {
            self.in_time()?;
            writer.section(chunk.head, &chunk.body).map_err(abandoned)?;
            totals.entries = totals.entries.saturating_add(u64::from(chunk.head.count));
            // INVARIANT 2: behind the entries that were read before them, ahead of those that are read after.
            follow(writer, totals, named, self.groups()?)?;
            after = Bound::Excluded(chunk.last);
        }
        Ok(())
    }

    /// The groups that sled was given since the last time. Between two groups: one that is taken down and that sled was not given
    /// yet would stand ahead of entries that are read without it.
    fn groups(&self) -> Result<VecDeque<Group>, Error> {
        let _between = self.shared.applying();
        self.tee.drain()
    }

    fn chunk(&self, after: Bound<Vec<u8>>, named: &mut BTreeSet<Digest>) -> Result<Option<Chunk>, Error> {
        self.with_engine(|engine| {
            let (mut body, mut count, mut last) = (Vec::new(), 0_u32, None);
            for entry in engine.entries((after, Bound::Unbounded)) {
                let (key, value) = entry.map_err(|fault| Error::Read(fault.to_string()))?;
                format::put_write(&mut body, &key, Some(&value));
                named.extend(key::referred(&key));
                count = count.saturating_add(1);
                last = Some(key);
                if body.len() >= SCANNED_AT_ONCE {
                    break;
                }
            }
            let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
            let head = SectionHead { kind: Kind::Entries, count, bytes };
            Ok(last.map(|last| Chunk { head, body, last: last.to_vec() }))
        })
    }

    /// Ends the taking down, between two groups: the archive holds the state at the returned position, whose keyring comes with it.
    ///
    /// INVARIANT: the keyring is that of the very position. A key is made before the first record under it is written, and one that
    /// was replaced is destroyed behind the last, so that between two groups it has what the records of before need.
    fn leave<W: Write>(
        &self,
        writer: &mut Writer<W>,
        totals: &mut Totals,
        named: &mut BTreeSet<Digest>,
    ) -> Result<(Position, Option<Vec<u8>>), Error> {
        let (position, keyring) = {
            let mut applying = self.shared.applying();
            applying.tee = None;
            let keyring = self.shared.keys.as_ref().map(|keys| keys.to_bytes()).transpose()?;
            (applying.position, keyring)
        };
        follow(writer, totals, named, self.tee.drain()?)?;
        Ok((position, keyring))
    }

    fn payloads<W: Write>(
        &self,
        writer: &mut Writer<W>,
        totals: &mut Totals,
        named: &BTreeSet<Digest>,
    ) -> Result<(), Error> {
        for digest in named {
            self.in_time()?;
            let body = self.shared.payloads.load(digest);
            match body.map_err(|fault| Error::Read(format!("payload file: {fault}")))? {
                Some(body) => {
                    writer.parts(Kind::Payload, &[digest.bytes(), &body]).map_err(abandoned)?;
                    totals.payloads = totals.payloads.saturating_add(1);
                }
                None => {
                    tracing::error!(digest = hex::encode(digest.bytes()), "a payload is lost: it is not in the backup");
                    totals.payloads_missing = totals.payloads_missing.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    fn companions<W: Write>(
        &self,
        writer: &mut Writer<W>,
        totals: &mut Totals,
        keyring: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        if let Some(keyring) = keyring {
            writer.parts(Kind::Companion, &[&format::companion(keyring::FILE_NAME, &keyring)]).map_err(abandoned)?;
            totals.companions = totals.companions.saturating_add(1);
        }
        let data_dir = self.with_engine(|engine| Ok(engine.data_dir().to_owned()))?;
        for name in COMPANIONS {
            let path = data_dir.join(name);
            let unreadable = |fault: io::Error| Error::Read(format!("{name}: {fault}"));
            let content = match std::fs::metadata(&path) {
                Ok(found) if found.len() > COMPANION_BYTES_MAX => {
                    return Err(Error::Read(format!("{name} is longer than {COMPANION_BYTES_MAX} bytes")));
                }
                Ok(_) => std::fs::read(&path).map_err(unreadable)?,
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
                Err(fault) => return Err(unreadable(fault)),
            };
            writer.parts(Kind::Companion, &[&format::companion(name, &content)]).map_err(abandoned)?;
            totals.companions = totals.companions.saturating_add(1);
        }
        Ok(())
    }

    fn with_engine<T>(&self, read: impl FnOnce(&Engine) -> Result<T, Error>) -> Result<T, Error> {
        let engine = self.shared.engine();
        read(engine.as_ref().ok_or_else(|| Error::Read("the store is closed".to_owned()))?)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shared.applying().tee = None;
        let put_off = self.hold.release();
        let engine = self.shared.engine();
        let Some(engine) = engine.as_ref() else { return };
        for digest in put_off {
            self.shared.payloads.discard(&digest, || committer::named(engine, &digest));
        }
    }
}

/// Writes groups that were taken down.
fn follow<W: Write>(
    writer: &mut Writer<W>,
    totals: &mut Totals,
    named: &mut BTreeSet<Digest>,
    groups: VecDeque<Group>,
) -> Result<(), Error> {
    for group in groups {
        writer.section(group.head, &group.body).map_err(abandoned)?;
        totals.groups = totals.groups.saturating_add(1);
        for (digest, is_named) in group.named {
            if is_named {
                named.insert(digest);
            } else {
                named.remove(&digest);
            }
        }
    }
    Ok(())
}

fn abandoned(fault: io::Error) -> Error {
    Error::BackupAbandoned(fault.to_string())
}
