//! How small templates are kept: canonical JSON, then zstd without a dictionary, with the shipped one, and with one trained on
//! other templates of the same host. Ratios do not depend on how the benchmark was built; times do.
//!
//! `cargo bench --bench template_storage` measures. `cargo bench --bench template_storage -- make FILE` writes the shipped
//! dictionary anew from `benches/dictionary/sentences.txt` and the template's fields; it is the same on every run.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

mod corpus;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use agent_factory::control_plane::template::{DICTIONARY_BYTES_MAX, Dictionary, Pressing, SAMPLE_BYTES_MAX, resolved};
use serde_json::{Value, json};

use corpus::{Chance, Corpus, Prompts};

/// Templates of a large host.
const TEMPLATES: usize = 10_000;
/// Templates that the shipped dictionary is trained on.
const SHIPPED_SAMPLES: usize = 1_500;
/// The size of the shipped dictionary: what templates share anywhere is soon said.
const SHIPPED_BYTES: usize = 32 * 1024;
/// Of which as many bytes are taken.
const SHIPPED_SAMPLE_BYTES: usize = 1024 * 1024;
/// A dictionary that digests faster, to compare with: its size, and the bytes of its samples.
const SMALLER: (usize, usize) = (64 * 1024, 1024 * 1024);
/// The level that the daemon compresses at, and a slower one.
const LEVELS: [i32; 2] = [9, 19];
const SENTENCES: &str = include_str!("dictionary/sentences.txt");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", path] => make(Path::new(path)),
        _ => measure(),
    }
}

fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("canonical")
}

/// The resolved forms of a directory.
fn resolve(corpus: &Corpus) -> Vec<Vec<u8>> {
    let mut known: HashMap<&str, Value> = HashMap::new();
    for file in corpus.files() {
        let parent = file.get("extends").and_then(Value::as_str).map(|name| known.get(name).expect("a parent"));
        let whole = parent.map_or_else(|| file.clone(), |parent| resolved(parent, file));
        known.insert(file["name"].as_str().expect("a name"), whole);
    }
    corpus.files().map(|file| canonical(&known[file["name"].as_str().expect("a name")])).collect()
}

fn measure() {
    println!("{TEMPLATES} templates in three levels; half of them train, the other half is measured");
    for (own, rules) in [(200..400, 0), (300..700, 0), (200..400, 500), (300..700, 900)] {
        println!("\nprompts of {own:?} bytes of their own and {rules} bytes of rules that their team shares");
        let forms = resolve(&Corpus::of(4, TEMPLATES, &Prompts { own, rules }));
        let (odd, even): (Vec<_>, Vec<_>) = forms.iter().enumerate().partition(|(number, _)| number % 2 == 1);
        let samples: Vec<&[u8]> = even.into_iter().map(|(_, form)| form.as_slice()).collect();
        let held_out: Vec<&[u8]> = odd.into_iter().map(|(_, form)| form.as_slice()).collect();
        let raw: usize = held_out.iter().map(|form| form.len()).sum();
        println!("  {} bytes each as canonical JSON", raw / held_out.len());
        for level in LEVELS {
            let alone: usize =
                held_out.iter().map(|form| zstd::bulk::compress(form, level).expect("compressed").len()).sum();
            println!("  level {level:2}  no dictionary        {:5.2}x", raw as f64 / alone as f64);
            told("shipped dictionary", level, &Dictionary::shipped(), &held_out, 0);
        }
        for (dictionary_max, sample_max) in [SMALLER, (DICTIONARY_BYTES_MAX, SAMPLE_BYTES_MAX)] {
            let began = Instant::now();
            let trained = Dictionary::train_within(&samples, sample_max, dictionary_max).expect("trained");
            let trained = Arc::new(trained);
            println!("  trained {} bytes in {:?}", trained.bytes().len(), began.elapsed());
            for level in LEVELS {
                told("trained dictionary", level, &trained, &held_out, trained.bytes().len());
            }
        }
    }
}

/// The files that a leaf was made from, as a record lists them before they are compressed: for each of three its name, version,
/// digest and Ed25519 signature, of which the last two are as good as random.
fn lineage(chance: &mut Chance) -> Vec<u8> {
    let mut body = vec![0x81, 0x83];
    for file in ["leaf_0123_some_name", "team_77", "base_7"] {
        let mut random = |bytes: usize| (0..bytes).map(|_| chance.number().to_le_bytes()[0]).collect::<Vec<u8>>();
        body.push(0x85);
        body.extend([file.as_bytes(), b"e1.4.0", &[0x58, 0x20], &random(32)].concat());
        body.extend([&b"\x85copsgEd25519\x58\x40"[..], &random(64), &[0xF6, 0xF6, 0xF6]].concat());
    }
    body
}

fn told(what: &str, level: i32, dictionary: &Arc<Dictionary>, forms: &[&[u8]], own: usize) {
    let raw: usize = forms.iter().map(|form| form.len()).sum();
    let began = Instant::now();
    let press = dictionary.press_at(level).expect("a press");
    let digesting = began.elapsed();
    let mut pressing = press.begin().expect("begun");
    let began = Instant::now();
    let frames: Vec<Vec<u8>> = forms.iter().map(|form| pressing.frame(form).expect("a frame")).collect();
    let packing = began.elapsed();
    let began = Instant::now();
    for (frame, form) in frames.iter().zip(forms) {
        assert_eq!(dictionary.unpack(frame).as_deref(), Ok(*form));
    }
    let unpacking = began.elapsed();
    let kept: usize = frames.iter().map(Vec::len).sum();
    let each = |time: std::time::Duration| time / u32::try_from(forms.len()).unwrap_or(1);
    println!(
        "  level {level:2}  {what} {:5.2}x  ({:5.2}x with the dictionary's own bytes, {:5.2}x whole records; digest {digesting:?}, pack \
         {:?}, unpack {:?} each)",
        raw as f64 / kept as f64,
        raw as f64 / (kept + own) as f64,
        whole_records(&mut pressing, forms.len(), (raw, kept)),
        each(packing),
        each(unpacking)
    );
}

/// How much smaller records are with the files that their templates were made from.
fn whole_records(pressing: &mut Pressing<'_>, count: usize, (mut raw, mut kept): (usize, usize)) -> f64 {
    let mut chance = Chance::of(3);
    for _ in 0..count {
        let lineage = lineage(&mut chance);
        raw += lineage.len();
        kept += pressing.frame(&lineage).expect("a frame").len();
    }
    raw as f64 / kept as f64
}

/// The shipped dictionary: what templates have in common anywhere, which is their fields and how prompts are put.
fn make(path: &Path) {
    let sentences: Vec<&str> = SENTENCES.lines().filter(|line| !line.is_empty()).collect();
    let mut chance = Chance::of(1);
    let samples: Vec<Vec<u8>> = (0..SHIPPED_SAMPLES).map(|_| canonical(&plain(&mut chance, &sentences))).collect();
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    let made = Dictionary::train_within(&samples, SHIPPED_SAMPLE_BYTES, SHIPPED_BYTES).expect("trained");
    std::fs::write(path, made.bytes()).expect("written");
    println!("{made:?} written to {}", path.display());
}

fn plain(chance: &mut Chance, sentences: &[&str]) -> Value {
    let mut some = |count: usize| -> String {
        let drawn: Vec<&str> = (0..count).map(|_| sentences[chance.below(sentences.len())]).collect();
        drawn.join([" ", "\n", "\n- "][chance.below(3)])
    };
    let (description, prompt, again) = (some(1), some(6), some(1));
    let tools =
        ["search", "read_file", "list_directory", "calculator", "fetch_document", "read_notes", "lookup_customer"];
    let names =
        ["assistant", "analyst", "reviewer", "support", "translator", "auditor", "writer", "planner", "researcher"];
    let pick = |chance: &mut Chance, from: &[&str]| from[chance.below(from.len())].to_owned();
    let several: Vec<String> = (0..chance.below(4)).map(|_| pick(chance, &tools)).collect();
    let mut template = json!({
        "name": format!("{}_{}", pick(chance, &names), chance.below(100)), "version": format!("1.{}.0", chance.below(10)),
        "description": description, "system_prompt": prompt,
        "capabilities": [pick(chance, &["analysis", "review", "documentation", "support", "translation", "security_audit", "coordination"])],
        "model": {"route": pick(chance, &["default", "fallback", "review", "implementation", "security_audit"]),
            "max_output_tokens": ([512, 1024, 2048, 4096][chance.below(4)]), "temperature": ([0.0, 0.1, 0.2, 0.7][chance.below(4)])},
        "tools": several,
        "budget": {"per_task_usd": pick(chance, &["0.05", "0.10", "0.20", "0.50", "1.00"]), "per_day_usd": pick(chance, &["2.00", "5.00", "10.00", "20.00"])},
        "dlp": {"outbound": pick(chance, &["pseudonymise", "mask", "block"])},
        "supervision": {"restart": pick(chance, &["transient", "permanent", "temporary"]), "intensity": 5, "period": "60s",
            "backoff": {"initial": "200ms", "max": "30s"}},
        "memory": {"history": ([0, 5, 10, 20, 50][chance.below(5)])}, "pool": {"max": 64},
    });
    let fields = template.as_object_mut().expect("an object");
    if chance.below(3) > 0 {
        fields.insert("extends".to_owned(), json!(pick(chance, &["base", "default", "common"])));
    }
    if chance.below(4) == 0 {
        fields.insert("refine".to_owned(), json!({"passes": 1 + chance.below(3), "prompt": again}));
    }
    if chance.below(4) == 0 {
        fields.insert("kind".to_owned(), json!("orchestrator"));
        fields.insert("limits".to_owned(), json!({"depth": 3, "fan_out": 64, "budget_usd": "0.50"}));
        let steps: Vec<Value> = (0..2 + chance.below(3))
            .map(|number| json!({"id": format!("step_{number}"), "template": pick(chance, &names), "input": "{{input}}", "on_failure": pick(chance, &["fail", "skip", "retry", "ask"])}))
            .collect();
        fields.insert("plan".to_owned(), json!({"steps": steps, "aggregate": {"mode": "step", "step": "step_0"}}));
    }
    template
}
