//! What may be asked for.

use super::{version, wanted};
use crate::control_plane::template::experiment::refusal::Refusal;
use crate::control_plane::template::experiment::state::Wanted;

#[test]
fn variants_are_in_the_order_of_their_precedence() {
    let plan =
        wanted(&[("1.10.0", 0.25), ("1.9.0", 0.25), ("1.10.0-rc.1", 0.25), ("1.10.0+b2", 0.25)]).plan().expect("fits");
    let order: Vec<&str> = plan.variants.iter().map(|(version, _)| version.as_str()).collect();
    assert_eq!(order, ["1.9.0", "1.10.0-rc.1", "1.10.0", "1.10.0+b2"]);
}

#[test]
fn the_control_is_the_one_asked_for_or_has_the_largest_share_and_of_those_the_lowest_version() {
    let of = |versions: &[(&str, f64)]| wanted(versions).plan().expect("fits").control;
    assert_eq!(of(&[("1.2.0", 0.9), ("1.1.0", 0.1)]), 1);
    assert_eq!(of(&[("1.2.0", 0.5), ("1.1.0", 0.5)]), 0);
    let named = Wanted { control: Some(version("1.2.0")), ..wanted(&[("1.1.0", 0.9), ("1.2.0", 0.1)]) };
    assert_eq!(named.plan().expect("fits").control, 1);
}

#[test]
fn what_is_no_experiment_is_refused_with_what_is_wrong() {
    let many: Vec<(String, f64)> = (0..9).map(|minor| (format!("1.{minor}.0"), 1.0 / 9.0)).collect();
    let many: Vec<(&str, f64)> = many.iter().map(|(version, share)| (version.as_str(), *share)).collect();
    for (versions, refusal) in [
        (&[][..], Refusal::Variants(0)),
        (&[("1.0.0", 1.0)], Refusal::Variants(1)),
        (&many, Refusal::Variants(9)),
        (&[("1.0.0", 0.0), ("1.1.0", 1.0)], Refusal::Share(version("1.0.0"))),
        (&[("1.0.0", -0.5), ("1.1.0", 1.5)], Refusal::Share(version("1.0.0"))),
        (&[("1.0.0", 0.5), ("1.1.0", f64::NAN)], Refusal::Share(version("1.1.0"))),
        (&[("1.0.0", 0.5), ("1.1.0", f64::INFINITY)], Refusal::Share(version("1.1.0"))),
        (&[("1.0.0", 0.5), ("1.1.0", 0.25)], Refusal::Shares(0.75)),
    ] {
        assert_eq!(wanted(versions).plan(), Err(refusal));
    }
    let stray = Wanted { control: Some(version("9.0.0")), ..wanted(&[("1.0.0", 0.5), ("1.1.0", 0.5)]) };
    assert_eq!(stray.plan(), Err(Refusal::Control(version("9.0.0"))));
    assert!(wanted(&[("1.0.0", 0.333_333), ("1.1.0", 0.333_333), ("1.2.0", 0.333_334)]).plan().is_ok());
}
