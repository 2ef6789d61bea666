//! `[templates]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::Templates;
use crate::config::value;

/// Compiled templates in memory when nothing is said: some 3 KB each.
const CACHE_ENTRIES_DEFAULT: u64 = 10_000;
/// A cache of none would compile a template for every request; more templates than this there cannot be.
const CACHE_ENTRIES: RangeInclusive<u64> = 1..=100_000;
/// How long a verification is believed when nothing is said.
const CACHE_TTL_DEFAULT: Duration = Duration::from_secs(300);

pub(super) fn read(mut section: Section, report: &mut Report) -> Templates {
    let templates = Templates {
        enable_signature_validation: section.read_or(report, "enable_signature_validation", true, value::boolean),
        trusted_keys_dir: section.read(report, "trusted_keys_dir", path_from).map(|located| located.value),
        rsa_public_key_path: section.read(report, "rsa_public_key_path", path_from).map(|located| located.value),
        cache_ttl: section.read_or(report, "cache_ttl", CACHE_TTL_DEFAULT, value::positive_duration),
        cache_entries: section.read_or(report, "cache_entries", CACHE_ENTRIES_DEFAULT, value::whole(CACHE_ENTRIES)),
    };
    section.finish(report);
    templates
}
