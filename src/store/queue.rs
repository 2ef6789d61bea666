//! The line of commits before the committer. It lives in the store and outlives the thread that serves it, so that a commit
//! that waits here is delayed by a restart of the committer, not lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::group::Change;
use super::keyring::Gate;
use super::payload::Pin;
use super::{Error, Position};

/// Commits that may wait at once; further callers wait for a place.
const QUEUE_COMMITS_MAX: usize = 4_096;
/// KiB of changes that may wait at once; further callers wait for a place.
const QUEUE_KIB_MAX: u32 = 128 * 1_024;
/// Commits in one group: bounds how long the first of them waits for the others.
const GROUP_COMMITS_MAX: usize = 1_024;
/// Bytes in one group, except that one commit is always taken.
const GROUP_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// A commit that waits.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) changes: Vec<Change>,
    pub(super) bytes: usize,
    /// Keep the payload files that the changes name.
    pub(super) pins: Vec<Pin>,
    /// Keeps the keys that the changes are sealed with, where they are.
    pub(super) gate: Option<Gate>,
    pub(super) answer: oneshot::Sender<Result<Position, Error>>,
    pub(super) place: Place,
}

/// A place in the line, given back when the commit is answered.
#[derive(Debug)]
pub(super) struct Place {
    _commit: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

/// The store was closed.
#[derive(Debug)]
pub(super) struct Closed;

/// What a committer finds in the line.
#[derive(Debug)]
pub(super) enum Taken {
    Group(Vec<Pending>),
    /// It was told to stop.
    Stopped,
    /// The store was closed, and nothing waits.
    Closed,
}

#[derive(Debug)]
pub(super) struct Queue {
    line: Mutex<Line>,
    arrival: Condvar,
    commits: Arc<Semaphore>,
    kib: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Pending>,
    closed: bool,
    /// Whether a committer sleeps: waking costs a system call.
    idle: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            line: Mutex::default(),
            arrival: Condvar::new(),
            commits: Arc::new(Semaphore::new(QUEUE_COMMITS_MAX)),
            kib: Arc::new(Semaphore::new(usize::try_from(QUEUE_KIB_MAX).unwrap_or(Semaphore::MAX_PERMITS))),
        }
    }

    /// Waits for a place for a commit of so many bytes.
    pub(super) async fn place(&self, bytes: usize) -> Result<Place, Closed> {
        let kib = u32::try_from(bytes.div_ceil(1_024)).unwrap_or(QUEUE_KIB_MAX).min(QUEUE_KIB_MAX);
        let commit = self.commits.clone().acquire_owned().await.map_err(|_| Closed)?;
        let bytes = self.kib.clone().acquire_many_owned(kib).await.map_err(|_| Closed)?;
        Ok(Place { _commit: commit, _bytes: bytes })
    }

    pub(super) fn push(&self, pending: Pending) -> Result<(), Closed> {
        let mut line = self.line();
        if line.closed {
            return Err(Closed);
        }
        line.waiting.push_back(pending);
        if line.idle {
            line.idle = false;
            drop(line);
            self.arrival.notify_all();
        }
        Ok(())
    }

    /// The next group; sleeps until there is one.
    pub(super) fn take(&self, stop: &AtomicBool) -> Taken {
        let mut line = self.line();
        loop {
            if stop.load(Ordering::Acquire) {
                return Taken::Stopped;
            }
            if !line.waiting.is_empty() {
                return Taken::Group(line.group());
            }
            if line.closed {
                return Taken::Closed;
            }
            line.idle = true;
            line = self.arrival.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets a sleeping committer see that it was told to stop.
    pub(super) fn stop(&self, stop: &AtomicBool) {
        let line = self.line();
        stop.store(true, Ordering::Release);
        drop(line);
        self.arrival.notify_all();
    }

    /// Takes no more commits; those that wait are still served.
    pub(super) fn close(&self) {
        self.line().closed = true;
        self.commits.close();
        self.kib.close();
        self.arrival.notify_all();
    }

    /// Whether a commit waits, is being written or is being answered.
    #[cfg(test)]
    pub(super) fn has_places_taken(&self) -> bool {
        self.commits.available_permits() < QUEUE_COMMITS_MAX
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn group(&mut self) -> Vec<Pending> {
        let mut group = Vec::new();
        let mut bytes = 0_usize;
        while let Some(next) = self.waiting.front() {
            bytes = bytes.saturating_add(next.bytes);
            if group.len() >= GROUP_COMMITS_MAX || (!group.is_empty() && bytes > GROUP_BYTES_MAX) {
                break;
            }
            group.extend(self.waiting.pop_front());
        }
        group
    }
}
