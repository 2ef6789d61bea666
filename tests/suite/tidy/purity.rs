//! Pure cores: `state.rs` and `policy.rs` take time and chance as arguments and leave acting to the shell beside them.

use super::paths;
use super::source::Source;
use super::{Rule, Violation};

/// Crates that act on the world.
const CRATES: [&str; 8] = ["ractor", "tokio", "sled", "rand", "reqwest", "hyper", "rustix", "metrics"];

/// Pairs of neighbours in a path that read the clock, chance, the environment or the disk.
const PAIRS: [(&str, &str); 10] = [
    ("SystemTime", "now"),
    ("Instant", "now"),
    ("Timestamp", "now"),
    ("Uuid", "now_v7"),
    ("Uuid", "new_v4"),
    ("std", "env"),
    ("std", "fs"),
    ("std", "net"),
    ("std", "process"),
    ("time", "SystemTime"),
];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let pure = ["state.rs", "policy.rs"].iter().any(|name| source.file.rsplit('/').next() == Some(name));
    if !pure || source.is_test {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for named in paths::of(&source.tokens, &source.module) {
        let segments = &named.segments;
        let acts = segments.first().is_some_and(|first| CRATES.contains(&first.as_str())) && segments.len() > 1;
        let reads = segments.windows(2).any(|pair| PAIRS.contains(&(pair[0].as_str(), pair[1].as_str())));
        if acts || reads {
            let text = format!("{}: a pure core is handed what it needs", segments.join("::"));
            broken.push(Violation { file: source.file.clone(), line: named.line, rule: Rule::Pure, text });
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::broken_by;
    use super::*;

    #[test]
    fn a_pure_core_that_acts_is_refused() {
        for text in [
            "use tokio::sync::mpsc;",
            "use ractor::{Actor, ActorRef};",
            "fn f() { let t = std::time::Instant::now(); }",
            "use std::time::SystemTime;",
            "use std::{env, fmt};",
            "fn f() -> u8 { rand::random() }",
            "fn f() { let now = crate::domain::clock::Timestamp::now(); }",
            "fn f(x: sled::Db) {}",
        ] {
            for file in ["control_plane/budget/state.rs", "supervision/policy.rs"] {
                assert!(broken_by(file, text).contains(&Rule::Pure), "{file}: {text}");
            }
        }
    }

    #[test]
    fn only_pure_cores_are_held_to_it_and_not_their_tests() {
        for (file, text) in [
            ("control_plane/budget/actor.rs", "use tokio::sync::mpsc;"),
            ("control_plane/policy/mod.rs", "use tokio::sync::mpsc;"),
            ("control_plane/budget/state.rs", "use std::time::Duration; fn f(now: u64) {}"),
            ("control_plane/budget/state.rs", "#[cfg(test)] mod tests { use tokio::test; }"),
        ] {
            assert!(!broken_by(file, text).contains(&Rule::Pure), "{file}: {text}");
        }
    }
}
