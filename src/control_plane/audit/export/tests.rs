//! Whatever is done to an export shows.

use proptest::prelude::*;

use super::format::{Lines, line};
use super::verify::Verifier;
use super::{Error, Expected, Fault, Report, verify};
use crate::control_plane::audit::entry::Entry;
use crate::control_plane::audit::entry::tests::who;
use crate::control_plane::audit::handle::Recorded;
use crate::control_plane::audit::merkle::{self, Tree};
use crate::control_plane::audit::{AuditKey, Checkpoint, PublicKey};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::domain::name::Digest;
use crate::store::chain::{self, GENESIS};

const EXPORTED_AT: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn key(seed: u8) -> AuditKey {
    AuditKey::from_seed([seed; 32])
}

/// An export of so many entries, with a checkpoint behind each of those `signed`, and the notes.
fn export(key: &AuditKey, entries: u64, signed: &[u64]) -> (String, Vec<String>) {
    let (mut lines, mut tree, mut link, mut notes) = (Lines::new(key.clone()), Tree::default(), GENESIS, Vec::new());
    lines.header(EXPORTED_AT, entries);
    for sequence in 0..=entries {
        if sequence > 0 {
            let at = Timestamp::from_micros(i64::try_from(sequence).unwrap_or(0) * 1_000_003);
            let entry = match sequence % 3 {
                0 => Entry::allowed(at, who(), "submit_task").on(sequence),
                1 => Entry::refused(at, who(), "set_budgets", "forbidden", "the rôle \"x\"\n does\u{7f} not"),
                _ => Entry::allowed(at, who(), "take_backup").under(Digest::from_bytes([7; 32])),
            };
            let record = entry.clone().encode();
            link = chain::link(&link, sequence, &record);
            tree.append(merkle::leaf(sequence, &record));
            lines.entry(&Recorded { sequence, entry, link }, &record);
        }
        if signed.contains(&sequence) {
            let note = Checkpoint::sign(tree.size(), tree.root(), key);
            lines.checkpoint(&note);
            notes.push(note);
        }
    }
    lines.end(entries);
    (lines.take(), notes)
}

fn given(key: &AuditKey) -> Expected {
    Expected { key: Some(key.public()), checkpoint: None }
}

fn outcome(text: &[u8]) -> Result<Report, Error> {
    verify(text, &given(&key(1)))
}

fn code(text: &str, expected: &Expected) -> &'static str {
    verify(text.as_bytes(), expected).map_or_else(|error| error.code(), |_| "holds")
}

#[test]
fn an_export_holds_and_tells_what_it_is() {
    for (entries, signed) in [(0, &[0][..]), (1, &[1]), (7, &[0, 3, 3, 7])] {
        let (text, notes) = export(&key(1), entries, signed);
        let report = outcome(text.as_bytes()).expect("holds");
        assert_eq!((report.entries, report.checkpoints), (entries, notes.len() as u64));
        assert_eq!((report.key, report.exported_at, report.since), (key(1).public(), EXPORTED_AT, None));
        assert_eq!(code(&text, &Expected::default()), "holds", "with the key that it names");
    }
}

/// Feeds the lines of a changed export to a verifier that has seen what stands before the change.
fn still_holds(before: &Verifier, changed: &[u8]) -> bool {
    let mut verifier = before.clone();
    let whole = changed.last() == Some(&b'\n');
    whole
        && changed.split_inclusive(|byte| *byte == b'\n').all(|line| verifier.line(line).is_ok())
        && verifier.finish().is_ok()
}

/// Every value at every byte, in every line.
fn check_every_value(text: &[u8], values: impl Fn(u8) -> Vec<u8>) -> usize {
    let (mut verifier, mut start, mut tried) = (Verifier::new(given(&key(1))), 0, 0);
    for held in text.split_inclusive(|byte| *byte == b'\n') {
        let mut rest = text[start..].to_vec();
        for at in 0..held.len() {
            for value in values(held[at]) {
                rest[at] = value;
                assert!(!still_holds(&verifier, &rest), "byte {} became {value}", start + at);
                tried += 1;
            }
            rest[at] = held[at];
        }
        verifier.line(held).expect("holds unchanged");
        start += held.len();
    }
    tried
}

#[test]
fn every_other_value_of_every_byte_is_noticed() {
    let (text, _) = export(&key(1), 1, &[1]);
    let tried = check_every_value(text.as_bytes(), |was| (0..=u8::MAX).filter(|value| *value != was).collect());
    assert_eq!(tried, text.len() * 255);
}

#[test]
fn every_flipped_bit_of_a_longer_export_is_noticed() {
    let (text, _) = export(&key(1), 5, &[0, 2, 5]);
    let tried = check_every_value(text.as_bytes(), |was| (0..8).map(|bit| was ^ (1 << bit)).collect());
    assert_eq!(tried, text.len() * 8);
}

#[test]
fn every_cut_is_noticed() {
    let (text, _) = export(&key(1), 4, &[2, 4]);
    for at in 0..text.len() {
        let error = outcome(&text.as_bytes()[..at]).expect_err("cut");
        let expected = if at == 0 { "audit_export_unreadable" } else { "audit_export_cut" };
        assert_eq!(error.code(), expected, "at {at}: {error}");
    }
}

#[test]
fn every_removed_doubled_swapped_or_added_line_is_noticed() {
    let (text, _) = export(&key(1), 5, &[2, 5]);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let noticed = |lines: &[&str], what: &str| {
        assert!(outcome(lines.concat().as_bytes()).is_err(), "{what}");
    };
    for one in 0..lines.len() {
        let mut changed = lines.clone();
        let _line = changed.remove(one);
        noticed(&changed, &format!("line {one} removed"));
        for to in 0..=lines.len() {
            let mut changed = lines.clone();
            changed.insert(to, lines[one]);
            noticed(&changed, &format!("line {one} again at {to}"));
            for junk in ["\n", " \n", "{}\n"] {
                let mut changed = lines.clone();
                changed.insert(to, junk);
                noticed(&changed, &format!("{junk:?} at {to}"));
            }
        }
        for other in (0..lines.len()).filter(|other| *other != one) {
            let mut changed = lines.clone();
            changed.swap(one, other);
            noticed(&changed, &format!("lines {one} and {other} swapped"));
        }
    }
    for tail in ["\n", " ", "\0", "{}"] {
        assert!(outcome(format!("{text}{tail}").as_bytes()).is_err(), "{tail:?} at the end");
    }
    assert!(outcome(text.replace('\n', "\r\n").as_bytes()).is_err());
    assert!(outcome(format!("\u{feff}{text}").as_bytes()).is_err());
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let (text, _) = export(&key(1), 4, &[4]);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let told = |text: &str| outcome(text.as_bytes()).expect_err("wrong").to_string();
    assert!(told(&text.replacen("submit_task", "submit_tusk", 1)).starts_with("line 4: what the entry says"));
    assert!(told(&[lines[0], lines[2], lines[1]].concat()).starts_with("line 2: entry 2 stands where 1 belongs"));
    assert!(told(lines[1]).starts_with("line 1: it is no export"));
    let without_end = lines[..lines.len() - 1].concat();
    assert_eq!(outcome(without_end.as_bytes()).expect_err("no end").code(), "audit_export_cut");
    let long = format!("{}{}\n", lines[0], "x".repeat(super::LINE_BYTES_MAX));
    assert!(told(&long).starts_with("line 2: the line is longer"));
}

#[test]
fn the_export_of_another_key_is_refused() {
    let (text, _) = export(&key(2), 3, &[3]);
    assert_eq!(code(&text, &given(&key(1))), "audit_other_key");
    assert_eq!(code(&text, &given(&key(2))), "holds");
    // Somebody who puts the right key into the header has no signatures of it.
    let header = |key: &PublicKey| line(&super::format::Header::new(key, EXPORTED_AT, 3));
    let forged = text.replacen(&header(&key(2).public()), &header(&key(1).public()), 1);
    assert_eq!(code(&forged, &given(&key(1))), "audit_export_broken");
}

#[test]
fn a_checkpoint_kept_elsewhere_shows_what_the_holder_of_the_key_took_away() {
    let (long, notes) = export(&key(1), 6, &[4, 6]);
    let (short, _) = export(&key(1), 5, &[5]);
    let keeping = |note: &str| Expected { key: Some(key(1).public()), checkpoint: Some(note.to_owned()) };
    assert_eq!(verify(long.as_bytes(), &keeping(&notes[0])).expect("holds").since, Some(4));
    assert_eq!(code(&short, &given(&key(1))), "holds", "signed by the key, and shorter");
    assert_eq!(code(&short, &keeping(&notes[1])), "audit_export_cut");
    assert_eq!(code(&short, &keeping(&notes[0])), "holds", "the first four are the same");
    // Another history under the same key.
    let other = Checkpoint::sign(4, [9; 32], &key(1));
    assert_eq!(code(&long, &keeping(&other)), "audit_export_broken");
    assert_eq!(code(&long, &keeping(&Checkpoint::sign(4, [9; 32], &key(2)))), "audit_checkpoint_refused");
    assert_eq!(code(&long, &keeping("junk")), "audit_checkpoint_refused");
}

#[test]
fn an_export_whose_entries_stand_under_no_checkpoint_is_refused() {
    for signed in [&[][..], &[2]] {
        let (text, _) = export(&key(1), 3, signed);
        let error = outcome(text.as_bytes()).expect_err("unsigned");
        assert!(matches!(&error, Error::At { fault: Fault::Cut(text), .. } if text.contains("checkpoint")), "{error}");
    }
}

proptest! {
    #[test]
    fn a_verifier_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), at in any::<prop::sample::Index>()) {
        let (text, _) = export(&key(1), 2, &[2]);
        let mut mixed = text.into_bytes();
        let at = at.index(mixed.len());
        mixed.splice(at..at, bytes.iter().copied());
        prop_assert_eq!(outcome(&mixed).is_ok(), bytes.is_empty());
        prop_assert!(outcome(&bytes).is_err());
    }
}
