//! One pattern, compiled when it is first needed.
//!
//! The engine behind it (`regex-automata`) runs in time linear in the text for every pattern: there is no pattern that is
//! catastrophic to run, only such that are too large to compile, and these are refused.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind};

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;

/// The largest automaton of one pattern, in bytes. Some kilobytes is usual; `(\w{1,999}){1,999}` would be gigabytes.
const AUTOMATON_BYTES_MAX: usize = 256 * 1024;

/// The largest table by which a pattern with one way to match is run, in bytes.
const ONE_PASS_BYTES_MAX: usize = 32 * 1024;

/// The room for a pattern's states, which are made as they are met, in bytes. It fills with use and is kept; with less, patterns
/// of many ways to match would make the same states again and again.
const STATES_BYTES_MAX: usize = 512 * 1024;

/// How deep groups may nest.
const NEST_MAX: u32 = 32;

/// The group that is the finding where a pattern has groups.
const SECRET_GROUP: usize = 1;

/// What was matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// All of it.
    pub(super) whole: Range<usize>,
    /// The first group, where the pattern has one that took part; else all of it.
    pub(super) secret: Range<usize>,
}

/// A pattern as it is written, compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    written: String,
    compiled: OnceLock<Option<Matcher>>,
}

impl Pattern {
    /// A pattern that is compiled later; [`Pattern::check`] says whether it can be.
    #[must_use]
    pub fn new(written: String) -> Self {
        Self { written, compiled: OnceLock::new() }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// Why not, in words for its author.
    pub fn check(&self) -> Result<(), String> {
        Matcher::new(&self.written).map(|_compiled| ())
    }

    /// The compiled pattern; none where it fails [`Pattern::check`].
    pub(super) fn matcher(&self) -> Option<&Matcher> {
        self.compiled.get_or_init(|| Matcher::new(&self.written).ok()).as_ref()
    }
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    whole: Regex,
    /// Where the first group stands among parts that follow each other: those before it, the group, those behind it. Each is
    /// searched many times faster than groups are.
    parts: Option<Parts>,
}

#[derive(Debug, Clone)]
struct Parts {
    before: Option<Regex>,
    group: Regex,
    behind: Option<Regex>,
}

impl Matcher {
    /// Compiles a pattern; it works on bytes, and its classes are ASCII.
    ///
    /// # Errors
    /// It is too long, no pattern, too large, or matches nothing at all; in words for its author.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(format!("{} bytes are more than a pattern may have ({PATTERN_BYTES_MAX})", pattern.len()));
        }
        let written = syntax::Config::new().unicode(false).utf8(false).nest_limit(NEST_MAX);
        let parsed: Hir = syntax::parse_with(pattern, &written).map_err(|fault| plain(&fault.to_string()))?;
        match parsed.properties().minimum_len() {
            Some(0) => return Err("it matches an empty text, which is everywhere".to_owned()),
            None => return Err("it can never match".to_owned()),
            Some(_) => {}
        }
        Ok(Self { parts: Parts::of(&parsed), whole: compile(&parsed)? })
    }

    /// The match that begins where the span does.
    pub(super) fn at_start(&self, bytes: &[u8], span: Range<usize>) -> Option<Match> {
        let whole = self.whole.search_half(&Input::new(bytes).range(span.clone()).anchored(Anchored::Yes))?;
        self.divided(bytes, span.start..whole.offset())
    }

    /// The leftmost match in the span.
    pub(super) fn within(&self, bytes: &[u8], span: Range<usize>) -> Option<Match> {
        let whole = self.whole.search(&Input::new(bytes).range(span))?;
        self.divided(bytes, whole.range())
    }

    /// Whether all of a value matches.
    pub(super) fn is_whole(&self, value: &[u8]) -> bool {
        let found = self.whole.search_half(&Input::new(value).anchored(Anchored::Yes));
        found.is_some_and(|found| found.offset() == value.len())
    }

    /// Finds the group in a match.
    fn divided(&self, bytes: &[u8], whole: Range<usize>) -> Option<Match> {
        if self.whole.captures_len() <= SECRET_GROUP {
            return Some(Match { secret: whole.clone(), whole });
        }
        let parts = self.parts.as_ref().and_then(|parts| parts.group(bytes, &whole));
        if let Some(secret) = parts {
            return Some(Match { whole, secret });
        }
        let mut slots = [None; 2 * (SECRET_GROUP + 1)];
        let input = Input::new(bytes).range(whole.clone()).anchored(Anchored::Yes);
        self.whole.search_slots(&input, &mut slots)?;
        let at = |slot: usize| slots.get(slot).copied().flatten().map(|place| place.get());
        let secret = at(2).zip(at(3)).map_or_else(|| whole.clone(), |(start, end)| start..end);
        Some(Match { whole, secret })
    }
}

impl Parts {
    /// The parts of a pattern that is a row of parts, one of which is the first group; none for other patterns.
    fn of(parsed: &Hir) -> Option<Self> {
        let HirKind::Concat(row) = parsed.kind() else { return None };
        let place = row.iter().position(|part| matches!(part.kind(), HirKind::Capture(group) if group.index == 1))?;
        let (before, rest) = row.split_at_checked(place)?;
        let (group, behind) = rest.split_first()?;
        let joined = |parts: &[Hir]| (!parts.is_empty()).then(|| compile(&Hir::concat(parts.to_vec())).ok());
        let whole = |part: Option<Option<Regex>>| part.map_or(Some(None), |compiled| compiled.map(Some));
        Some(Self { before: whole(joined(before))?, group: compile(group).ok()?, behind: whole(joined(behind))? })
    }

    /// The group in a match, where each part ends as it would alone; which is how the whole matches then, too. None where a part
    /// has to give way to the next.
    fn group(&self, bytes: &[u8], whole: &Range<usize>) -> Option<Range<usize>> {
        let end_of = |part: &Option<Regex>, from: usize| match part {
            Some(part) => {
                let input = Input::new(bytes).range(from..whole.end).anchored(Anchored::Yes);
                part.search_half(&input).map(|end| end.offset())
            }
            None => Some(from),
        };
        let start = end_of(&self.before, whole.start)?;
        let input = Input::new(bytes).range(start..whole.end).anchored(Anchored::Yes);
        let end = self.group.search_half(&input)?.offset();
        (end_of(&self.behind, end)? == whole.end).then_some(start..end)
    }
}

fn compile(parsed: &Hir) -> Result<Regex, String> {
    let limits = meta::Config::new()
        .utf8_empty(false)
        .dfa(false)
        .nfa_size_limit(Some(AUTOMATON_BYTES_MAX))
        .onepass_size_limit(Some(ONE_PASS_BYTES_MAX))
        .hybrid_cache_capacity(STATES_BYTES_MAX);
    Regex::builder().configure(limits).build_from_hir(parsed).map_err(|fault| match fault.size_limit() {
        Some(limit) => format!("compiled, it is larger than {limit} bytes: make its repetitions smaller"),
        None => fault.to_string(),
    })
}

/// The last line of what the parser says; those before it draw the pattern.
fn plain(fault: &str) -> String {
    let line = fault.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_no_text_should_be_given_to_are_refused() {
        for (pattern, why) in [
            ("(", "unclosed group"),
            (r"\p{Greek}", "Unicode"),
            ("a*", "empty"),
            ("", "empty"),
            (r"\b", "empty"),
            (r"[^\x00-\xff]", "never match"),
            (r"(\w{1,999}){1,999}", "larger than"),
            (&format!("{}a{}", "(".repeat(200), ")".repeat(200)), "nest"),
            (&"a".repeat(PATTERN_BYTES_MAX + 1), "more than a pattern may have"),
        ] {
            let fault = Matcher::new(pattern).expect_err(pattern);
            assert!(fault.contains(why), "{pattern}: {fault}");
            assert!(!fault.contains('\n'));
        }
    }

    #[test]
    fn the_first_group_is_the_secret() {
        let matcher = Matcher::new("key=([a-z]+);?").expect("a pattern");
        let found = matcher.within(b"-key=abc;", 0..9).expect("a match");
        assert_eq!(found, Match { whole: 1..9, secret: 5..8 });
        assert_eq!(matcher.at_start(b"-key=abc;", 0..9), None);
        assert!(matcher.is_whole(b"key=abc") && !matcher.is_whole(b"key=abc1"));
    }

    #[test]
    fn what_stands_around_the_span_is_seen() {
        let matcher = Matcher::new(r"\bab\b").expect("a pattern");
        assert!(matcher.at_start(b"xab", 1..3).is_none());
        assert!(matcher.at_start(b" abc", 1..3).is_none());
        assert!(matcher.at_start(b" ab ", 1..3).is_some());
    }
}
