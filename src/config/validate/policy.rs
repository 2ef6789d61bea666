//! `[policy]`.

use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::Policy;

pub(super) fn read(mut section: Section, report: &mut Report) -> Policy {
    let policy = Policy { dir: section.read(report, "dir", path_from).map(|located| located.value) };
    section.finish(report);
    policy
}
