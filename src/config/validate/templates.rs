//! `[templates]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::Templates;
use crate::config::tree::Node;
use crate::config::value;

/// Compiled templates in memory when nothing is said: some 3 KB each.
const CACHE_ENTRIES_DEFAULT: u64 = 10_000;
/// A cache of none would compile a template for every request; more templates than this there cannot be.
const CACHE_ENTRIES: RangeInclusive<u64> = 1..=100_000;
/// How long a verification is believed when nothing is said.
const CACHE_TTL_DEFAULT: Duration = Duration::from_secs(300);

/// How often the directories are swept when nothing is said.
const RESCAN_EVERY_DEFAULT: Duration = Duration::from_secs(30);
/// The shortest time between two sweeps: one of ten thousand templates takes tens of milliseconds.
const RESCAN_EVERY_MIN: Duration = Duration::from_secs(1);

pub(super) fn read(mut section: Section, report: &mut Report) -> Templates {
    let templates = Templates {
        enable_signature_validation: section.read_or(report, "enable_signature_validation", true, value::boolean),
        trusted_keys_dir: section.read(report, "trusted_keys_dir", path_from).map(|located| located.value),
        rsa_public_key_path: section.read(report, "rsa_public_key_path", path_from).map(|located| located.value),
        cache_ttl: section.read_or(report, "cache_ttl", CACHE_TTL_DEFAULT, value::positive_duration),
        cache_entries: section.read_or(report, "cache_entries", CACHE_ENTRIES_DEFAULT, value::whole(CACHE_ENTRIES)),
        environment: section.read(report, "environment", value::parsed).map(|located| located.value),
        source_audit: section.read_or(report, "source_audit", false, value::boolean),
        rescan_every: section.read_or(report, "rescan_every", RESCAN_EVERY_DEFAULT, sweep_interval),
    };
    section.finish(report);
    templates
}

fn sweep_interval(node: &Node) -> Result<Duration, String> {
    let interval = value::duration(node)?;
    if interval < RESCAN_EVERY_MIN { Err("expected at least a second".to_owned()) } else { Ok(interval) }
}
