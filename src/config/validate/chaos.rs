//! `[chaos]`.

use crate::config::reader::{Report, Section};
use crate::config::settings::Chaos;
use crate::config::value;

pub(super) fn read(mut section: Section, report: &mut Report) -> Chaos {
    let chaos = Chaos { enabled: section.read_or(report, "enabled", false, value::boolean) };
    section.finish(report);
    chaos
}
