//! What detectors find and what they take for something else, by type and language, on the held-out corpus (`tests/corpus`).
//!
//! ```text
//! cargo bench --bench dlp_quality                     # the table
//! cargo bench --bench dlp_quality -- --json           # the same for programs
//! cargo bench --bench dlp_quality -- --dev --misses   # what was missed or wrong, of the part that one may tune to
//! cargo bench --bench dlp_quality -- --json --texts DIR   # and the rate on each text of dlp_scan, which is left in DIR
//! ```

#![expect(clippy::print_stdout, reason = "figures are its output")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

#[path = "../tests/corpus/mod.rs"]
mod corpus;
#[path = "dlp_texts/mod.rs"]
mod texts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use agent_factory::data_plane::dlp::detect;
use clap::Parser;
use corpus::score::{Quality, Tally};
use corpus::{LANGUAGES, Split, load};
use serde_json::{Value, json};

/// How often each text is examined; the best round counts.
const ROUNDS: usize = 7;

#[derive(Parser)]
struct Args {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Judges the part that one may tune to.
    #[arg(long)]
    dev: bool,
    /// Also prints what was missed or wrong; of the held-out part it does not.
    #[arg(long, requires = "dev")]
    misses: bool,
    /// Also measures the rate on texts, and leaves them here.
    #[arg(long)]
    texts: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let split = if args.dev { Split::Dev } else { Split::HeldOut };
    let qualities: Vec<(&str, Quality)> =
        LANGUAGES.iter().map(|language| (*language, Quality::of(&load(split, language), detect))).collect();
    let rates = args.texts.as_deref().map(rates).unwrap_or_default();
    if args.json {
        println!("{}", as_json(split, &qualities, &rates));
        return;
    }
    for (language, quality) in &qualities {
        table(split, language, quality);
        if args.misses {
            quality.misses.iter().for_each(|miss| println!("{miss}"));
        }
    }
    rates.iter().for_each(|(name, rate)| println!("{name:<10} {rate:8.1} MB/s"));
}

fn table(split: Split, language: &str, quality: &Quality) {
    println!("\n{} {language}", split.folder());
    println!("| type | marked | found | hidden | findings | wrong | precision | recall | F2 |");
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for (kind, tally) in &quality.kinds {
        row(kind, tally);
    }
    row("*all secrets*", &quality.secrets);
    row("*all*", &quality.kinds.values().copied().fold(Tally::default(), Tally::plus));
}

fn row(name: &str, tally: &Tally) {
    let Tally { gold, found, hidden, findings, wrong } = tally;
    let (precision, recall, f2) = (tally.precision(), tally.recall(), tally.f2());
    println!(
        "| {name} | {gold} | {found} | {hidden} | {findings} | {wrong} | {precision:.3} | {recall:.3} | {f2:.3} |"
    );
}

fn as_json(split: Split, qualities: &[(&str, Quality)], rates: &BTreeMap<&str, f64>) -> Value {
    let languages: BTreeMap<&str, Value> = qualities
        .iter()
        .map(|(language, quality)| {
            let kinds: BTreeMap<&str, Value> =
                quality.kinds.iter().map(|(kind, tally)| (*kind, of_tally(tally))).collect();
            (*language, json!({ "types": kinds, "secrets": of_tally(&quality.secrets) }))
        })
        .collect();
    json!({ "split": split.folder(), "languages": languages, "mb_per_s": rates })
}

fn of_tally(tally: &Tally) -> Value {
    json!({
        "gold": tally.gold, "found": tally.found, "hidden": tally.hidden, "findings": tally.findings, "wrong": tally.wrong,
        "precision": tally.precision(), "recall": tally.recall(), "f2": tally.f2(),
    })
}

/// The rate on each text in millions of bytes a second, by the best of some rounds on one thread.
fn rates(folder: &Path) -> BTreeMap<&'static str, f64> {
    let mut rates = BTreeMap::new();
    for name in texts::NAMES {
        let text = texts::of(name);
        fs::write(folder.join(format!("{name}.txt")), &text).expect("write a text");
        let best = (0..ROUNDS).map(|_| {
            let began = Instant::now();
            std::hint::black_box(detect(std::hint::black_box(&text)));
            began.elapsed()
        });
        let seconds = best.min().expect("a round").as_secs_f64();
        let millions = f64::from(u32::try_from(text.len()).expect("a text of a mebibyte")) / 1e6;
        rates.insert(name, millions / seconds);
    }
    rates
}
