//! The house's rules, checked on the source itself: rows, purity, sizes, names. Each checker has snippets that it must refuse,
//! because a check that cannot fail is none.

mod chokepoint;
mod codes;
mod headers;
mod names;
mod paths;
mod purity;
mod rows;
mod security;
mod sizes;
mod source;
mod tracked;

use std::fmt;
use std::path::Path;

use source::Source;

/// A rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Violation {
    file: String,
    line: usize,
    rule: Rule,
    text: String,
}

/// The rules, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Code names lower rows only.
    Row,
    /// `super::super` hides how far a name reaches.
    SuperSuper,
    /// `state.rs` and `policy.rs` decide without the world.
    Pure,
    /// One room knows one technology.
    Technology,
    /// Files of at most 500 lines.
    FileLength,
    /// Functions of at most 70 lines.
    FunctionLength,
    /// No names that say nothing.
    Name,
    /// `lib.rs` re-exports nothing, and each `mod.rs` begins by saying what it is for.
    Header,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {:?}: {}", self.file, self.line, self.rule, self.text)
    }
}

/// A file that may break a rule, and why.
struct Exception {
    file: &'static str,
    rule: Rule,
    #[expect(dead_code, reason = "read by people")]
    reason: &'static str,
}

/// Few, and each must still be needed.
const EXCEPTIONS: &[Exception] = &[];

/// Every rule against one file.
fn check(source: &Source) -> Vec<Violation> {
    [rows::check(source), purity::check(source), sizes::check(source), names::check(source), headers::check(source)]
        .concat()
}

fn house() -> Vec<Source> {
    source::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn the_house_keeps_its_rules() {
    let excepted = |violation: &Violation| {
        EXCEPTIONS.iter().any(|exception| exception.file == violation.file && exception.rule == violation.rule)
    };
    let broken: Vec<_> = house().iter().flat_map(check).filter(|violation| !excepted(violation)).collect();
    let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{} broken rules:\n{}", broken.len(), told.join("\n"));
}

/// The only file outside the tool room that calls a tool: slot, filter and records stand around the call there.
const CALLS_TOOLS: &str = "data_plane/orchestrator/calling.rs";

/// Whether a file of production code outside the tool room calls a tool.
fn calls_tools(source: &Source) -> bool {
    !source.is_test && !source.file.starts_with("data_plane/tool/") && source.text.contains(".invoke(")
}

/// The only file outside the tool room that tells a tool of a task: what it says is made in that room, of an entry of the outbox,
/// which holds no text.
const TELLS_TOOLS: &str = "data_plane/hook/handle.rs";

/// Whether a file of production code outside the tool room tells a tool of a task.
fn tells_tools(source: &Source) -> bool {
    !source.is_test && !source.file.starts_with("data_plane/tool/") && source.text.contains("tools.tell(")
}

#[test]
fn tools_are_called_from_one_place_only() {
    let callers: Vec<_> = house().into_iter().filter(calls_tools).map(|source| source.file).collect();
    assert_eq!(callers, [CALLS_TOOLS], "a call elsewhere passes filter and records by");
    let tellers: Vec<_> = house().into_iter().filter(tells_tools).map(|source| source.file).collect();
    assert_eq!(tellers, [TELLS_TOOLS], "a notice elsewhere has no entry of the outbox behind it");
    let elsewhere = "async fn f(t: Tools) { t.invoke(&slot, &call, within).await; }";
    assert!(calls_tools(&Source::parse("data_plane/agent/turn.rs", elsewhere)));
    assert!(!calls_tools(&Source::parse("data_plane/tool/handle.rs", elsewhere)));
}

#[test]
fn every_exception_is_still_needed() {
    let broken: Vec<_> = house().iter().flat_map(check).collect();
    for exception in EXCEPTIONS {
        let needed =
            broken.iter().any(|violation| violation.file == exception.file && violation.rule == exception.rule);
        assert!(needed, "{} no longer breaks {:?}: take the exception away", exception.file, exception.rule);
    }
}

/// The rules that a snippet breaks, as if it stood in `file`.
#[cfg(test)]
fn broken_by(file: &str, text: &str) -> Vec<Rule> {
    check(&Source::parse(file, text)).into_iter().map(|violation| violation.rule).collect()
}
