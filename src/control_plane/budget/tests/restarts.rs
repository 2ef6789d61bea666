//! The ledger across its own deaths, against what was really spent: settlements come late, or to an incarnation that read the
//! cost already.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::ledger::{at, cost, key, known, ledger, payer_of, refusal, scopes, spent, usd};
use crate::control_plane::budget::limits::Source;
use crate::control_plane::budget::payer::{Key, Payer};
use crate::control_plane::budget::state::{Denied, Ledger};
use crate::domain::budget::{Limit, Scope};
use crate::domain::id::TaskId;
use crate::store::Position;

/// More than any task may spend.
const PROBE: i64 = 1_000_000;
const DAY: i64 = 7;

/// One thing that happens to a step, or to the ledger.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Reserve {
        key: Key,
        amount: i64,
    },
    /// The step is durable as started, and confirmed.
    Start {
        key: Key,
    },
    /// The step is durable as finished, with so many tenths of what was held.
    Conclude {
        key: Key,
        tenths: i64,
    },
    /// The ledger hears of it.
    Settle {
        key: Key,
    },
    /// The ledger dies. Its successor reads the records when so many commits more were made than it believes.
    Restart {
        behind: u64,
    },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let key = (1_u8..5, 0_u32..3).prop_map(|(number, step)| key(number, step));
    let deed = prop_oneof![
        5 => (key.clone(), 1_i64..30).prop_map(|(key, amount)| Deed::Reserve { key, amount }),
        5 => key.clone().prop_map(|key| Deed::Start { key }),
        4 => (key.clone(), 0_i64..=10).prop_map(|(key, tenths)| Deed::Conclude { key, tenths }),
        4 => key.clone().prop_map(|key| Deed::Settle { key }),
        2 => (0_u64..3).prop_map(|behind| Deed::Restart { behind }),
    ];
    prop::collection::vec(deed, 1..150)
}

/// How far a step is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Held by an incarnation of the ledger, and known to nobody else.
    Held {
        amount: i64,
        epoch: u32,
    },
    Started {
        amount: i64,
    },
    /// What was paid is in the records and the counters.
    Concluded {
        paid: i64,
        position: u64,
    },
    Settled {
        paid: i64,
    },
}

/// What is true, whatever ledgers come and go.
struct Books {
    ledger: Ledger,
    epoch: u32,
    position: u64,
    steps: BTreeMap<Key, Phase>,
    /// What a task may be charged twice: its step was concluded between the ledger's looks at the position and at the records.
    twice: BTreeMap<TaskId, i64>,
}

impl Books {
    fn befall(&mut self, deed: Deed) -> Result<(), TestCaseError> {
        let phase_of = |key: &Key| self.steps.get(key).copied();
        match deed {
            Deed::Reserve { key, amount } => {
                if phase_of(&key).is_none() && self.hold(key, amount)? {
                    self.steps.insert(key, Phase::Held { amount, epoch: self.epoch });
                }
            }
            Deed::Start { key } => {
                if let Some(Phase::Held { amount, epoch }) = phase_of(&key) {
                    // As `Budget::confirm` does: a ledger that knows nothing of it is asked again.
                    let is_held = epoch == self.epoch || self.hold(key, amount)?;
                    let started = Phase::Started { amount };
                    self.steps.insert(key, if is_held { started } else { Phase::Settled { paid: 0 } });
                }
            }
            Deed::Conclude { key, tenths } => {
                if let Some(Phase::Started { amount }) = phase_of(&key) {
                    self.position += 1;
                    let (paid, position) = (amount * tenths / 10, self.position);
                    self.steps.insert(key, Phase::Concluded { paid, position });
                }
            }
            Deed::Settle { key } => self.settle(key),
            Deed::Restart { behind } => self.restart(behind),
        }
        Ok(())
    }

    fn hold(&mut self, key: Key, amount: i64) -> Result<bool, TestCaseError> {
        match self.ledger.reserve(key, &payer_of(key), usd(amount), at(DAY)) {
            Ok(()) => Ok(true),
            Err(Denied::Refused(_)) => Ok(false),
            Err(other) => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    fn settle(&mut self, key: Key) {
        if let Some(Phase::Concluded { paid, position }) = self.steps.get(&key).copied() {
            self.ledger.settle(key, &payer_of(key), cost(paid, DAY, position));
            self.steps.insert(key, Phase::Settled { paid });
        }
    }

    /// As the actor starts: it reads the position, at some time after that the records, and then the counters.
    fn restart(&mut self, behind: u64) {
        self.epoch += 1;
        let as_of = self.position.saturating_sub(behind);
        self.twice.clear();
        let mut reservations = Vec::new();
        for (key, phase) in &self.steps {
            match phase {
                Phase::Started { amount } => {
                    reservations.push((*key, payer_of(*key), usd(*amount), at(DAY)));
                }
                Phase::Concluded { paid, position } if *position > as_of => {
                    add(&mut self.twice, &payer_of(*key), *paid);
                }
                Phase::Held { .. } | Phase::Concluded { .. } | Phase::Settled { .. } => {}
            }
        }
        let spent = self.paid_by_task().into_iter().map(|(task, paid)| (task, usd(paid))).collect();
        self.ledger = Ledger::default();
        self.ledger.recover(Position(as_of), reservations, spent);
        for (scope, amount, window) in scopes() {
            self.ledger.declare(&scope, Source::Settings, Some(Limit::new(usd(amount), window)));
            assert!(matches!(self.ledger.show(&scope, at(DAY).day()), Err(Denied::Unread(_))));
            let known = known(&[(DAY, self.paid_in(&scope))]);
            self.ledger.read(&scope, Position(self.position), known);
        }
    }

    /// What every step has paid, heard of or not.
    fn paid(&self) -> impl Iterator<Item = (Key, i64)> + '_ {
        self.steps.iter().filter_map(|(key, phase)| match phase {
            Phase::Held { .. } | Phase::Started { .. } => None,
            Phase::Concluded { paid, .. } | Phase::Settled { paid } => Some((*key, *paid)),
        })
    }

    fn paid_in(&self, scope: &Scope) -> i64 {
        self.paid().filter(|(key, _)| payer_of(*key).scopes().contains(scope)).map(|(_, paid)| paid).sum()
    }

    fn paid_by_task(&self) -> BTreeMap<TaskId, i64> {
        let mut sums = BTreeMap::new();
        self.paid().for_each(|(key, paid)| add(&mut sums, &payer_of(key), paid));
        sums
    }
}

/// Adds to each task that a payer names.
fn add(sums: &mut BTreeMap<TaskId, i64>, payer: &Payer, paid: i64) {
    // A task without a parent here names itself twice, and is one task all the same.
    let tasks: BTreeSet<TaskId> = payer.tasks().iter().map(|(task, _)| *task).collect();
    for task in tasks {
        *sums.entry(task).or_default() += paid;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// INVARIANT I20: once everything is settled, each scope has spent what was paid, whichever incarnation heard of it; a task
    /// never less than that, and more at most by what was concluded while its ledger started.
    #[test]
    fn across_the_ledgers_deaths_every_cost_counts_once(deeds in deeds()) {
        let (steps, twice) = (BTreeMap::new(), BTreeMap::new());
        let mut books = Books { ledger: ledger(&scopes()), epoch: 0, position: 0, steps, twice };
        for deed in deeds {
            books.befall(deed)?;
            for (scope, amount, _) in scopes() {
                let (reserved, spent) = spent(&mut books.ledger, &scope, DAY);
                prop_assert!(reserved + spent <= amount, "{scope} has {reserved} + {spent} of {amount}");
            }
        }
        let keys: Vec<Key> = books.steps.keys().copied().collect();
        for key in keys {
            books.befall(Deed::Start { key })?;
            books.befall(Deed::Conclude { key, tenths: 10 })?;
            books.befall(Deed::Settle { key })?;
        }
        for (scope, _, _) in scopes() {
            prop_assert_eq!(spent(&mut books.ledger, &scope, DAY), (0, books.paid_in(&scope)), "{}", scope);
        }
        for (task, paid) in books.paid_by_task() {
            let probe = Payer::new([], [(task, Some(usd(1)))]);
            let told = refusal(books.ledger.reserve(key(9, 9), &probe, usd(PROBE), at(DAY)));
            let twice = books.twice.get(&task).copied().unwrap_or_default();
            let spent = told.spent.nanos();
            prop_assert!((paid..=paid + twice).contains(&spent), "{task} spent {spent} of {paid}, {twice} perhaps twice");
            prop_assert_eq!(told.reserved.nanos(), 0);
        }
    }
}
