//! A backup as chunks for whoever asked, who must keep up: a slow or vanished reader holds nothing for long.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::format::Totals;
use super::snapshot::Snapshot;
use crate::domain::clock::Timestamp;
use crate::store::{Error, Store};

/// How long one chunk may wait for whoever takes the backup; then it is given up.
pub const STALL_MAX: Duration = Duration::from_secs(30);
/// Bytes of one chunk.
const CHUNK_BYTES: usize = 64 * 1_024;
/// Chunks that are made ahead.
const CHUNKS_AHEAD: usize = 8;

/// The archive, chunk by chunk. The archive is whole when they end without an error. Dropping it ends the backup.
#[derive(Debug)]
pub struct Chunks(mpsc::Receiver<io::Result<Bytes>>);

impl Chunks {
    /// The next chunk; none at the end. An error says that the archive will not be whole.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.0.recv().await
    }
}

impl Store {
    /// Begins a backup of the running store; commits go on meanwhile. `on_end` hears how it ended, before whoever takes it does.
    ///
    /// # Errors
    /// The store takes no writes, or another backup is being taken.
    pub fn backup(
        &self,
        at: Timestamp,
        on_end: impl FnOnce(&Result<Totals, Error>) + Send + 'static,
    ) -> Result<Chunks, Error> {
        self.backup_with(at, STALL_MAX, on_end)
    }

    /// The same, giving up on a reader after another time.
    pub(in crate::store) fn backup_with(
        &self,
        at: Timestamp,
        stall_max: Duration,
        on_end: impl FnOnce(&Result<Totals, Error>) + Send + 'static,
    ) -> Result<Chunks, Error> {
        let snapshot = Snapshot::begin(self.shared())?;
        let (chunks, taken) = mpsc::channel(CHUNKS_AHEAD);
        let (runtime, shared) = (Handle::current(), self.shared().clone());
        let work = move || {
            let sink = Sink { runtime: runtime.clone(), chunks: chunks.clone(), stall_max, buffer: Vec::new() };
            let durable = |position| {
                let waited = runtime.block_on(tokio::time::timeout(stall_max, shared.durable(position)));
                match (waited, shared.unwell()) {
                    (Ok(()), None) => Ok(()),
                    (_, Some(reason)) => Err(Error::Unwell(reason.to_owned())),
                    (Err(_), None) => Err(Error::BackupOvertaken("its end did not become durable".to_owned())),
                }
            };
            let outcome = snapshot.write_to(sink, at, durable).map(|(totals, _)| totals);
            // Before the end is heard of, so that whoever hears of it can begin another.
            drop(snapshot);
            on_end(&outcome);
            if let Err(error) = outcome {
                // Where nobody takes chunks any more, nobody needs to be told.
                let told = runtime.block_on(tokio::time::timeout(stall_max, chunks.send(Err(io::Error::other(error)))));
                tracing::debug!(told = told.is_ok(), "a backup was given up");
            }
        };
        drop(tokio::task::spawn_blocking(work));
        Ok(Chunks(taken))
    }
}

/// Gathers bytes into chunks and hands them over.
struct Sink {
    runtime: Handle,
    chunks: mpsc::Sender<io::Result<Bytes>>,
    stall_max: Duration,
    buffer: Vec<u8>,
}

impl Sink {
    fn hand_over(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = self.runtime.block_on(tokio::time::timeout(self.stall_max, self.chunks.send(Ok(chunk))));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::other("it is gone")),
            Err(_) => Err(io::Error::other(format!("nothing was taken for {:?}", self.stall_max))),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}
