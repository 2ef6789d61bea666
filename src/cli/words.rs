//! Amounts, times and states in words.

use std::time::Duration;

use super::output::Tone;
use crate::domain::clock::Timestamp;
use crate::protocol::agent::AgentState;
use crate::protocol::task::{Task, TaskState};

/// An amount as the API gives it, as people write it.
pub(super) fn usd(amount: &str) -> String {
    format!("${amount}")
}

/// A duration with as much precision as its size deserves.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 10 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// An amount of bytes with as much precision as it deserves.
pub(super) fn bytes(bytes: u64) -> String {
    const KB: u64 = 1_000;
    const MB: u64 = 1_000_000;
    const GB: u64 = 1_000_000_000;
    // One decimal place, cut rather than rounded: integers alone.
    let in_units = |unit: u64| {
        format!("{}.{}", bytes.div_euclid(unit), bytes.rem_euclid(unit).saturating_mul(10).div_euclid(unit))
    };
    match bytes {
        0..KB => format!("{bytes} bytes"),
        KB..MB => format!("{} kB", in_units(KB)),
        MB..GB => format!("{} MB", in_units(MB)),
        GB.. => format!("{} GB", in_units(GB)),
    }
}

/// A duration in milliseconds, or a dash where there is none.
pub(super) fn milliseconds(elapsed: Option<f64>) -> String {
    let known = elapsed.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
    known.map_or_else(|| "-".into(), duration)
}

/// A time of the API to the second: `2026-11-20 10:00:00`.
pub(super) fn time(rfc_3339: &str) -> String {
    rfc_3339.get(..19).map_or_else(|| rfc_3339.to_owned(), |time| time.replace('T', " "))
}

/// How long a task took, or has taken so far.
pub(super) fn task_duration(task: &Task, now: Timestamp) -> Option<Duration> {
    let end = task.finished_at.as_deref().map_or(Some(now), |at| at.parse().ok())?;
    Some(end.since(task.created_at.parse().ok()?))
}

/// The word of a task's state, and how good it is.
pub(super) fn task_state(state: TaskState) -> (Tone, &'static str) {
    match state {
        TaskState::Queued => (Tone::Faint, "queued"),
        TaskState::Running => (Tone::Plain, "running"),
        TaskState::WaitingApproval => (Tone::Warning, "waiting_approval"),
        TaskState::NeedsAttention => (Tone::Warning, "needs_attention"),
        TaskState::Succeeded => (Tone::Good, "succeeded"),
        TaskState::Failed => (Tone::Bad, "failed"),
        TaskState::Cancelled => (Tone::Warning, "cancelled"),
    }
}

/// The word of an agent's state, and how good it is.
pub(super) fn agent_state(state: AgentState) -> (Tone, &'static str) {
    match state {
        AgentState::Active => (Tone::Good, "active"),
        AgentState::Idle => (Tone::Plain, "idle"),
        AgentState::Passive => (Tone::Faint, "passive"),
        AgentState::Stopped => (Tone::Faint, "stopped"),
    }
}

/// How good the state of a step or an actor is, which the API gives as a word.
pub(super) fn tone_of(state: &str) -> Tone {
    match state {
        "finished" | "running" | "published" | "healthy" => Tone::Good,
        "started" => Tone::Plain,
        "skipped" | "stopped" => Tone::Faint,
        "in_doubt" | "restarting" | "published_with_refused_edit" | "rolled_back" | "degraded" => Tone::Warning,
        "failed" | "quarantined" | "refused" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// `1 step`, `2 steps`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_precise_as_they_deserve() {
        let cases = [
            (0.0004, "0.4 ms"),
            (0.041, "41 ms"),
            (1.26, "1.3 s"),
            (61.0, "1 min 01 s"),
            (7_260.0, "2 h 01 min"),
            (90_000.0, "1 d 01 h"),
        ];
        for (seconds, want) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), want);
        }
        assert_eq!((milliseconds(None), milliseconds(Some(-1.0))), ("-".into(), "-".into()));
    }

    #[test]
    fn sizes_are_as_precise_as_they_deserve() {
        let cases =
            [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (1_250_000, "1.2 MB"), (8_000_000_000, "8.0 GB")];
        for (size, want) in cases {
            assert_eq!(bytes(size), want);
        }
    }

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(time("2026-11-20T10:00:00.123456Z"), "2026-11-20 10:00:00");
        assert_eq!(time("soon"), "soon");
    }
}
