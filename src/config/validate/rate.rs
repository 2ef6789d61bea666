//! `requests_per_minute` and `burst`, wherever they may stand.

use crate::config::reader::{Report, Section};
use crate::config::settings::{Rate, RateLimit};
use crate::config::tree::Node;
use crate::config::value;

pub(super) fn read(section: &mut Section, report: &mut Report) -> Rate {
    let before = report.mistakes.len();
    let per_minute = section.read(report, "requests_per_minute", per_minute).map(|located| located.value);
    let burst = section.read(report, "burst", whole(RateLimit::BURST_MAX));
    match (per_minute, burst) {
        (None, None) => Rate::Default,
        (Some(None), None) => Rate::Unlimited,
        (Some(Some(per_minute)), burst) => {
            RateLimit::new(per_minute, burst.map(|located| located.value)).map_or_else(|_| Rate::Default, Rate::Limited)
        }
        (None | Some(None), Some(burst)) => {
            if report.mistakes.len() == before {
                report.mistake(
                    &burst.place,
                    &section.path_of("burst"),
                    "needs a number as requests_per_minute beside it",
                );
            }
            Rate::Default
        }
    }
}

/// A number, or `none` where there is no limit.
fn per_minute(node: &Node) -> Result<Option<u32>, String> {
    match value::text(node).as_deref() {
        Ok("none") => Ok(None),
        Ok(_) | Err(_) => {
            whole(RateLimit::PER_MINUTE_MAX)(node).map(Some).map_err(|text| format!("{text}, or \"none\""))
        }
    }
}

fn whole(max: u32) -> impl Fn(&Node) -> Result<u32, String> {
    move |node| {
        let number = value::whole(1..=u64::from(max))(node)?;
        u32::try_from(number).map_err(|_| format!("expected a whole number from 1 to {max}"))
    }
}
