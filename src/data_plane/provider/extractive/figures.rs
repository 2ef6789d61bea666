//! Amounts, percentages and dates that a text names.

use std::sync::LazyLock;

use regex::Regex;

/// The most values of one sort that are listed.
const LISTED_MAX: usize = 8;
/// The most values of one sort that are looked at.
const LOOKED_AT_MAX: usize = 1_000;

/// What was found, each value once, in order of appearance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures<'a> {
    pub(super) amounts: Vec<&'a str>,
    pub(super) percentages: Vec<&'a str>,
    pub(super) dates: Vec<&'a str>,
}

// Digits are ASCII and groups are parted by a comma, a point, an apostrophe or one of the spaces that French uses.
const NUMBER: &str = r"[0-9]{1,3}(?:[ ,.'\u{a0}\u{202f}][0-9]{3})+(?:[.,][0-9]{1,2})?|[0-9]{1,12}(?:[.,][0-9]{1,4})?";
const MONTH: &str = "(?:january|february|march|april|may|june|july|august|september|october|november|december|janvier|\
    février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)";

static AMOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let (before, after) = ("[€$£]|EUR|USD|GBP|CHF", "€|\\$|£|EUR|USD|GBP|CHF|euros?|dollars?");
    let scale = r"(?:[ \u{a0}](?:million|milliard|billion)s?(?: d['’])?|[ \u{a0}]?[kM])?";
    Regex::new(&format!(
        r"(?:{before})[ \u{{a0}}]?(?:{NUMBER}){scale}|(?:{NUMBER}){scale}[ \u{{a0}}\u{{202f}}]?(?:{after})"
    ))
    .ok()
});
static PERCENTAGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[-+−]?[0-9]{1,6}(?:[.,][0-9]{1,4})?[ \u{a0}\u{202f}]?%").ok());
static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{1,2}}[/.][0-9]{{1,2}}[/.][0-9]{{4}}|[0-9]{{1,2}}(?:er|st|nd|rd|th)? {MONTH}(?: [0-9]{{4}})?|{MONTH} [0-9]{{1,2}}, [0-9]{{4}}"
    ))
    .ok()
});

/// Finds the figures of a text.
pub(super) fn find(text: &str) -> Figures<'_> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Figures::default();
    }
    let amounts =
        if text.contains(['€', '$', '£']) || names_currency(text) { matches(&AMOUNT, text) } else { Vec::new() };
    let percentages = if text.contains('%') { matches(&PERCENTAGE, text) } else { Vec::new() };
    Figures { amounts, percentages, dates: matches(&DATE, text) }
}

/// A quick look, so that the search for amounts is made only where there may be some.
fn names_currency(text: &str) -> bool {
    ["EUR", "USD", "GBP", "CHF", "euro", "dollar"].iter().any(|name| text.contains(name))
}

fn matches<'a>(pattern: &LazyLock<Option<Regex>>, text: &'a str) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    let Some(pattern) = pattern.as_ref() else { return found };
    for value in pattern.find_iter(text).take(LOOKED_AT_MAX) {
        let value = value.as_str().trim();
        if found.len() >= LISTED_MAX {
            break;
        }
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_both_languages() {
        let english = find("On 12 March 2025 costs fell 4.5% to $1,200.50; by 2026-01-31 another 3 % and USD 12M.");
        assert_eq!(english.amounts, ["$1,200.50", "USD 12M"]);
        assert_eq!(english.percentages, ["4.5%", "3 %"]);
        assert_eq!(english.dates, ["12 March 2025", "2026-01-31"]);
        let french = find("Le 1er février 2025, 1 250,40 € ont été payés, soit 12,5 % de 10 000 euros, le 03/04/2025.");
        assert_eq!(french.amounts, ["1 250,40 €", "10 000 euros"]);
        assert_eq!(french.percentages, ["12,5 %"]);
        assert_eq!(french.dates, ["1er février 2025", "03/04/2025"]);
    }

    #[test]
    fn every_pattern_compiles_and_nothing_is_found_in_nothing() {
        assert!(AMOUNT.is_some() && PERCENTAGE.is_some() && DATE.is_some());
        assert_eq!(find("no figures here"), Figures::default());
    }
}
