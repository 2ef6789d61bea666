//! The store's handle: commits go to the committer, reads go straight to sled.

use std::path::Path;

use super::{Batch, Error, Keyspace, Record};

/// How the store is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes that sled may keep in memory.
    pub cache_bytes: u64,
}

/// The place of a commit in the order of all commits; counters are read as of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// Which way a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// A cheap handle to the one store of the process.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Opens or creates the store in `directory`. Blocks.
    ///
    /// # Errors
    /// Another process has it open, it is not a store of ours, or the disk fails.
    pub fn open(directory: &Path, options: Options) -> Result<Self, Error> {
        let _ = (directory, options);
        Ok(Self {})
    }

    /// Makes a batch durable; returns once it is.
    ///
    /// # Errors
    /// The disk failed: nothing of the batch may be acknowledged.
    pub async fn commit(&self, batch: Batch) -> Result<Position, Error> {
        let _ = batch;
        Ok(Position(0))
    }

    /// Reads one record. May block on the disk for a moment.
    ///
    /// # Errors
    /// The disk failed or the record is damaged.
    pub fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Record>, Error> {
        let _ = (keyspace, key);
        Ok(None)
    }

    /// Reads up to `limit` records whose keys begin with `prefix`, beyond `after` in the direction of reading. Blocks.
    ///
    /// # Errors
    /// The disk failed or a record is damaged.
    pub fn range(
        &self,
        keyspace: Keyspace,
        prefix: &[u8],
        after: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Record)>, Error> {
        let _ = (keyspace, prefix, after, direction, limit);
        Ok(Vec::new())
    }

    /// All counters whose keys begin with `prefix`, as of the returned position.
    ///
    /// # Errors
    /// The disk failed.
    pub async fn counters(&self, prefix: &[u8]) -> Result<(Position, Vec<(Vec<u8>, i64)>), Error> {
        let _ = prefix;
        Ok((Position(0), Vec::new()))
    }

    /// Runs a blocking read on a thread that may block.
    ///
    /// # Errors
    /// What `read` returns, or a cancelled thread.
    pub async fn read<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    {
        let store = self.clone();
        tokio::task::spawn_blocking(move || read(&store)).await.map_err(|fault| Error::Read(fault.to_string()))?
    }
}
