//! A rule file: text -> rules, or every mistake at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::read::{Located, Source, Table};
use crate::config::Mistake;
use crate::data_plane::dlp::detect::pattern::{Checks, Context, Exceptions, Origin, Pattern, Reach, Rule};
use crate::data_plane::dlp::detect::{validator, validators};
use crate::data_plane::dlp::finding::{Kind, Score};

/// The most rules of a file.
pub const RULES_MAX: usize = 512;

/// The most lists of exceptions of a file.
const ALLOW_MAX: usize = 64;

/// The most keywords of a rule.
const KEYWORDS_MAX: usize = 32;

/// The shortest keyword, in bytes: a shorter one would be met everywhere.
const KEYWORD_BYTES_MIN: usize = 2;

/// The longest keyword, id or context word, in bytes.
const WORD_BYTES_MAX: usize = 64;

/// The most context words of a rule.
const CONTEXT_WORDS_MAX: usize = 64;

/// The most values, or patterns, of one list of exceptions.
const EXCEPTIONS_MAX: usize = 1_000;

/// The most patterns of one list of exceptions: each is tried on each finding of its type.
const EXCEPTION_PATTERNS_MAX: usize = 16;

/// The most names in `disable`.
const DISABLED_MAX: usize = 512;

/// How far from its keyword a pattern may look, in bytes.
const REACH_BYTES_MAX: usize = 4_096;

/// How far it looks where nothing is said: before the keyword, and from it on.
const REACH_BYTES_DEFAULT: (usize, usize) = (64, 256);

/// What a rule file says.
#[derive(Debug, Default)]
pub struct RuleFile {
    /// Its rules.
    pub rules: Vec<Arc<Rule>>,
    /// Shipped rules that are not to be used, by id.
    pub disabled_rules: BTreeSet<String>,
    /// Types of which nothing is to be found.
    pub disabled_kinds: BTreeSet<Kind>,
    /// What is no finding of a type, whichever detector says so.
    pub allowed: BTreeMap<Kind, Vec<Exceptions>>,
}

/// Reads the text of a file. `shipped` are the ids of the rules that there are already: they may be disabled, and are taken.
///
/// # Errors
/// Every mistake, with its place; where the text is not TOML, only what is wrong with its syntax.
pub(super) fn parse(
    path: &Path,
    text: &str,
    origin: Origin,
    shipped: &BTreeSet<&str>,
) -> Result<RuleFile, Vec<Mistake>> {
    let mut source = Source::new(path, text);
    let (document, faults) = DeTable::parse_recoverable(text);
    for fault in &faults {
        source.mistake(fault.span().map_or(0, |span| span.start), "", fault.message());
    }
    if !faults.is_empty() {
        return Err(source.mistakes);
    }
    let mut file = RuleFile::default();
    let mut root = Table::new(String::new(), 0..0, document.get_ref());
    for name in root.texts(&mut source, "disable", DISABLED_MAX) {
        disable(&mut file, &name, shipped, &mut source);
    }
    for table in root.tables(&mut source, "allow", ALLOW_MAX) {
        if let Some((kind, exceptions)) = allowed(table, &mut source) {
            file.allowed.entry(kind).or_default().push(exceptions);
        }
    }
    let mut ids: BTreeSet<String> = shipped.iter().map(|id| (*id).to_owned()).collect();
    for table in root.tables(&mut source, "rule", RULES_MAX) {
        file.rules.extend(rule(table, origin, &mut ids, &mut source).map(Arc::new));
    }
    root.finish(&mut source);
    if source.mistakes.is_empty() { Ok(file) } else { Err(source.mistakes) }
}

fn disable(file: &mut RuleFile, name: &Located<String>, shipped: &BTreeSet<&str>, source: &mut Source<'_>) {
    let name_of_kind = Kind::ALL.iter().find(|kind| kind.as_str() == name.value);
    match name_of_kind {
        Some(kind) => {
            file.disabled_kinds.insert(*kind);
        }
        None if shipped.contains(name.value.as_str()) => {
            file.disabled_rules.insert(name.value.clone());
        }
        None => source.mistake(
            name.offset,
            "disable",
            format!("{:?} is neither a shipped rule nor a shipped type", name.value),
        ),
    }
}

fn allowed(mut table: Table<'_>, source: &mut Source<'_>) -> Option<(Kind, Exceptions)> {
    let name = table.required_text(source, "type");
    let kind = name.and_then(|name| kind_of(&name, &table, source));
    let exceptions = exceptions(&mut table, source, "values", "patterns");
    table.finish(source);
    Some((kind?, exceptions?))
}

fn kind_of(name: &Located<String>, table: &Table<'_>, source: &mut Source<'_>) -> Option<Kind> {
    let kind = Kind::named(&name.value);
    kind.map_err(|fault| source.mistake(name.offset, &table.path_of("type"), fault.to_string())).ok()
}

fn exceptions(
    table: &mut Table<'_>,
    source: &mut Source<'_>,
    values: &'static str,
    patterns: &'static str,
) -> Option<Exceptions> {
    let bare = |texts: &[Located<String>]| texts.iter().map(|text| text.value.clone()).collect::<Vec<_>>();
    let allowed = table.texts(source, values, EXCEPTIONS_MAX);
    let written = table.texts(source, patterns, EXCEPTION_PATTERNS_MAX);
    let built = Exceptions::new(&bare(&allowed), &bare(&written));
    let wrong = |(place, fault): (usize, String), source: &mut Source<'_>| {
        let offset = written.get(place).map_or(table.offset(), |pattern| pattern.offset);
        source.mistake(offset, &table.path_of(patterns), fault);
    };
    built.map_err(|fault| wrong(fault, source)).ok()
}

/// Reads one rule; its id is taken from then on.
fn rule(mut table: Table<'_>, origin: Origin, ids: &mut BTreeSet<String>, source: &mut Source<'_>) -> Option<Rule> {
    let id = table.required_text(source, "id");
    let id = id.filter(|id| is_new_id(id, &table, ids, source));
    let name = table.required_text(source, "type");
    let kind = name.and_then(|name| kind_of(&name, &table, source));
    let keywords = keywords(&mut table, source);
    let pattern = table.required_text(source, "pattern");
    let score = score(&mut table, source, "score", if origin == Origin::Shipped { Score::HIGH } else { Score::LIKELY });
    let rule = Rule {
        id: id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
        kind: kind.unwrap_or(Kind::GENERIC_SECRET),
        source: table.text(source, "source").map(|source| source.value).unwrap_or_default(),
        origin,
        keywords,
        case_sensitive: table.boolean(source, "case_sensitive").unwrap_or(origin == Origin::Shipped),
        pattern: Pattern::new(pattern.as_ref().map(|pattern| pattern.value.clone()).unwrap_or_default()),
        reach: reach(&mut table, origin, source),
        whole: table.boolean(source, "whole").unwrap_or(true),
        score,
        context: context(&mut table, score, source),
        checks: checks(&mut table, origin, source),
    };
    // The shipped patterns are compiled when they are needed; a test compiles them all.
    if let Some(pattern) = pattern.as_ref().filter(|_| origin == Origin::Own)
        && let Err(fault) = rule.pattern.check()
    {
        source.mistake(pattern.offset, &table.path_of("pattern"), fault);
    }
    table.finish(source);
    (id.is_some() && kind.is_some() && pattern.is_some()).then_some(rule)
}

/// Whether an id can be taken. A rule that is not read to its end for another reason keeps its id all the same.
fn is_new_id(id: &Located<String>, table: &Table<'_>, ids: &mut BTreeSet<String>, source: &mut Source<'_>) -> bool {
    let of_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !id.value.bytes().all(of_id) || id.value.len() > WORD_BYTES_MAX {
        let text = format!("expected at most {WORD_BYTES_MAX} lowercase letters, digits and hyphens");
        source.mistake(id.offset, &table.path_of("id"), text);
        return false;
    }
    let new = ids.insert(id.value.clone());
    if !new {
        source.mistake(id.offset, &table.path_of("id"), "another rule has this id, a shipped one or one of this file");
    }
    new
}

fn keywords(table: &mut Table<'_>, source: &mut Source<'_>) -> Vec<String> {
    let before = source.mistakes.len();
    let keywords = table.texts(source, "keywords", KEYWORDS_MAX);
    if keywords.is_empty() && source.mistakes.len() == before {
        let text = "missing: at least one, without which there is nothing to find; a pattern is tried beside them only";
        source.mistake(table.offset(), &table.path_of("keywords"), text);
    }
    for keyword in &keywords {
        if !(KEYWORD_BYTES_MIN..=WORD_BYTES_MAX).contains(&keyword.value.len()) {
            let text = format!("expected {KEYWORD_BYTES_MIN} to {WORD_BYTES_MAX} bytes");
            source.mistake(keyword.offset, &table.path_of("keywords"), text);
        }
    }
    keywords.into_iter().map(|keyword| keyword.value).collect()
}

fn reach(table: &mut Table<'_>, origin: Origin, source: &mut Source<'_>) -> Reach {
    let anchored = table.boolean(source, "anchored").unwrap_or(origin == Origin::Shipped);
    let (before_default, after_default) = REACH_BYTES_DEFAULT;
    let after = table.whole(source, "after", 1..=REACH_BYTES_MAX).unwrap_or(after_default);
    let before = table.whole(source, "before", 0..=REACH_BYTES_MAX);
    match (anchored, before) {
        (false, before) => Reach::Around { before: before.unwrap_or(before_default), after },
        (true, None) => Reach::FromKeyword { after },
        (true, Some(_)) => {
            let text = "an anchored pattern begins with its keyword; there is nothing before";
            source.mistake(table.offset(), &table.path_of("before"), text);
            Reach::FromKeyword { after }
        }
    }
}

fn score(table: &mut Table<'_>, source: &mut Source<'_>, key: &'static str, default: Score) -> Score {
    let given = table.number(source, key, 0.01..=1.0);
    // Within 1 and 100 after the bounds; hundredths are what scores are counted in.
    let hundredths = |score: f64| {
        (1..=100_u8).min_by(|left, right| {
            let away = |hundredths: u8| (f64::from(hundredths) / 100.0 - score).abs();
            away(*left).total_cmp(&away(*right))
        })
    };
    given.and_then(hundredths).and_then(Score::from_hundredths).unwrap_or(default)
}

fn context(table: &mut Table<'_>, score_without: Score, source: &mut Source<'_>) -> Option<Context> {
    let words = table.texts(source, "context", CONTEXT_WORDS_MAX);
    let required = table.boolean(source, "context_required").unwrap_or(false);
    let score = score(table, source, "context_score", Score::HIGH.max(score_without));
    for word in &words {
        if word.value.len() > WORD_BYTES_MAX {
            source.mistake(word.offset, &table.path_of("context"), format!("expected at most {WORD_BYTES_MAX} bytes"));
        }
    }
    if words.is_empty() {
        if required {
            source.mistake(table.offset(), &table.path_of("context_required"), "there are no words in \"context\"");
        }
        return None;
    }
    Some(Context::new(words.into_iter().map(|word| word.value).collect(), score, required))
}

fn checks(table: &mut Table<'_>, origin: Origin, source: &mut Source<'_>) -> Checks {
    let name = table.text(source, "validator");
    let found = name.as_ref().and_then(|name| validator(&name.value));
    if let (Some(name), None) = (&name, found) {
        let text = format!(
            "there is no validator {:?}; there are {}",
            name.value,
            validators().collect::<Vec<_>>().join(", ")
        );
        source.mistake(name.offset, &table.path_of("validator"), text);
    }
    Checks {
        entropy: table.number(source, "entropy", 0.0..=8.0),
        validator: found,
        real: table.boolean(source, "real").unwrap_or(origin == Origin::Shipped),
        exceptions: exceptions(table, source, "allow", "allow_patterns").unwrap_or_default(),
    }
}
