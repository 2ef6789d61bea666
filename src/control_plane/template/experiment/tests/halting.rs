//! Simulations of the automatic halt, with fixed seeds: rarely wrong, and soon enough.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::experiment;
use crate::control_plane::template::experiment::state::{ALPHA, HALT_TASKS_MIN, Halting, Metric};
use crate::journal::tally::Tally;

/// Tasks after which a variant whose success rate is 30 points worse is halted, with two variants of equal shares.
const TASKS_TO_HALT_30_POINTS: u64 = 1_000;
/// The same where it is 10 points worse.
const TASKS_TO_HALT_10_POINTS: u64 = 6_000;

struct Run {
    tallies: BTreeMap<u8, Tally>,
    chance: StdRng,
}

impl Run {
    fn new(seed: u64, variants: u8) -> Self {
        let tallies = (0..variants).map(|place| (place, Tally::default())).collect();
        Self { tallies, chance: StdRng::seed_from_u64(seed) }
    }

    /// One more task of a variant ends and is judged.
    fn task(&mut self, place: u8, success: f64, score: f64) {
        let tally = self.tallies.get_mut(&place).expect("a variant");
        if self.chance.r#gen_bool(success) {
            tally.succeeded += 1
        } else {
            tally.failed += 1
        }
        let score = if self.chance.r#gen_bool(score) { 1_000 } else { 0 };
        tally.feedback_per_mille.count += 1;
        tally.feedback_per_mille.sum += score;
    }
}

/// Runs until a variant is halted or so many tasks have ended; looks after each.
fn run(seed: u64, rates: &[(f64, f64)], shares: &[f64], tasks: u64) -> Option<(u8, Metric, u64)> {
    let experiment = experiment(1, shares);
    let mut run = Run::new(seed, u8::try_from(rates.len()).expect("few"));
    let takes = vec![true; rates.len()];
    for count in 1..=tasks {
        let mut fraction: f64 = run.chance.r#gen();
        let place = shares.iter().position(|share| {
            fraction -= share;
            fraction < 0.0
        });
        let place = place.unwrap_or(0);
        run.task(u8::try_from(place).expect("few"), rates[place].0, rates[place].1);
        if let Some((worse, verdict)) = experiment.worse(&run.tallies, &takes).first() {
            return Some((*worse, verdict.metric, count));
        }
    }
    None
}

#[test]
fn versions_that_are_alike_are_halted_no_more_often_than_promised() {
    for (rates, shares) in [
        (&[(0.5, 0.5), (0.5, 0.5)][..], &[0.5, 0.5][..]),
        (&[(0.9, 0.7), (0.9, 0.7)], &[0.9, 0.1]),
        (&[(0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)], &[0.25, 0.25, 0.25, 0.25]),
    ] {
        let runs = 200;
        let wrong = (0..runs).filter(|seed| run(*seed, rates, shares, 1_500).is_some()).count();
        assert!(wrong as f64 <= ALPHA * runs as f64, "{wrong} of {runs} for {rates:?}");
    }
}

#[test]
fn a_version_that_is_30_points_worse_is_halted_soon_and_never_the_better_one() {
    for rates in [[(0.9, 0.5), (0.6, 0.5)], [(0.65, 0.5), (0.35, 0.5)], [(0.3, 0.5), (0.0, 0.5)]] {
        for seed in 0..100 {
            let halted = run(seed, &rates, &[0.5, 0.5], TASKS_TO_HALT_30_POINTS);
            assert!(matches!(halted, Some((1, Metric::Success, _))), "seed {seed}, {rates:?}: {halted:?}");
        }
    }
}

#[test]
fn a_version_that_is_10_points_worse_is_halted_later() {
    for seed in 0..20 {
        let halted = run(seed, &[(0.9, 0.5), (0.8, 0.5)], &[0.5, 0.5], TASKS_TO_HALT_10_POINTS);
        assert!(matches!(halted, Some((1, Metric::Success, _))), "seed {seed}: {halted:?}");
    }
}

#[test]
fn a_version_that_people_judge_worse_is_halted_although_it_succeeds() {
    let halted = run(1, &[(0.9, 0.2), (0.9, 0.8)], &[0.5, 0.5], 2_000);
    assert!(matches!(halted, Some((0, Metric::Feedback, _))), "{halted:?}");
}

fn tally(succeeded: u64, failed: u64) -> Tally {
    Tally { succeeded, failed, ..Tally::default() }
}

#[test]
fn nothing_is_halted_before_there_are_enough_tasks_or_where_it_is_switched_off() {
    let two = experiment(1, &[0.5, 0.5]);
    let short = BTreeMap::from([(0, tally(HALT_TASKS_MIN, 0)), (1, tally(0, HALT_TASKS_MIN - 1))]);
    assert!(two.worse(&short, &[true, true]).is_empty());
    let enough = BTreeMap::from([(0, tally(HALT_TASKS_MIN, 0)), (1, tally(0, HALT_TASKS_MIN))]);
    assert_eq!(two.worse(&enough, &[true, true]).iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1]);
    let mut off = two;
    off.halting = Halting::Off;
    assert!(off.worse(&enough, &[true, true]).is_empty());
}

#[test]
fn several_may_be_halted_at_once_but_never_the_last_one() {
    let three = experiment(1, &[0.4, 0.3, 0.3]);
    let tallies = BTreeMap::from([(0, tally(0, 500)), (1, tally(500, 0)), (2, tally(0, 500))]);
    let halted = |takes: &[bool]| three.worse(&tallies, takes).iter().map(|(place, _)| *place).collect::<Vec<_>>();
    assert_eq!(halted(&[true, true, true]), [0, 2]);
    assert!(halted(&[true, false, true]).is_empty(), "what gets no tasks is nothing to compare with");
    assert!(halted(&[true, false, false]).is_empty());
    // Better by success, worse by feedback: the one that is halted first does not take the other with it.
    let mut split = BTreeMap::from([(0, tally(1_000, 0)), (1, tally(0, 1_000))]);
    for (place, sum) in [(0, 0), (1, 1_000_000)] {
        let feedback = &mut split.get_mut(&place).expect("is there").feedback_per_mille;
        (feedback.count, feedback.sum) = (1_000, sum);
    }
    let two = experiment(1, &[0.5, 0.5]);
    let worse: Vec<u8> = two.worse(&split, &[true, true]).iter().map(|(place, _)| *place).collect();
    assert_eq!(worse, [1]);
}
