//! `[hooks]`: how often and how soon a tool is told of a task again, and of how many at once.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::{Report, Section};
use crate::config::settings::Hooks;
use crate::config::tree::Node;
use crate::config::value;

/// Calls for one notice when nothing is said: with the pause below and its doubling, ten take nine to eighteen minutes.
const ATTEMPTS_DEFAULT: u64 = 10;

/// Calls that may be set. At pauses of five minutes, the longest, a hundred take a working day.
const ATTEMPTS_RANGE: RangeInclusive<u64> = 1..=100;

/// The first pause when nothing is said.
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);

/// First pauses that may be set.
const PAUSE_RANGE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(300);

/// Calls of one tool at once when nothing is said.
const CONCURRENCY_DEFAULT: u64 = 4;

/// Calls at once that may be set: half of what is in memory of a tool, so that there is always one to call for.
const CONCURRENCY_RANGE: RangeInclusive<u64> = 1..=64;

pub(super) fn read(mut section: Section, report: &mut Report) -> Hooks {
    let attempts = section.read_or(report, "attempts", ATTEMPTS_DEFAULT, value::whole(ATTEMPTS_RANGE));
    let pause = section.read_or(report, "pause", PAUSE_DEFAULT, pause);
    let concurrency = section.read_or(report, "concurrency", CONCURRENCY_DEFAULT, value::whole(CONCURRENCY_RANGE));
    section.finish(report);
    Hooks {
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        pause,
        concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
    }
}

fn pause(node: &Node) -> Result<Duration, String> {
    let pause = value::duration(node)?;
    if PAUSE_RANGE.contains(&pause) { Ok(pause) } else { Err("expected a duration from 10ms to 5m".to_owned()) }
}
