//! How fast texts are examined, on texts of three kinds that are made here, the same in every run.
//!
//! The neighbours in the same run are what one would write first: the common pattern for e-mail addresses alone, and the mere
//! count of anchors by one automaton.

use agent_factory::data_plane::dlp::{Examined, PseudonymKey, Pseudonyms, detect, redact};
use agent_factory::domain::name::Tenant;
use agent_factory::domain::protection::Action;
use aho_corasick::AhoCorasick;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use regex::Regex;

/// The size of each text, in bytes.
const TEXT_BYTES: usize = 1024 * 1024;

/// The naive pattern for e-mail addresses.
const NAIVE: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}";

const PROSE: [&str; 6] = [
    "The committee met on 20 November 2026 and reviewed the figures of the third quarter, which were 12.5 % above the plan. ",
    "Le chiffre d'affaires s'élève à 1 234 567,89 € ; les équipes de Nantes et de Besançon ont été félicitées pour leur travail. ",
    "Nothing in section 4.2.1 changes what was agreed before: deliveries continue, prices stay, and questions go to the desk. ",
    "À l'issue de la réunion, il a été décidé de reporter la mise en œuvre au printemps, sous réserve de l'accord du conseil. ",
    "Readers who want the details will find them in the annex, pages 12 to 31, together with the minutes of both workshops. ",
    "Une synthèse sera diffusée la semaine prochaine ; chacun pourra y ajouter ses remarques jusqu'au vendredi suivant. ",
];

const PERSONAL: [&str; 4] = [
    "Contact: jean.dupont@example.fr, tél. 06 12 34 56 78. ",
    "IBAN FR76 3000 6000 0112 3456 7890 189, carte 4111 1111 1111 1111. ",
    "Call +44 20 7946 0958 or write to desk@example.co.uk. ",
    "export TOKEN=ghp_aB3dE5fG7hJ9kL2mN4pQ6rS8tUaB3dE5fG7h ",
];

const KEYWORDS: [&str; 12] = [
    "@ ",
    "sk- ",
    "AKIA ",
    "tel: ",
    "ghp_ ",
    "eyJ. ",
    "https://x ",
    "phone +1 ",
    "a@b ",
    "SG. ",
    "-----BEGIN ",
    "call 12 34 ",
];

/// A text of `pieces`, each chosen by a fixed sequence.
fn text(piece: impl Fn(u64) -> String) -> String {
    let mut text = String::with_capacity(TEXT_BYTES);
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    while text.len() < TEXT_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&piece(state >> 33));
    }
    text
}

fn pick<'p>(pieces: &[&'p str], number: u64) -> &'p str {
    let index = usize::try_from(number).unwrap_or(0).checked_rem(pieces.len()).unwrap_or(0);
    pieces.get(index).copied().unwrap_or_default()
}

/// Prose in two languages with personal data in one sentence of twenty.
fn mixed() -> String {
    text(|number| {
        if number.is_multiple_of(20) { pick(&PERSONAL, number >> 8) } else { pick(&PROSE, number >> 8) }.to_owned()
    })
}

/// Nothing but what candidates begin with.
fn flooded() -> String {
    text(|number| pick(&KEYWORDS, number).to_owned())
}

/// Lines of an access log: dates, addresses, sizes, ids.
fn log() -> String {
    text(|number| {
        format!(
            "2026-11-20T10:{:02}:{:02}.{:06}Z 10.0.{}.{} GET /items/{number} 200 {} id={:08x}-{:04x}-4a1b-8c2d-{:012x}\n",
            number % 60,
            number % 59,
            number % 1_000_000,
            number % 256,
            number % 251,
            number % 100_000,
            number % 0xFFFF_FFFF,
            number % 0xFFFF,
            number
        )
    })
}

#[divan::bench(args = ["mixed", "flooded", "log"])]
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

#[divan::bench(args = ["mixed", "flooded", "log"])]
fn neighbour_naive_email_pattern(bencher: Bencher, kind: &str) {
    let (text, Ok(pattern)) = (of(kind), Regex::new(NAIVE)) else { return };
    bencher.counter(BytesCount::of_str(&text)).bench(|| pattern.find_iter(black_box(&text)).count());
}

#[divan::bench(args = ["mixed", "flooded", "log"])]
fn neighbour_anchors_only(bencher: Bencher, kind: &str) {
    let (text, Ok(anchors)) = (of(kind), AhoCorasick::new(KEYWORDS.map(str::trim))) else { return };
    bencher.counter(BytesCount::of_str(&text)).bench(|| anchors.find_iter(black_box(&text)).count());
}

fn of(kind: &str) -> String {
    match kind {
        "mixed" => mixed(),
        "flooded" => flooded(),
        _ => log(),
    }
}

fn main() {
    divan::main();
}
