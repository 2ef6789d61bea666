//! How fast texts are examined, on texts that are the same in every run.
//!
//! The neighbours in the same run are what one would write first: the common pattern for e-mail addresses alone, and the mere
//! count of anchors by one automaton.

#[path = "../tests/corpus/mod.rs"]
mod corpus;
#[path = "dlp_texts/mod.rs"]
mod texts;

use agent_factory::data_plane::dlp::{Examined, PseudonymKey, Pseudonyms, detect, redact};
use agent_factory::domain::name::Tenant;
use agent_factory::domain::protection::Action;
use aho_corasick::AhoCorasick;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use regex::Regex;
use texts::{KEYWORDS, NAMES, mixed, of};

/// The naive pattern for e-mail addresses.
const NAIVE: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}";

#[divan::bench(args = NAMES)]
fn scan(bencher: Bencher, kind: &str) {
    let text = of(kind);
    bencher.counter(BytesCount::of_str(&text)).bench(|| detect(black_box(&text)));
}

/// From 64 KiB to 16 MiB: the rate stays where it is.
#[divan::bench(args = [1, 16, 256], sample_count = 10)]
fn scan_by_size(bencher: Bencher, units: usize) {
    let text: String = mixed().chars().cycle().take(units.saturating_mul(64 * 1024)).collect();
    bencher.counter(BytesCount::of_str(&text)).bench(|| detect(black_box(&text)));
}

#[divan::bench]
fn scan_and_pseudonymise(bencher: Bencher) {
    let text = mixed();
    let pseudonyms = Pseudonyms::new(PseudonymKey::from_bytes([7; 32]), Tenant::default_tenant());
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let examined = Examined { findings: detect(&text), text: text.as_str().into() };
        redact(&[examined], &Action::Pseudonymise.into(), &[], &pseudonyms).map(|redaction| redaction.counts.total())
    });
}

#[divan::bench(args = NAMES)]
fn neighbour_naive_email_pattern(bencher: Bencher, kind: &str) {
    let (text, Ok(pattern)) = (of(kind), Regex::new(NAIVE)) else { return };
    bencher.counter(BytesCount::of_str(&text)).bench(|| pattern.find_iter(black_box(&text)).count());
}

#[divan::bench(args = NAMES)]
fn neighbour_anchors_only(bencher: Bencher, kind: &str) {
    let (text, Ok(anchors)) = (of(kind), AhoCorasick::new(KEYWORDS.map(str::trim))) else { return };
    bencher.counter(BytesCount::of_str(&text)).bench(|| anchors.find_iter(black_box(&text)).count());
}

fn main() {
    divan::main();
}
