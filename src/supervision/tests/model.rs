//! Random lives of a supervisor against what must always hold.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;

use super::decisions::Theatre;
use super::decisions::traits;
use crate::supervision::child::Phase;
use crate::supervision::child::Traits;
use crate::supervision::contradiction::Terms;
use crate::supervision::{AutoShutdown, Backoff, Exit, Intensity, Restart, Strategy};

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
    fn s8_a_supervisor_shuts_down_exactly_when_a_small_model_says_so(
        auto_shutdown in prop::sample::select(vec![AutoShutdown::AnySignificant, AutoShutdown::AllSignificant]),
        strategy in prop::sample::select(vec![Strategy::OneForOne, Strategy::Dynamic]),
        kinds in prop::collection::vec((any::<bool>(), any::<bool>()), 1..6),
        events in prop::collection::vec((0..6_usize, 0..3_u8), 0..12),
    ) {
        let mut theatre = Theatre::on(Terms { strategy, auto_shutdown }, Intensity { restarts: 100, period: Duration::from_secs(1) });
        for (child, &(significant, is_transient)) in kinds.iter().enumerate() {
            let restart = if is_transient { Restart::Transient } else { Restart::Temporary };
            theatre.add_with(Traits { significant, ..traits(&name(child), restart, Backoff::NONE) }).expect("a new child");
        }
        // The model: who is alive, and nothing else.
        let (mut alive, mut down) = (vec![true; kinds.len()], false);
        for (child, event) in events {
            if down || child >= kinds.len() || !alive[child] {
                continue;
            }
            let (significant, is_transient) = kinds[child];
            match event {
                0 => theatre.exit(theatre.key(&name(child)), Exit::Normal),
                1 => theatre.exit(theatre.key(&name(child)), Exit::Killed),
                _ => {
                    let (_, actions) = theatre.state.terminate(&name(child).into()).expect("a living child");
                    theatre.perform(actions);
                }
            }
            alive[child] = event == 1 && is_transient;
            let ended_by_itself = event != 2 && !alive[child] && significant;
            let is_last = !(0..kinds.len()).any(|other| alive[other] && kinds[other].0);
            down = ended_by_itself && (auto_shutdown == AutoShutdown::AnySignificant || is_last);
            prop_assert_eq!(theatre.has_shut_down, down, "{:?}", theatre.trace);
        }
    }

    #[test]
    fn s11_whatever_happens_a_child_in_quarantine_runs_only_after_a_release(
        events in prop::collection::vec((0..2_usize, 0..5_u8), 0..60),
    ) {
        let mut theatre = Theatre::new(Strategy::OneForOne, Intensity { restarts: 1_000, period: Duration::from_secs(5) });
        let intensity = Some(Intensity { restarts: 2, period: Duration::from_secs(5) });
        for child in 0..2 {
            let plain = traits(&name(child), Restart::Permanent, Backoff::NONE);
            theatre.add_with(Traits { intensity, quarantine: true, ..plain }).expect("a new child");
        }
        // The model: when each was restarted, and whether it is in quarantine.
        let (mut restarted, mut quarantined) = ([vec![], vec![]], [false, false]);
        for (child, event) in events {
            let key = theatre.key(&name(child));
            match event {
                0 | 1 if !quarantined[child] => {
                    theatre.exit(key, Exit::Killed);
                    let now = theatre.now;
                    restarted[child].retain(|&then| now - then <= Duration::from_secs(5));
                    quarantined[child] = restarted[child].len() >= 2;
                    restarted[child].push(now);
                }
                2 => theatre.now += Duration::from_secs(1),
                3 => {
                    let released = theatre.state.release(&name(child).into());
                    prop_assert_eq!(released.is_ok(), quarantined[child]);
                    if let Ok((key, generation)) = released {
                        theatre.perform(vec![crate::supervision::state::Action::Start { key, generation }]);
                        (restarted[child], quarantined[child]) = (vec![], false);
                    }
                }
                _ => prop_assert_eq!(theatre.state.restart_child(&name(child).into()).is_ok(), false),
            }
            let phase = theatre.state.child(key).map(|child| child.phase);
            prop_assert_eq!(phase == Some(Phase::Quarantined), quarantined[child], "{:?}", theatre.trace);
            prop_assert_eq!(matches!(phase, Some(Phase::Running(..))), !quarantined[child]);
        }
        prop_assert!(!theatre.escalated);
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
