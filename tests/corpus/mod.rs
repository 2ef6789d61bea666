//! The corpus that detectors are judged by: its texts, and where in them something is to be found. `README.md` beside this tells of
//! the format and of the rules of scoring; nothing here knows how anything is detected.

#![allow(
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "the test and the benchmark use a part each, and a corpus that cannot be read has nothing to judge"
)]

pub(crate) mod score;

use std::fs;
use std::path::{Path, PathBuf};

use agent_factory::domain::entity::Kind;

/// What stands between two texts of a file: a line of its own.
const BETWEEN: &str = "\n----\n";

/// What breaks secrets in the files; no text has it.
const BREAK: char = '¦';

/// The languages of the corpus, by the names of their folders.
pub(crate) const LANGUAGES: [&str; 2] = ["en", "fr"];

/// Which half of the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// What detectors may be tuned to.
    Dev,
    /// What judges them.
    HeldOut,
}

impl Split {
    /// Its folder.
    #[must_use]
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::HeldOut => "held-out",
        }
    }
}

/// One value that is to be found: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gold {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its first byte.
    pub(crate) start: usize,
    /// Beyond its last byte.
    pub(crate) end: usize,
}

/// A text without its marks, and what was marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    /// What a detector is given.
    pub(crate) text: String,
    /// What it is to find, in order.
    pub(crate) gold: Vec<Gold>,
    /// File and number, for those who tune.
    pub(crate) origin: String,
}

/// The texts of one half in one language, in the order of files and lines.
///
/// # Panics
/// A file cannot be read, or its marks are broken.
#[must_use]
pub(crate) fn load(split: Split, language: &str) -> Vec<Text> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(split.folder()).join(language);
    let entries = fs::read_dir(&folder).expect("a folder of the corpus");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file of the corpus").path()).collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Text> {
    let whole = fs::read_to_string(file).expect("a file of the corpus in UTF-8");
    let texts = whole.split(BETWEEN).enumerate();
    texts.map(|(number, marked)| parse(marked, &format!("{}#{}", file.display(), number + 1))).collect()
}

/// A text by its marked form.
///
/// # Panics
/// A mark has no end, or names no kind.
#[must_use]
pub(crate) fn parse(marked: &str, origin: &str) -> Text {
    let (mut text, mut gold, mut rest) = (String::with_capacity(marked.len()), Vec::new(), marked.trim_end());
    while let Some((before, mark)) = rest.split_once("[[") {
        let (inside, after) = mark.split_once("]]").unwrap_or_else(|| panic_at(origin, "a mark without an end"));
        let (name, value) = inside.split_once('|').unwrap_or_else(|| panic_at(origin, "a mark without a kind"));
        let kind = Kind::named(name).unwrap_or_else(|_| panic_at(origin, name));
        text.push_str(before);
        let start = text.len();
        text.extend(value.chars().filter(|char| *char != BREAK));
        gold.push(Gold { kind, start, end: text.len() });
        rest = after;
    }
    text.push_str(rest);
    Text { text, gold, origin: origin.to_owned() }
}

#[expect(clippy::panic, reason = "a corpus that cannot be read has nothing to judge")]
fn panic_at(origin: &str, what: &str) -> ! {
    panic!("{origin}: {what}")
}
