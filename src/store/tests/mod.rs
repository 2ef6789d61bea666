//! What the store promises, through its handle.

use std::path::Path;

use super::{Batch, Direction, Error, Keyspace, MasterKey, Masters, Options, Record, Running, Store};

mod backup;
mod encrypting;
mod failing;
mod grouping;
mod keeping;
mod opening;
mod rotating;
mod supervised;

const OPTIONS: Options = Options { cache_bytes: 1 << 20 };

/// A store that commits, in a directory of its own.
struct Bench {
    store: Store,
    _committer: Running,
}

impl Bench {
    fn open(directory: &Path) -> Self {
        let store = Store::open(directory, OPTIONS).expect("the directory can be opened");
        let committer = store.run_committer().expect("a thread can be started");
        Self { store, _committer: committer }
    }

    /// One that is encrypted.
    fn sealed(directory: &Path, masters: &Masters) -> Self {
        let store = Store::open_with(directory, OPTIONS, masters).expect("the master key fits");
        let committer = store.run_committer().expect("a thread can be started");
        Self { store, _committer: committer }
    }

    async fn reopen_sealed(self, directory: &Path, masters: &Masters) -> Self {
        self.store.close().await.expect("the store is well");
        drop(self);
        Self::sealed(directory, masters)
    }

    async fn reopen(self, directory: &Path) -> Self {
        self.store.close().await.expect("the store is well");
        drop(self);
        Self::open(directory)
    }
}

fn masters() -> Masters {
    Masters { current: Some(MasterKey::generate().expect("random numbers")), previous: None }
}

fn record(body: impl Into<Vec<u8>>) -> Record {
    Record { kind: 1, version: 1, body: body.into() }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn keys(store: &Store, prefix: &[u8], after: Option<&[u8]>, direction: Direction, limit: usize) -> Vec<String> {
    let found = store.range(Keyspace::Task, prefix, after, direction, limit).expect("the records are whole");
    found.into_iter().map(|(key, _)| String::from_utf8(key).expect("the keys are text")).collect()
}

fn is_damaged(outcome: &Result<Option<Record>, Error>) -> bool {
    matches!(outcome, Err(Error::Damaged { .. }))
}
