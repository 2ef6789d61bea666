//! Look-up of one template among ten thousand that are compiled already, beside a plain hash map in the same run; and what a
//! published file costs.
//!
//! The percentiles come first: each look-up is timed by itself, of names in no order, so that little of what one touches is in
//! the processor's caches; reading the clock twice is part of each figure. Then follow medians over one name.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use agent_factory::control_plane::policy::Policy;
use agent_factory::control_plane::template::signing::{sign_file, verify_file};
use agent_factory::control_plane::template::{Algorithm, Document, Template, Templates, TrustStore, keys};
use agent_factory::domain::clock::Timestamp;
use agent_factory::domain::name::{Capability, TemplateName};
use divan::Bencher;

/// Templates among which one is looked up.
const TEMPLATES: usize = 10_000;
/// Look-ups that are timed one by one.
const LOOK_UPS: usize = 400_000;

fn main() {
    if !std::env::args().any(|word| word == "--list" || word == "--test") {
        percentiles();
    }
    divan::main();
}

fn percentiles() {
    let names = names();
    // Each compiled once, so that all that follow are hits.
    assert!(names.iter().all(|name| SERVED.get(name).is_ok()));
    let map = map();
    let cached = timed(&names, |name| SERVED.get(name).map(|template| template.memory_turns).ok());
    let plain = timed(&names, |name| map.get(name).cloned().map(|template| template.memory_turns));
    let clock = timed(&names, |_| None);
    println!("{TEMPLATES} templates, {LOOK_UPS} look-ups each  p50 ns   p99 ns   p99.9 ns   max ns");
    for (what, mut times) in [("cached, verified", cached), ("plain hash map", plain), ("the clock alone", clock)] {
        times.sort_unstable();
        let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1_000];
        println!("{what:38} {:8} {:8} {:10} {:8}", at(500), at(990), at(999), at(1_000));
    }
}

/// Nanoseconds of each look-up.
fn timed(names: &[TemplateName], look_up: impl Fn(&TemplateName) -> Option<u32>) -> Vec<u128> {
    // A full-period walk over the names in an order that no prefetcher guesses (Hull and Dobell, 1962).
    let mut place = 1_usize;
    (0..LOOK_UPS)
        .map(|_| {
            place = (place * 1_105 + 12_345) % 65_536;
            let name = &names[place % names.len()];
            let began = Instant::now();
            black_box(look_up(black_box(name)));
            began.elapsed().as_nanos()
        })
        .collect()
}

fn map() -> HashMap<TemplateName, Arc<Template>> {
    names().into_iter().enumerate().map(|(number, name)| (name, Arc::new(template(number)))).collect()
}

fn source(number: usize) -> String {
    format!(
        r#"{{"name": "template_{number}", "version": "1.0.0", "system_prompt": "{}", "capabilities": ["work_{}"], "model": {{"route": "default", "temperature": 0.2}}, "tools": ["read_notes", "search"]}}"#,
        "Answer from the material. ".repeat(40),
        number % 100
    )
}

fn template(number: usize) -> Template {
    Template::parse(source(number).as_bytes(), Timestamp::from_micros(0)).expect("a good template")
}

fn names() -> Vec<TemplateName> {
    (0..TEMPLATES).map(|number| format!("template_{number}").parse().expect("a name")).collect()
}

static SERVED: LazyLock<Templates> = LazyLock::new(|| {
    let files = (0..TEMPLATES).map(|number| Document::parse(source(number).as_bytes()).expect("a good template"));
    Templates::fixed(files).expect("good templates")
});

#[divan::bench(threads = [1, 2])]
fn get(bencher: Bencher) {
    let (served, names) = (&*SERVED, names());
    bencher.bench(|| served.get(black_box(&names[500])).map(|template| template.memory_turns));
}

#[divan::bench(threads = [1, 2])]
fn plain_hash_map(bencher: Bencher) {
    let (map, names) = (map(), names());
    bencher.bench(|| map.get(black_box(&names[500])).cloned().map(|template| template.memory_turns));
}

#[divan::bench]
fn by_capability(bencher: Bencher) {
    let capability: Capability = "work_50".parse().expect("a capability");
    bencher.bench(|| SERVED.by_capability(black_box(&capability)));
}

#[divan::bench]
fn parse_and_validate(bencher: Bencher) {
    let source = source(1);
    bencher.bench(|| Document::parse(black_box(source.as_bytes())));
}

#[divan::bench]
fn policy_check(bencher: Bencher) {
    let policy = Policy::shipped();
    let resolved: serde_json::Value = serde_json::from_str(&source(1)).expect("JSON");
    bencher.bench(|| policy.check(black_box(&resolved), None));
}

#[divan::bench]
fn first_policy_check(bencher: Bencher) {
    let resolved: serde_json::Value = serde_json::from_str(&source(1)).expect("JSON");
    bencher.bench(|| Policy::shipped().check(black_box(&resolved), None));
}

/// Reading both files included.
#[divan::bench(args = [Algorithm::Ed25519, Algorithm::RsaPssSha256])]
fn verify(bencher: Bencher, algorithm: Algorithm) {
    let directory = tempfile::tempdir().expect("a directory");
    let key = keys::generate(&"bench".parse().expect("an id"), algorithm, directory.path()).expect("keys");
    let path = directory.path().join("a.json");
    std::fs::write(&path, source(1)).expect("written");
    sign_file(&path, &key.private).expect("signed");
    let trust = TrustStore::read(Some(directory.path()), None);
    bencher.bench(|| verify_file(black_box(&path), &trust, Timestamp::now()));
}
