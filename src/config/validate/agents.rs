//! `[agents]`.

use crate::config::reader::{Report, Section};
use crate::config::settings::Agents;
use crate::config::value;

/// The most agents in memory that may be set; at about 9 KiB each they need 9 GB. It is also what one supervisor bears.
const ACTIVE_MAX: usize = 1_000_000;

/// The most open tasks of one agent that may be set; an agent at work keeps the identifiers of those that wait.
const QUEUE_MAX: usize = 100_000;

/// The least memory that may be set, in bytes: less than the daemon needs without any agent would only keep passivating.
const MEMORY_MIN: u64 = 64 * 1024 * 1024;

/// The most memory that may be set, in bytes.
const MEMORY_MAX: u64 = 1024 * 1024 * 1024 * 1024;

pub(super) fn read(mut section: Section, report: &mut Report) -> Agents {
    let default = Agents::default();
    let count = |section: &mut Section, report: &mut Report, key: &'static str, default: usize, max: usize| {
        section.read(report, key, value::count(max)).map_or(default, |located| located.value.get())
    };
    let agents = Agents {
        active_max: count(&mut section, report, "active_max", default.active_max, ACTIVE_MAX),
        idle_max: section.read_or(report, "idle_max", default.idle_max, value::positive_duration),
        memory_max: section
            .read(report, "memory_max", value::whole(MEMORY_MIN..=MEMORY_MAX))
            .map(|located| located.value)
            .or(default.memory_max),
        queue_max: count(&mut section, report, "queue_max", default.queue_max, QUEUE_MAX),
    };
    section.finish(report);
    agents
}
