//! Which give-ups put an agent into quarantine.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::config::settings::Agents;
use crate::data_plane::agent::tests::office::Office;
use crate::data_plane::factory::Factory;
use crate::data_plane::factory::quarantine::{GIVE_UPS_MAX, ledger_key};
use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::domain::money::Usd;
use crate::store::Batch;
use crate::supervision::{Exit, History, Micros, Note, Quarantine, RestartLedger};

/// A ledger in memory, on a clock that stands still.
#[derive(Default)]
struct Book(Mutex<HashMap<String, History>>);

impl RestartLedger for Book {
    fn now(&self) -> Micros {
        Micros(1_000_000_000)
    }

    fn history(&self, key: &str) -> History {
        self.0.lock().expect("a book").get(key).cloned().unwrap_or_default()
    }

    fn take_restarts(&self, _key: &str) -> Vec<Micros> {
        Vec::new()
    }

    fn note(&self, key: &str, note: Note) {
        let (now, mut noted) = (self.now(), self.0.lock().expect("a book"));
        let history = noted.entry(key.to_owned()).or_default();
        match note {
            Note::GivenUp => history.given_up.push(now),
            Note::Quarantined { exit } => {
                history.quarantine = Some(Quarantine { since: now, exit: exit.to_string().into() });
            }
            Note::Forgiven => *history = History::default(),
            Note::Restarted | Note::Ended => {}
        }
    }
}

#[tokio::test]
async fn what_agents_end_of_while_the_store_is_unwell_is_not_held_against_them() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let sync = move || if failing.load(Ordering::Relaxed) { Err(io::Error::other("no disk")) } else { Ok(()) };
    let (office, book) = (Office::open_with_sync(sync).await, Arc::new(Book::default()));
    let (environment, ledger) = (office.environment.clone(), Some(book.clone() as Arc<dyn RestartLedger>));
    let (factory, _) = Factory::start(environment, &Agents::default(), 1, ledger, Arc::new(|_| {}));
    let (poison, unlucky) = (AgentId::generate(), AgentId::generate());
    for agent in [poison, unlucky] {
        (0..GIVE_UPS_MAX).for_each(|_| book.note(&ledger_key(agent), Note::GivenUp));
    }
    assert!(factory.quarantine_if_due(poison, &Exit::Killed), "a store that is well is no excuse");

    fails.store(true, Ordering::Relaxed);
    let order = office.order();
    let refused = office.journal().submit(order, Usd::ZERO, Timestamp::now(), Batch::new()).await;
    refused.expect_err("the store is unwell");
    assert!(!factory.quarantine_if_due(unlucky, &Exit::Killed));
    assert_eq!((factory.is_quarantined(poison), factory.is_quarantined(unlucky)), (true, false));
    assert_eq!(book.history(&ledger_key(unlucky)), History::default(), "nor later");
}
