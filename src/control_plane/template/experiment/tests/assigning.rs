//! Who gets which variant.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{id, user};
use crate::control_plane::template::experiment::state::{Unit, VARIANTS_MAX, assign};
use crate::domain::id::TaskId;

/// The quantile of the chi-square distribution with so many degrees of freedom that one run in a thousand exceeds (NIST
/// e-Handbook, 1.3.6.7.4).
const CHI_SQUARE_999: [f64; 7] = [10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322];

fn chi_square(counts: &[u64], shares: &[f64]) -> f64 {
    let all = counts.iter().sum::<u64>() as f64;
    counts.iter().zip(shares).map(|(count, share)| (*count as f64 - all * share).powi(2) / (all * share)).sum()
}

fn counts(experiment: u8, shares: &[f64], takes: &[bool], units: u64) -> Vec<u64> {
    let mut counts = vec![0; shares.len()];
    for number in 0..units {
        counts[usize::from(assign(id(experiment), shares, takes, &user(number)).expect("one takes tasks"))] += 1;
    }
    counts
}

#[test]
fn shares_are_kept() {
    for (experiment, shares) in [
        (1, &[0.5, 0.5][..]),
        (2, &[0.9, 0.1]),
        (3, &[0.2, 0.3, 0.5]),
        (4, &[0.125; 8]),
        (5, &[0.05, 0.05, 0.1, 0.3, 0.5]),
    ] {
        let counts = counts(experiment, shares, &vec![true; shares.len()], 20_000);
        let found = chi_square(&counts, shares);
        assert!(found < CHI_SQUARE_999[shares.len() - 2], "{counts:?} for {shares:?}: {found}");
    }
}

#[test]
fn the_share_of_a_variant_that_stopped_goes_to_the_others_in_proportion() {
    let counts = counts(6, &[0.2, 0.3, 0.5], &[true, false, true], 20_000);
    assert_eq!(counts[1], 0);
    let rest = [0.2 / 0.7, 0.5 / 0.7];
    let found = chi_square(&[counts[0], counts[2]], &rest);
    assert!(found < CHI_SQUARE_999[0], "{counts:?}: {found}");
}

#[test]
fn two_experiments_assign_independently() {
    let both = (0..10_000).filter(|number| {
        let first = |experiment| assign(id(experiment), &[0.5, 0.5], &[true, true], &user(*number)) == Some(0);
        first(7) && first(8)
    });
    let both = both.count() as f64;
    assert!((both - 2_500.0).abs() < 4.0 * (10_000.0_f64 * 0.25 * 0.75).sqrt(), "{both}");
}

#[test]
fn the_assignment_is_as_documented() {
    let (shares, takes) = ([0.5, 0.5], [true, true]);
    for number in 0..100 {
        let text = [&[9; 16][..], b"user\0acme\0u", number.to_string().as_bytes()].concat();
        let head: [u8; 8] = Sha256::digest(text)[..8].try_into().expect("eight bytes");
        let expected = u8::from(u64::from_be_bytes(head) >> 63 == 1);
        assert_eq!(assign(id(9), &shares, &takes, &user(number)), Some(expected));
    }
}

#[test]
fn units_of_different_kinds_and_tenants_differ() {
    let tenant = |name: &str| name.parse().expect("a tenant");
    let (task, ann) = (TaskId::from_bytes([1; 16]), "ann".parse().expect("a user"));
    let units = [
        Unit::of(&tenant("acme"), Some(&ann), Some("key"), task),
        Unit::of(&tenant("other"), Some(&ann), Some("key"), task),
        Unit::of(&tenant("acme"), None, Some("ann"), task),
        Unit::of(&tenant("acme"), None, None, task),
    ];
    for (place, unit) in units.iter().enumerate() {
        assert!(units[..place].iter().all(|other| other != unit), "{unit:?}");
    }
    assert_eq!(units[0], Unit::of(&tenant("acme"), Some(&ann), None, TaskId::generate()), "a user is one unit");
}

fn shares() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(1_u32..100, 2..=VARIANTS_MAX).prop_map(|weights| {
        let all: u32 = weights.iter().sum();
        weights.iter().map(|weight| f64::from(*weight) / f64::from(all)).collect()
    })
}

proptest! {
    /// INVARIANT I82: a halted variant moves its own units only.
    #[test]
    fn who_has_a_variant_that_goes_on_keeps_it(
        shares in shares(), experiment in any::<u8>(), number in any::<u64>(), stopped in prop::collection::vec(0..VARIANTS_MAX, 0..8),
    ) {
        let mut takes = vec![true; shares.len()];
        let mut before = assign(id(experiment), &shares, &takes, &user(number));
        for place in stopped.into_iter().filter(|place| *place < shares.len()) {
            takes[place] = false;
            let now = assign(id(experiment), &shares, &takes, &user(number));
            if let Some(kept) = before.filter(|kept| takes[usize::from(*kept)]) {
                prop_assert_eq!(now, Some(kept));
            }
            prop_assert_eq!(now.is_some(), takes.contains(&true));
            prop_assert!(now.is_none_or(|now| takes[usize::from(now)]));
            before = now;
        }
    }

    #[test]
    fn a_variant_that_goes_on_again_gets_its_units_back(shares in shares(), experiment in any::<u8>(), number in any::<u64>()) {
        let mut takes = vec![true; shares.len()];
        let first = assign(id(experiment), &shares, &takes, &user(number)).expect("a variant");
        takes[usize::from(first)] = false;
        let meanwhile = assign(id(experiment), &shares, &takes, &user(number)).expect("another");
        prop_assert_ne!(first, meanwhile);
        takes[usize::from(first)] = true;
        prop_assert_eq!(assign(id(experiment), &shares, &takes, &user(number)), Some(first));
    }
}
