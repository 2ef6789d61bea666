//! `[retention]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::{Report, Section};
use crate::config::settings::Retention;
use crate::config::tree::Node;
use crate::config::value;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an ended task is kept when nothing is said: ninety days.
const TASKS_DEFAULT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// What may be set. An idempotency key is believed for a day, and stands for a task that must be there; a hundred years stand
/// for ever, for which there is a word.
const TASKS_RANGE: RangeInclusive<Duration> = DAY..=Duration::from_secs(36_500 * 24 * 60 * 60);

/// The word for ever.
const NEVER: &str = "never";

pub(super) fn read(mut section: Section, report: &mut Report) -> Retention {
    let tasks = section.read_or(report, "tasks", Some(TASKS_DEFAULT), kept_for);
    section.finish(report);
    Retention { tasks }
}

fn kept_for(node: &Node) -> Result<Option<Duration>, String> {
    let expected = || "expected how long, such as \"90d\", a day at least; or \"never\" to delete nothing".to_owned();
    let text = value::text(node).map_err(|_| expected())?;
    if text == NEVER {
        return Ok(None);
    }
    let kept = humantime::parse_duration(&text).map_err(|_| expected())?;
    if TASKS_RANGE.contains(&kept) { Ok(Some(kept)) } else { Err(expected()) }
}
