//! Templates to measure with, made from a seed: three levels of inheritance, and prose of its own in each.
//!
//! Words are drawn by Zipf's law from some ten thousand English words and pieces of words: the vocabulary of a tokenizer, in
//! its order, which is about that of their frequency. Such prose has no idioms and no grammar, so that it compresses worse than
//! what people write. What the templates have in common comes from their parents, as in a real directory.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// Words to draw from.
const WORDS_MAX: usize = 16_384;

/// The vocabulary, most frequent first, with the sum of the weights up to each word.
static WORDS: LazyLock<(Vec<String>, Vec<f64>)> = LazyLock::new(|| {
    let bpe = &bpe_openai::o200k_base().bpe;
    let all = (0..u32::try_from(bpe.num_tokens()).unwrap_or(u32::MAX)).map(|token| bpe.token_bytes(token));
    let words: Vec<String> = all
        .filter_map(|token| token.strip_prefix(b" "))
        .filter(|word| (1..=14).contains(&word.len()) && word.iter().all(u8::is_ascii_lowercase))
        .take(WORDS_MAX)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let mut sum = 0.0;
    let weights = (0..u32::try_from(words.len()).unwrap_or(0)).map(|rank| 1.0 / (f64::from(rank) + 2.7));
    let sums = weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    (words, sums)
});

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn word(&mut self) -> &'static str {
        let (words, sums) = &*WORDS;
        let total = sums.last().copied().unwrap_or(0.0);
        let drawn = f64::from(u32::try_from(self.number() >> 32).unwrap_or(0)) / f64::from(u32::MAX) * total;
        words.get(sums.partition_point(|sum| *sum < drawn)).map_or("word", String::as_str)
    }

    /// Sentences, of this many bytes or a few more.
    pub(crate) fn prose(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            let words = 7 + self.below(14);
            for place in 0..words {
                let word = self.word();
                if place == 0 {
                    let (head, tail) = word.split_at(1);
                    let _written = write!(text, "{}{tail}", head.to_uppercase()).is_ok();
                } else {
                    let comma = if self.below(12) == 0 { "," } else { "" };
                    let _written = write!(text, "{comma} {word}").is_ok();
                }
            }
            text.push_str(if self.below(9) == 0 { ".\n" } else { ". " });
        }
        text.trim_end().to_owned()
    }

    /// One or two words, as names have them.
    pub(crate) fn name(&mut self) -> String {
        format!("{}_{}", self.word(), self.word())
    }
}

/// How many bytes of prose the prompts of leaves have.
pub(crate) struct Prompts {
    /// Of their own.
    pub(crate) own: std::ops::Range<usize>,
    /// Rules of the team, which each prompt repeats: a child's prompt takes its parent's place, so that what is to hold for
    /// all must stand in all.
    pub(crate) rules: usize,
}

/// The files of a directory: `bases`, `teams` that extend one of them each, and `leaves` that extend a team.
pub(crate) struct Corpus {
    pub(crate) bases: Vec<Value>,
    pub(crate) teams: Vec<Value>,
    pub(crate) leaves: Vec<Value>,
}

impl Corpus {
    /// Makes `count` templates, one in a thousand a base and two in a hundred a team.
    pub(crate) fn of(seed: u64, count: usize, prompts: &Prompts) -> Self {
        let mut chance = Chance::of(seed);
        let (bases, teams) = (count.div_ceil(1_000), count.div_ceil(50));
        let bases: Vec<Value> = (0..bases).map(|number| base(&mut chance, number)).collect();
        let teams: Vec<Value> = (0..teams).map(|number| team(&mut chance, number, bases.len())).collect();
        let rest = count.saturating_sub(bases.len() + teams.len());
        let rules: Vec<String> = teams.iter().map(|_| chance.prose(prompts.rules)).collect();
        let leaves = (0..rest).map(|number| leaf(&mut chance, number, &rules, &prompts.own)).collect();
        Self { bases, teams, leaves }
    }

    /// All files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Value> {
        self.bases.iter().chain(&self.teams).chain(&self.leaves)
    }
}

fn base(chance: &mut Chance, number: usize) -> Value {
    json!({
        "name": format!("base_{number}"), "version": format!("1.{}.0", chance.below(9)), "description": chance.prose(80),
        "system_prompt": chance.prose(700),
        "model": {"route": chance.name(), "max_output_tokens": 1024 * (1 + chance.below(4)), "temperature": 0.2},
        "tools": [],
        "budget": {"per_task_usd": "0.10", "per_day_usd": "20.00"},
        "dlp": {"outbound": "pseudonymise"},
        "supervision": {"restart": "transient", "intensity": 5, "period": "60s", "backoff": {"initial": "200ms", "max": "30s"}},
        "memory": {"history": 20}, "pool": {"max": 64},
        "refine": {"passes": 1, "prompt": chance.prose(250)}
    })
}

fn team(chance: &mut Chance, number: usize, bases: usize) -> Value {
    let tools: Vec<String> = (0..3 + chance.below(5)).map(|_| format!("read_{}", chance.name())).collect();
    json!({
        "name": format!("team_{number}"), "version": format!("1.{}.{}", chance.below(9), chance.below(9)),
        "extends": format!("base_{}", chance.below(bases)), "description": chance.prose(80),
        "capabilities": [chance.name()], "tools": tools, "system_prompt": chance.prose(500),
        "model": {"route": chance.name()},
        "budget": {"per_task_usd": format!("0.{:02}", 1 + chance.below(99)), "per_day_usd": format!("{}.00", 1 + chance.below(50))},
        "memory": {"history": chance.below(40)}
    })
}

fn leaf(chance: &mut Chance, number: usize, rules: &[String], own: &std::ops::Range<usize>) -> Value {
    let team = chance.below(rules.len());
    let own = own.start + chance.below(own.len());
    let rules = rules.get(team).map_or("", String::as_str);
    let prompt = format!("{}{}{rules}", chance.prose(own), if rules.is_empty() { "" } else { "\n\n" });
    let mut leaf = json!({
        "name": format!("{}_{number}", chance.name()), "version": format!("{}.{}.{}", 1 + chance.below(3), chance.below(9), chance.below(20)),
        "extends": format!("team_{team}"), "description": chance.prose(60),
        "capabilities": [chance.name()], "system_prompt": prompt
    });
    if let Some(fields) = leaf.as_object_mut() {
        if chance.below(3) == 0 {
            fields.insert("budget".to_owned(), json!({"per_task_usd": format!("0.{:02}", 1 + chance.below(99))}));
        }
        if chance.below(4) == 0 {
            fields.insert(
                "model".to_owned(),
                json!({"max_output_tokens": 256 * (1 + chance.below(16)), "temperature": 0.1}),
            );
        }
    }
    leaf
}
