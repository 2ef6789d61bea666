//! Look-up of one template among a thousand, beside a plain hash map in the same run; and what a published file costs.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use agent_factory::control_plane::policy::Policy;
use agent_factory::control_plane::template::signing::{sign_file, verify_file};
use agent_factory::control_plane::template::{Algorithm, Document, Template, Templates, TrustStore, keys};
use agent_factory::domain::clock::Timestamp;
use agent_factory::domain::name::{Capability, TemplateName};
use divan::Bencher;

/// Templates among which one is looked up.
const TEMPLATES: usize = 1_000;

fn main() {
    divan::main();
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

static SERVED: LazyLock<Templates> = LazyLock::new(|| Templates::fixed((0..TEMPLATES).map(template)));

#[divan::bench(threads = [1, 2])]
fn get(bencher: Bencher) {
    let (served, names) = (&*SERVED, names());
    bencher.bench(|| served.get(black_box(&names[500])).map(|template| template.memory_turns));
}

#[divan::bench(threads = [1, 2])]
fn plain_hash_map(bencher: Bencher) {
    let map: HashMap<TemplateName, Arc<Template>> =
        names().into_iter().enumerate().map(|(number, name)| (name, Arc::new(template(number)))).collect();
    let names = names();
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
    bencher.bench(|| policy.check(black_box(&resolved), &[]));
}

#[divan::bench]
fn first_policy_check(bencher: Bencher) {
    let resolved: serde_json::Value = serde_json::from_str(&source(1)).expect("JSON");
    bencher.bench(|| Policy::shipped().check(black_box(&resolved), &[]));
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
