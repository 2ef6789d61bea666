//! Random lives of a supervisor against what must always hold.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use super::decisions::Theatre;
use crate::supervision::child::Phase;
use crate::supervision::{Backoff, Exit, Intensity, Restart, Strategy};

#[derive(Debug, Clone)]
enum Event {
    Exit(usize, bool),
    FailStarts(usize, u32),
    Terminate(usize),
    RestartChild(usize),
    RunOut,
    Pass(u64),
}

fn events() -> impl Generator<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..6_usize, any::<bool>()).prop_map(|(child, fails)| Event::Exit(child, fails)),
        1 => (0..6_usize, 1..3_u32).prop_map(|(child, times)| Event::FailStarts(child, times)),
        1 => (0..6_usize).prop_map(Event::Terminate),
        1 => (0..6_usize).prop_map(Event::RestartChild),
        2 => Just(Event::RunOut),
        1 => (0..5_000_u64).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 0..40)
}

fn strategies() -> impl Generator<Value = Strategy> {
    prop::sample::select(vec![Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne, Strategy::Dynamic])
}

fn name(child: usize) -> String {
    format!("c{child}")
}

fn play(theatre: &mut Theatre, event: Event) {
    match event {
        Event::Exit(child, fails) => {
            let exit = if fails { Exit::Killed } else { Exit::Normal };
            theatre.exit(theatre.key(&name(child)), exit);
        }
        Event::FailStarts(child, times) => {
            let key = theatre.key(&name(child));
            theatre.failing.push((key, times));
        }
        Event::Terminate(child) => {
            if let Ok((_, actions)) = theatre.state.terminate(&name(child).into()) {
                theatre.perform(actions);
            }
        }
        Event::RestartChild(child) => {
            if let Ok((key, generation)) = theatre.state.restart_child(&name(child).into()) {
                theatre.perform(vec![crate::supervision::state::Action::Start { key, generation }]);
            }
        }
        Event::RunOut => theatre.run_out(),
        Event::Pass(millis) => theatre.now += Duration::from_millis(millis),
    }
}

/// Whether each unbroken run of stops in the trace goes from later to earlier children.
fn stops_are_in_reverse_order(trace: &[String]) -> bool {
    let is_stop = |line: &String| line.starts_with('-');
    trace.windows(2).filter(|pair| pair.iter().all(is_stop)).all(|pair| pair[0] > pair[1])
}

proptest! {
    #[test]
    fn whatever_happens_permanent_children_run_again_unless_the_supervisor_gave_up(
        strategy in strategies(),
        events in events(),
        delay in prop::sample::select(vec![0_u64, 50]),
    ) {
        let backoff = Backoff { initial: Duration::from_millis(delay), max: Duration::from_secs(1) };
        let mut theatre = Theatre::new(strategy, Intensity { restarts: 8, period: Duration::from_secs(2) });
        for child in 0..6 {
            theatre.add(&name(child), Restart::Permanent, backoff).expect("a new child");
        }
        let mut terminated = Vec::new();
        for event in events {
            if theatre.escalated {
                return Ok(());
            }
            if let Event::Terminate(child) = event {
                terminated.push(child);
            }
            let before = theatre.trace.len();
            play(&mut theatre, event);
            let latest = theatre.trace.get(before..).unwrap_or_default();
            prop_assert!(stops_are_in_reverse_order(latest), "S1: {latest:?}");
        }
        theatre.failing.clear();
        for _ in 0..8 {
            theatre.run_out();
        }
        if theatre.escalated {
            return Ok(());
        }
        let stopped_by_failure = theatre.state.children().filter(|(_, child)| {
            let asked_for = terminated.iter().any(|&index| *child.traits.id == *name(index));
            !asked_for && !matches!(child.phase, Phase::Running(..))
        });
        prop_assert_eq!(stopped_by_failure.count(), 0, "{:?}", theatre.trace);
    }

    #[test]
    fn rest_for_one_restarts_exactly_the_failed_child_and_those_after_it(count in 1..12_usize, failed in 0..12_usize) {
        prop_assume!(failed < count);
        let mut theatre = Theatre::new(Strategy::RestForOne, Intensity::default());
        let name = |child: usize| format!("c{child:02}");
        for child in 0..count {
            theatre.add(&name(child), Restart::Permanent, Backoff::NONE).expect("a new child");
        }
        theatre.trace.clear();
        theatre.exit(theatre.key(&name(failed)), Exit::Killed);
        let stops = (failed + 1..count).rev().map(|child| format!("-{}", name(child)));
        let starts = (failed..count).map(|child| format!("+{}", name(child)));
        prop_assert_eq!(theatre.trace, stops.chain(starts).collect::<Vec<_>>());
    }

    #[test]
    fn no_sequence_of_restarts_exceeds_the_intensity_in_any_window(
        gaps in prop::collection::vec(0_u64..3_000, 1..40),
        restarts in 0_u32..5,
    ) {
        let period = Duration::from_secs(5);
        let mut theatre = Theatre::new(Strategy::OneForOne, Intensity { restarts, period });
        let key = theatre.add("a", Restart::Permanent, Backoff::NONE).expect("a new child");
        let mut restarted: Vec<Duration> = Vec::new();
        for gap in gaps {
            theatre.now += Duration::from_millis(gap);
            theatre.exit(key, Exit::Killed);
            let recent = restarted.iter().filter(|&&then| theatre.now - then <= period).count();
            prop_assert_eq!(theatre.escalated, recent >= restarts as usize);
            if theatre.escalated {
                break;
            }
            restarted.push(theatre.now);
        }
    }
}
