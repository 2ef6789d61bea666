//! `[log]`.

use crate::config::reader::{Report, Section};
use crate::config::settings::{Log, LogFormat};
use crate::config::tree::Node;
use crate::config::value;

/// What is logged when nothing is said.
const LEVEL_DEFAULT: &str = "info";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn read(mut section: Section, report: &mut Report) -> Log {
    let formats = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
    let log = Log {
        format: section.read_or(report, "format", LogFormat::Text, value::one_of(formats)),
        level: section.read_or(report, "level", LEVEL_DEFAULT.to_owned(), level),
    };
    section.finish(report);
    log
}

/// A level, or levels by module: `info,agent_factory::store=debug`.
fn level(node: &Node) -> Result<String, String> {
    let text = value::text(node)?;
    let known = |directive: &str| {
        let level = directive.rsplit('=').next().unwrap_or(directive);
        LEVELS.contains(&level.trim())
    };
    if text.split(',').all(known) {
        Ok(text)
    } else {
        Err(format!("expected one of {}, or such a level after MODULE=, with commas between", LEVELS.join(", ")))
    }
}
