//! What it costs to look at a text in every way, and to filter one while it is written, each beside the whole text as it is
//! examined at once. The texts are made here, the same in every run.

use agent_factory::data_plane::dlp::{PseudonymKey, Pseudonyms, StreamFilter, detect};
use agent_factory::domain::name::Tenant;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

const SENTENCES: [&str; 6] = [
    "The committee met on 20 November 2026 and reviewed the figures of the third quarter, which were 12.5 % above the plan. ",
    "Le chiffre d'affaires s'élève à 1 234 567,89 € ; les équipes de Nantes et de Besançon ont été félicitées. ",
    "Contact: jean.dupont@example.fr, tél. 06 12 34 56 78. ",
    "Nothing in section 4.2.1 changes what was agreed before: deliveries continue, and questions go to the desk. ",
    "À l'issue de la réunion, il a été décidé de reporter la mise en œuvre, sous réserve de l'accord du conseil. ",
    "Readers who want the details will find them in the annex, together with the minutes of both workshops. ",
];

/// What a text can be read otherwise by.
const DISGUISES: [&str; 12] = [
    "%40",
    r"\u0040",
    "&#64;",
    "&commat;",
    "\u{200b}a",
    "４",
    "٤",
    "a dot b ",
    "x[at]y ",
    r"\n",
    "YWJjQGRlZi5jb20= ",
    "b at c dot d ",
];

/// Prose with personal data in one sentence of six, or nothing but disguises.
fn text(kind: &str, bytes: usize) -> String {
    let pieces: &[&str] = if kind == "disguises" { &DISGUISES } else { &SENTENCES };
    let mut text = pieces.iter().cycle().scan(0_usize, |written, piece| {
        *written = written.saturating_add(piece.len());
        (*written <= bytes).then_some(*piece)
    });
    match kind {
        "base64" => STANDARD.encode(text.by_ref().collect::<String>()),
        _ => text.collect(),
    }
}

fn filter() -> StreamFilter {
    StreamFilter::shipped(Pseudonyms::new(PseudonymKey::from_bytes([7; 32]), Tenant::default_tenant()))
}

/// Streams a text in pieces of so many bytes; how many bytes were told.
fn stream(text: &str, piece: usize) -> usize {
    let (mut filter, mut told, mut rest) = (filter(), 0_usize, text);
    while let Some((piece, after)) = rest.split_at_checked(rest.ceil_char_boundary(piece.min(rest.len()))) {
        if piece.is_empty() {
            break;
        }
        told = told.saturating_add(filter.push(piece).map_or(0, |released| released.text.len()));
        rest = after;
    }
    told.saturating_add(filter.finish().map_or(0, |released| released.text.len()))
}

/// The whole text at once: what a stream is held against.
#[divan::bench(args = ["mixed", "disguises", "base64"])]
fn whole(bencher: Bencher, kind: &str) {
    let text = text(kind, 64 * 1024);
    bencher.counter(BytesCount::of_str(&text)).bench(|| detect(black_box(&text)).len());
}

/// Pieces as models write them: the time of a piece is that of the text by its number, 16,384 of four bytes.
#[divan::bench(args = ["mixed", "disguises", "base64"], sample_count = 10)]
fn by_4_bytes(bencher: Bencher, kind: &str) {
    let text = text(kind, 64 * 1024);
    bencher.counter(BytesCount::of_str(&text)).bench(|| stream(black_box(&text), 4));
}

/// Pieces as gateways pass them on.
#[divan::bench(args = ["mixed", "disguises", "base64"], sample_count = 10)]
fn by_1_kib(bencher: Bencher, kind: &str) {
    let text = text(kind, 64 * 1024);
    bencher.counter(BytesCount::of_str(&text)).bench(|| stream(black_box(&text), 1024));
}

/// One line of 1, 10 and 100 MB: the rate stays where it is.
#[divan::bench(args = [1, 10, 100], sample_count = 3, sample_size = 1)]
fn whole_by_size(bencher: Bencher, megabytes: usize) {
    let text = text("mixed", megabytes.saturating_mul(1_000_000));
    bencher.counter(BytesCount::of_str(&text)).bench(|| detect(black_box(&text)).len());
}

/// The same in pieces of 64 KiB.
#[divan::bench(args = [1, 10, 100], sample_count = 3, sample_size = 1)]
fn stream_by_size(bencher: Bencher, megabytes: usize) {
    let text = text("mixed", megabytes.saturating_mul(1_000_000));
    bencher.counter(BytesCount::of_str(&text)).bench(|| stream(black_box(&text), 64 * 1024));
}

fn main() {
    divan::main();
}
