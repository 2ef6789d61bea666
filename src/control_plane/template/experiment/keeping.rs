//! What a start finds in the store, and what is taken away when it is needed no more.

use std::collections::HashSet;
use std::sync::Arc;

use super::handle::Experiments;
use super::live::{Live, Picture};
use super::record;
use crate::domain::id::ExperimentId;
use crate::journal::tally;
use crate::store::{self, Batch, Direction, Keyspace, Store};

/// Counters that are looked at in one go.
const PAGE_COUNTERS: usize = 4_096;

impl Experiments {
    /// Reads the experiments that run back from the store, after a start. One that cannot be read runs no more.
    pub(super) async fn load(&self) -> Result<(), store::Error> {
        let _writing = self.shared.writing.lock().await;
        let survey =
            |store: &Store| store.survey(Keyspace::Template, record::PREFIX, None, Direction::Ascending, usize::MAX);
        let mut picture = Picture::default();
        // Counters are swept by these; none are where some record does not tell its own.
        let mut known = Some(HashSet::new());
        for (key, found) in self.store().read(survey).await? {
            let Some(name) = record::template(&key) else { continue };
            let read = found.map_err(|fault| fault.to_string()).and_then(|found| record::read(name.clone(), &found));
            match read {
                Ok(experiment) => {
                    known.as_mut().map(|known| known.insert(experiment.id));
                    if experiment.ended.is_none() {
                        picture.by_template.insert(name, Arc::new(Live::new(experiment)));
                    }
                }
                Err(reason) => {
                    known = None;
                    tracing::error!(template = %name, reason, "an experiment cannot be read back and runs no more");
                }
            }
        }
        self.shared.picture.store(Arc::new(picture));
        match known {
            Some(known) => self.sweep(&known).await,
            None => Ok(()),
        }
    }

    /// What takes the counters of one experiment away. Tasks of it that end later leave some; the next start sweeps them.
    pub(super) async fn forget(&self, id: ExperimentId) -> Result<Batch, store::Error> {
        let prefix = tally::prefix(id);
        let (keys, _) = self.counters_of(prefix.into_bytes(), None).await?;
        Ok(keys.into_iter().fold(Batch::new(), |batch, key| batch.delete(Keyspace::Counter, key)))
    }

    /// Takes away the counters of experiments that no record names.
    async fn sweep(&self, known: &HashSet<ExperimentId>) -> Result<(), store::Error> {
        let mut after = None;
        loop {
            let (keys, last) = self.counters_of(tally::PREFIX.into(), after).await?;
            let strays: Vec<_> = keys
                .into_iter()
                .filter(|key| tally::experiment_of(key).is_none_or(|id| !known.contains(&id)))
                .collect();
            if !strays.is_empty() {
                let batch = strays.into_iter().fold(Batch::new(), |batch, key| batch.delete(Keyspace::Counter, key));
                self.store().commit(batch).await?;
            }
            after = last;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The keys of one page of counters, and where the next one begins; none at the end.
    async fn counters_of(
        &self,
        prefix: Vec<u8>,
        after: Option<Vec<u8>>,
    ) -> Result<(Vec<Vec<u8>>, Option<Vec<u8>>), store::Error> {
        let page = move |store: &Store| {
            store.keys(Keyspace::Counter, &prefix, after.as_deref(), Direction::Ascending, PAGE_COUNTERS)
        };
        let keys = self.store().read(page).await?;
        let last = (keys.len() == PAGE_COUNTERS).then(|| keys.last().cloned()).flatten();
        Ok((keys, last))
    }
}
