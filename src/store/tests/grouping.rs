//! What a group writes, against a small model of what its changes say.

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;

use crate::domain::owner::Owner;
use crate::store::chain::{FIRST_SEQUENCE, GENESIS, Link, verify};
use crate::store::envelope::{self, Content, Label, PIECE_BYTES, StoredLink};
use crate::store::group::{Change, Entry, Group, Ledger, Prior, number};
use crate::store::payload::Digest;
use crate::store::{Keyspace, Position, Record, key};

/// What is stored, without sled.
#[derive(Debug, Default)]
struct Stored(BTreeMap<Vec<u8>, Vec<u8>>);

impl Prior for Stored {
    type Error = Infallible;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(key).cloned())
    }

    fn last(&self, keyspace: Keyspace) -> Result<Option<Entry>, Infallible> {
        let mut entries = self.0.iter().filter(|(key, _)| key[0] == keyspace as u8);
        Ok(entries.next_back().map(|(key, value)| (key.clone(), value.clone())))
    }
}

/// What ought to be stored: lengths of bodies by key, payloads by key, sums, entries of the chain.
#[derive(Debug, Default)]
struct Model {
    inline: BTreeMap<u8, usize>,
    files: BTreeMap<u8, u8>,
    sums: BTreeMap<u8, i64>,
    chained: u64,
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, usize),
    PutFile(u8, u8),
    Delete(u8),
    Add(u8, i64),
    Forget(u8),
    Chain,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..4_u8;
    prop_oneof![
        (key.clone(), prop_oneof![Just(0), Just(PIECE_BYTES), Just(PIECE_BYTES + 1), 0..20_000_usize])
            .prop_map(|(key, bytes)| Step::Put(key, bytes)),
        (key.clone(), 0..2_u8).prop_map(|(key, file)| Step::PutFile(key, file)),
        key.clone().prop_map(Step::Delete),
        (key.clone(), -3..4_i64).prop_map(|(key, amount)| Step::Add(key, amount)),
        key.prop_map(Step::Forget),
        Just(Step::Chain),
    ]
}

fn change(step: &Step, model: &mut Model) -> Change {
    let keyspace = Keyspace::Task;
    match *step {
        Step::Put(key, bytes) => {
            model.files.remove(&key);
            model.inline.insert(key, bytes);
            Change::Put {
                keyspace,
                key: vec![key],
                record: Record { kind: 1, version: 1, body: vec![key; bytes] },
                owner: Owner::Host,
                seal: None,
            }
        }
        Step::PutFile(key, file) => {
            model.inline.remove(&key);
            model.files.insert(key, file);
            let digest = Digest::from([file; 32]);
            Change::PutFile { keyspace, key: vec![key], kind: 1, version: 1, seal: None, digest, bytes: 2 << 20 }
        }
        Step::Delete(key) => {
            model.inline.remove(&key);
            model.files.remove(&key);
            Change::Delete { keyspace, key: vec![key] }
        }
        Step::Add(key, amount) => {
            *model.sums.entry(key).or_default() += amount;
            Change::Add { key: vec![key], amount }
        }
        Step::Forget(key) => {
            model.sums.remove(&key);
            Change::Delete { keyspace: Keyspace::Counter, key: vec![key] }
        }
        Step::Chain => {
            model.chained += 1;
            Change::Chain { keyspace: Keyspace::Audit, record: Record { kind: 1, version: 1, body: vec![1; 9] } }
        }
    }
}

fn of(stored: &Stored, keyspace: Keyspace) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
    stored.0.iter().filter(move |(key, _)| key[0] == keyspace as u8)
}

fn check(stored: &Stored, model: &Model) {
    let sums: BTreeMap<_, _> =
        of(stored, Keyspace::Counter).map(|(key, value)| (key[1], number(key, value).unwrap())).collect();
    let expected: BTreeMap<_, _> =
        model.sums.iter().map(|(key, sum)| (*key, *sum)).filter(|(_, sum)| *sum != 0).collect();
    assert_eq!(sums, expected);

    // Exactly the pieces and references that the records need are there.
    let mut pieces = 0;
    for (key, value) in of(stored, Keyspace::Task) {
        match envelope::open(key, value).unwrap().1 {
            Content::Inline(body) => assert_eq!(body.len(), model.inline[&key[1]]),
            Content::Pieces { set, bytes } => {
                assert_eq!(bytes, model.inline[&key[1]] as u64);
                pieces += envelope::pieces(bytes);
                assert!((0..envelope::pieces(bytes)).all(|index| stored.0.contains_key(&key::piece(set, index))));
            }
            Content::File { digest, .. } => assert_eq!(digest, Digest::from([model.files[&key[1]]; 32])),
        }
    }
    assert_eq!(of(stored, Keyspace::Task).count(), model.inline.len() + model.files.len());
    let mut references: BTreeMap<u8, i64> = BTreeMap::new();
    for file in model.files.values() {
        *references.entry(*file).or_default() += 1;
    }
    assert_eq!(of(stored, Keyspace::Piece).count(), pieces as usize + references.len());
    for (file, count) in references {
        let key = key::reference(&Digest::from([file; 32]));
        assert_eq!(number(&key, &stored.0[&key]), Some(count));
    }

    let links: Vec<_> = of(stored, Keyspace::Audit)
        .map(|(key, value)| match envelope::open(key, value).unwrap() {
            (Label { kind, version, link: Some(StoredLink::Clear(link)), seal: None }, Content::Inline(body)) => Link {
                sequence: u64::from_be_bytes(key[1..].try_into().unwrap()),
                record: Record { kind, version, body: body.to_vec() },
                link,
            },
            other => panic!("{other:?} is not chained"),
        })
        .collect();
    assert_eq!(links.len() as u64, model.chained);
    assert!(verify(GENESIS, FIRST_SEQUENCE, &links).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Invariants 6 and 7.
    #[test]
    fn groups_leave_what_their_changes_say(
        groups in proptest::collection::vec((proptest::collection::vec(step(), 0..12), any::<bool>()), 1..8)
    ) {
        let (mut stored, mut model, mut ledger) = (Stored::default(), Model::default(), Ledger::default());
        for (position, (steps, restarted)) in (1..).zip(groups) {
            if restarted {
                ledger = Ledger::default();
            }
            let mut group = Group::new(&stored, &mut ledger, Position(position), None);
            for step in &steps {
                group.apply(change(step, &mut model)).unwrap();
            }
            let writes = group.finish();
            let named = |digest: &Digest| model.files.values().any(|file| Digest::from([*file; 32]) == *digest);
            prop_assert!(!writes.unnamed.iter().any(named));
            for (key, value) in writes.entries {
                match value {
                    Some(value) => {
                        prop_assert!(value.len() <= envelope::VALUE_BYTES_MAX, "invariant 6");
                        stored.0.insert(key, value);
                    }
                    None => drop(stored.0.remove(&key)),
                }
            }
            check(&stored, &model);
        }
    }
}
