//! The numbering plans of every region, from the numbering library's metadata.
//!
//! The library's own validation keeps its patterns in one small cache behind one lock, and asking it about every region takes
//! milliseconds a number. Its patterns are used here directly instead: one for each calling code, compiled when a number with
//! that code is first seen, and one for all regions' national numbers, compiled when the first such number is. Nothing is loaded
//! before a text has digits that may be a phone number.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;
use regex::bytes::{Regex, RegexBuilder};

/// The most digits of a number with its calling code (ITU-T E.164).
pub(super) const DIGITS_MAX: usize = 15;

/// The largest compiled pattern, in bytes; those of today's metadata need a fraction.
const COMPILED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Memory for the states that a pattern makes while it matches, in bytes.
const STATES_BYTES_MAX: usize = 4 * 1024 * 1024;

static PLANS: LazyLock<Plans> = LazyLock::new(Plans::load);

struct Plans {
    codes: BTreeMap<u16, Plan>,
    national: OnceLock<Option<Regex>>,
}

/// The numbers of one calling code.
#[derive(Default)]
struct Plan {
    regions: Vec<&'static Metadata>,
    pattern: OnceLock<Option<Regex>>,
}

/// Whether digits that begin with a calling code are a number that some region with that code assigns.
pub(super) fn is_international(digits: &str) -> bool {
    (1..=3).any(|width| {
        let Some((code, national)) = digits.split_at_checked(width) else { return false };
        let Some(plan) = code.parse::<u16>().ok().and_then(|code| PLANS.codes.get(&code)) else { return false };
        // A trunk zero that should have been left out is common.
        plan.assigns(national) || national.strip_prefix('0').is_some_and(|national| plan.assigns(national))
    })
}

/// Whether digits begin with a calling code and have as many digits as some number with it.
pub(super) fn is_possible(digits: &str) -> bool {
    (1..=3).any(|width| {
        let Some((code, national)) = digits.split_at_checked(width) else { return false };
        let Some(plan) = code.parse::<u16>().ok().and_then(|code| PLANS.codes.get(&code)) else { return false };
        let length = u16::try_from(national.len()).unwrap_or(u16::MAX);
        plan.regions.iter().any(|region| {
            let kinds = [region.descriptors().fixed_line(), region.descriptors().mobile()];
            kinds.into_iter().flatten().any(|kind| kind.possible_length().contains(&length))
        })
    })
}

/// Whether digits are a number of the North American plan.
pub(super) fn is_north_american(digits: &str) -> bool {
    PLANS.codes.get(&1).is_some_and(|plan| plan.assigns(digits))
}

/// Whether digits are a national number of any region, with or without its trunk prefix.
pub(super) fn is_national(digits: &str) -> bool {
    PLANS
        .national
        .get_or_init(|| compile(&PLANS.all_regions()))
        .as_ref()
        .is_some_and(|any| any.is_match(digits.as_bytes()))
}

impl Plans {
    fn load() -> Self {
        let mut codes: BTreeMap<u16, Plan> = BTreeMap::new();
        for region in DATABASE.iter() {
            codes.entry(region.country_code()).or_default().regions.push(region);
        }
        // Codes such as +800 share one region id, so that the iteration above shows only one of them.
        for code in 1..=999_u16 {
            if let Some(regions) = DATABASE.by_code(&code).filter(|_| !codes.contains_key(&code)) {
                codes.insert(code, Plan { regions, pattern: OnceLock::new() });
            }
        }
        Self { codes, national: OnceLock::new() }
    }

    /// Every region's general description, with its trunk prefix before it.
    fn all_regions(&self) -> Vec<String> {
        let national = |region: &&Metadata| {
            let number = region.descriptors().general().national_number().as_str();
            match region.national_prefix() {
                Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!("(?:{prefix})?(?:{number})")
                }
                Some(_) | None => number.to_owned(),
            }
        };
        let mut patterns: Vec<String> =
            self.codes.values().flat_map(|plan| plan.regions.iter().map(national)).collect();
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }
}

impl Plan {
    fn assigns(&self, national: &str) -> bool {
        self.pattern
            .get_or_init(|| compile(&self.types()))
            .as_ref()
            .is_some_and(|plan| plan.is_match(national.as_bytes()))
    }

    /// The descriptions of each type of number in each region: a number is assigned if one of them describes it.
    fn types(&self) -> Vec<String> {
        let mut patterns = Vec::new();
        for region in &self.regions {
            let types = region.descriptors();
            let described = [
                types.fixed_line(),
                types.mobile(),
                types.toll_free(),
                types.premium_rate(),
                types.shared_cost(),
                types.personal_number(),
                types.voip(),
                types.pager(),
                types.uan(),
                types.voicemail(),
            ];
            patterns.extend(described.into_iter().flatten().map(|kind| kind.national_number().as_str().to_owned()));
        }
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }
}

/// One pattern that matches a whole number if any of `patterns` does; none if there are none, or the library's are not patterns.
fn compile(patterns: &[String]) -> Option<Regex> {
    let any =
        format!("^(?:{})$", patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|"));
    let compiled = RegexBuilder::new(&any)
        .unicode(false)
        .ignore_whitespace(true)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(STATES_BYTES_MAX)
        .build();
    match compiled {
        Ok(pattern) if !patterns.is_empty() => Some(pattern),
        Ok(_) => None,
        Err(fault) => {
            tracing::error!(%fault, "phone numbers of some regions are not found: their patterns do not compile");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_regions_example_is_a_number() {
        let mut regions = 0;
        for region in DATABASE.iter() {
            let types = region.descriptors();
            for example in [types.fixed_line(), types.mobile()].into_iter().flatten().filter_map(|kind| kind.example())
            {
                let international = format!("{}{example}", region.country_code());
                assert!(is_international(&international), "{} {international}", region.id());
                assert!(is_national(example), "{} {example}", region.id());
                if let Some(prefix) = region.national_prefix() {
                    assert!(is_national(&format!("{prefix}{example}")), "{} {prefix}{example}", region.id());
                }
            }
            regions += 1;
        }
        assert!(regions > 240, "{regions} regions");
    }

    #[test]
    fn numbers_without_a_region_are_refused() {
        for digits in ["", "1", "99912345678", "33012", "3312345678901234", "0000000000"] {
            assert!(!is_international(digits), "{digits}");
        }
        assert!(is_international("80012345678") && is_international("33612345678") && is_international("330612345678"));
        assert!(!is_national("") && !is_national("123"));
        assert!(is_north_american("4155552671") && !is_north_american("1155552671"));
    }
}
