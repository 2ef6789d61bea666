//! Scenarios from a number: the same number is the same scenario for ever.

use agent_factory::supervision::{AutoShutdown, Restart, Strategy};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::scenario::{Child, Id, Scenario, Step, Sup, one_for_all, one_for_one, rest_for_one, supervisor, worker};

const WORKERS: [Id; 4] = ["a", "b", "c", "d"];
const BELOW: [Id; 3] = ["x", "y", "z"];
/// Not among the first children.
const LATER: [Id; 2] = ["k", "l"];
const STEPS_MAX: usize = 14;

pub(super) fn scenario(number: u64) -> Scenario {
    let mut dice = StdRng::seed_from_u64(number);
    let mut children: Vec<_> = WORKERS.iter().take(dice.gen_range(1..=4)).map(|id| child(&mut dice, id)).collect();
    if dice.gen_bool(0.4) {
        let below: Vec<_> = BELOW.iter().take(dice.gen_range(1..=3)).map(|id| child(&mut dice, id)).collect();
        let middle = supervisor("mid", sup(&mut dice, below));
        // No transient supervisor: one that gives up is where we differ from OTP.
        let middle = if dice.gen_bool(0.2) { middle.temporary() } else { middle };
        children.insert(dice.gen_range(0..=children.len()), middle);
    }
    let root = sup(&mut dice, children);
    let steps = (0..dice.gen_range(3..=STEPS_MAX)).map(|_| step(&mut dice)).collect();
    let failing = if dice.gen_bool(0.1) { vec![(worker_id(&mut dice), dice.gen_range(1..=3))] } else { Vec::new() };
    Scenario { name: format!("generated {number}"), failing, root, steps }
}

fn sup(dice: &mut StdRng, children: Vec<Child>) -> Sup {
    let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
    let sup = match strategies.choose(dice) {
        Some(Strategy::OneForAll) => one_for_all(children),
        Some(Strategy::RestForOne) => rest_for_one(children),
        Some(Strategy::OneForOne | Strategy::Dynamic) | None => one_for_one(children),
    };
    let auto_shutdown = [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];
    let (auto_shutdown, intensity) = (auto_shutdown.choose(dice), [0, 1, 2, 3, 6, 20].choose(dice));
    let sup = sup.auto_shutdown(*auto_shutdown.expect("a rule")).intensity(*intensity.expect("an intensity"));
    let children = sup.children.into_iter().map(|child| {
        // Now and then one that may not be significant: that is refused, and must be on both sides.
        let may_be = child.restart != Restart::Permanent && sup.auto_shutdown != AutoShutdown::Never;
        let significant = dice.gen_bool(if may_be { 0.5 } else { 0.01 });
        Child { significant, ..child }
    });
    Sup { children: children.collect(), ..sup }
}

fn child(dice: &mut StdRng, id: Id) -> Child {
    let child = match dice.gen_range(0..12) {
        0..8 => worker(id),
        8 => worker(id).brutal(),
        9 => worker(id).patient(),
        10 => worker(id).sour(),
        _ => worker(id).stubborn(),
    };
    let restart = [Restart::Permanent, Restart::Permanent, Restart::Transient, Restart::Temporary];
    Child { restart: *restart.choose(dice).expect("a restart type"), ..child }
}

fn worker_id(dice: &mut StdRng) -> Id {
    let ids = [&WORKERS[..], &BELOW, &LATER].concat();
    ids.choose(dice).expect("a worker")
}

/// Also what makes no sense in its place: that is answered, and the answers must be equal.
fn step(dice: &mut StdRng) -> Step {
    let id = worker_id(dice);
    let sup = if BELOW.contains(&id) || dice.gen_bool(0.1) { "mid" } else { "root" };
    let named = if dice.gen_bool(0.1) { "mid" } else { id };
    match dice.gen_range(0..16) {
        0..3 => Step::Exit(id),
        3..6 => Step::Crash(id),
        6 => Step::Panic(id),
        7 => Step::Kill(id),
        8..10 => Step::Fail(id, dice.gen_range(1..=4)),
        10..12 => Step::Start(sup, Child { significant: dice.gen_bool(0.2), ..child(dice, id) }),
        12..14 => Step::Terminate(sup, named),
        14 => Step::Restart(sup, named),
        _ => Step::Delete(sup, named),
    }
}
