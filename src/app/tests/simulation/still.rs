//! A runtime whose paused time stands still while the disk is at work.
//!
//! Paused time moves on to the next timer whenever nobody can run. The committer is a thread of its own, of which the runtime
//! knows nothing: without this, every commit would take as long as the next timer, and time-outs would be all that ever happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::store::Store;

/// How often whoever waits for the committer looks again.
const LOOK_EVERY: Duration = Duration::from_micros(20);

/// The store whose commits time waits for.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Option<Store>>>);

impl Disk {
    pub(super) fn set(&self, store: &Store) {
        *self.0.lock().expect("no panic") = Some(store.clone());
    }

    /// The store, taken out.
    pub(super) fn take(&self) -> Option<Store> {
        self.0.lock().expect("no panic").take()
    }

    fn busy(&self) -> Option<Store> {
        self.0.lock().expect("no panic").clone().filter(Store::is_busy)
    }
}

/// A runtime of the caller's thread. Time is paused by whoever runs in it, when it has started.
pub(super) fn runtime(disk: &Disk) -> Runtime {
    let (disk, waits) = (disk.clone(), Arc::new(AtomicBool::new(false)));
    let wait = move || {
        let Some(store) = disk.busy().filter(|_| !waits.swap(true, Ordering::AcqRel)) else { return };
        let waits = Arc::clone(&waits);
        // As long as a blocking task runs, paused time stands still.
        let _waiting = tokio::task::spawn_blocking(move || {
            while store.is_busy() {
                std::thread::park_timeout(LOOK_EVERY);
            }
            waits.store(false, Ordering::Release);
        });
    };
    Builder::new_current_thread().enable_all().on_thread_park(wait).build().expect("a runtime")
}
