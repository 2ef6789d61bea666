//! What is written while a backup goes through the database: every group, taken down before anybody can see it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::format::{self, Kind, SectionHead};
use crate::store::payload::Digest;
use crate::store::{Error, Position, key};

/// Bytes of groups that may wait to be written into the archive. Whoever takes the archive so slowly that more gathers gets none:
/// neither the daemon's memory nor its disk is lent to a slow reader.
const TEE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// Groups that wait to be written into the archive. The committer never waits for it.
#[derive(Debug, Default)]
pub(in crate::store) struct Tee(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    groups: VecDeque<Group>,
    bytes: usize,
    /// Why what was taken down is of no use any more.
    spoilt: Option<String>,
}

/// A group as it stands in the archive.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) head: SectionHead,
    pub(super) body: Vec<u8>,
    /// Payloads that are named since, and that are no longer named.
    pub(super) named: Vec<(Digest, bool)>,
}

impl Tee {
    /// Takes down what a group is about to write.
    pub(in crate::store) fn take_down(&self, position: Position, entries: &HashMap<Vec<u8>, Option<Vec<u8>>>) {
        let mut waiting = self.waiting();
        if waiting.spoilt.is_some() {
            return;
        }
        let group = Group::of(entries);
        waiting.bytes = waiting.bytes.saturating_add(group.body.len());
        if waiting.bytes > TEE_BYTES_MAX {
            let why = format!(
                "more than {TEE_BYTES_MAX} bytes were written until position {} while it waited for its reader",
                position.0
            );
            waiting.spoil(why);
        } else {
            waiting.groups.push_back(group);
        }
    }

    /// Makes what was taken down useless.
    pub(in crate::store) fn spoil(&self, why: &str) {
        self.waiting().spoil(why.to_owned());
    }

    /// What was taken down since the last time.
    pub(super) fn drain(&self) -> Result<VecDeque<Group>, Error> {
        let mut waiting = self.waiting();
        if let Some(why) = &waiting.spoilt {
            return Err(Error::BackupOvertaken(why.clone()));
        }
        waiting.bytes = 0;
        Ok(std::mem::take(&mut waiting.groups))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn spoil(&mut self, why: String) {
        self.spoilt = Some(why);
        self.groups = VecDeque::new();
        self.bytes = 0;
    }
}

impl Group {
    fn of(entries: &HashMap<Vec<u8>, Option<Vec<u8>>>) -> Self {
        let (mut body, mut named) = (Vec::new(), Vec::new());
        for (key, value) in entries {
            format::put_write(&mut body, key, value.as_deref());
            named.extend(key::referred(key).map(|digest| (digest, value.is_some())));
        }
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
        Self { head: SectionHead { kind: Kind::Group, count, bytes }, body, named }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(bytes: usize) -> HashMap<Vec<u8>, Option<Vec<u8>>> {
        HashMap::from([(b"k".to_vec(), Some(vec![0; bytes]))])
    }

    #[test]
    fn what_nobody_takes_is_dropped_beyond_the_limit_and_said_to_be() {
        let tee = Tee::default();
        tee.take_down(Position(1), &group(TEE_BYTES_MAX / 2));
        assert_eq!(tee.drain().unwrap().len(), 1);
        tee.take_down(Position(2), &group(TEE_BYTES_MAX / 2));
        tee.take_down(Position(3), &group(TEE_BYTES_MAX / 2));
        assert!(matches!(tee.drain(), Err(Error::BackupOvertaken(_))));
        tee.take_down(Position(4), &group(1));
        assert!(tee.waiting().groups.is_empty(), "it holds nothing any more");
        assert!(tee.drain().is_err());
    }
}
