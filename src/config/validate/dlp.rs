//! `[dlp]`.

use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::Dlp;

pub(super) fn read(mut section: Section, report: &mut Report) -> Dlp {
    let dlp = Dlp { rules_file: section.read(report, "rules_file", path_from).map(|located| located.value) };
    section.finish(report);
    dlp
}
