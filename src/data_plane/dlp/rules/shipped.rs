//! The rules that are shipped.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use super::file::parse;
use crate::config::Mistake;
use crate::data_plane::dlp::detect::pattern::{Engine, Origin};

/// The files of shipped rules.
const FILES: [(&str, &str); 7] = [
    ("cloud.toml", include_str!("cloud.toml")),
    ("code.toml", include_str!("code.toml")),
    ("payment.toml", include_str!("payment.toml")),
    ("messaging.toml", include_str!("messaging.toml")),
    ("models.toml", include_str!("models.toml")),
    ("operations.toml", include_str!("operations.toml")),
    ("generic.toml", include_str!("generic.toml")),
];

/// Made when the first text is examined: a daemon that examines none has none of it in memory.
#[expect(clippy::expect_used, reason = "the rules are part of the program, and a test reads them")]
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    // Without its rules nothing may pass: a text that comes here breaks its worker, and fails closed.
    read().expect("the shipped rules are sound: the_shipped_rules_are_sound says so")
});

/// The engine over the shipped rules.
pub(in crate::data_plane::dlp) fn engine() -> &'static Engine {
    &ENGINE
}

/// Reads the shipped rules.
fn read() -> Result<Engine, String> {
    let told = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let mut rules = Vec::new();
    for (name, text) in FILES {
        rules.extend(parse(Path::new(name), text, Origin::Shipped, &BTreeSet::new()).map_err(told)?.rules);
    }
    Engine::new(rules)
}
