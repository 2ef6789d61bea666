//! The rows of the house. Code names lower rows only.

use super::paths::{self, Named};
use super::source::Source;
use super::{Rule, Violation};

/// The rooms and their rows, lowest first. Rooms of one row do not name each other.
const ROWS: &[&[&str]] = &[
    &["domain"],
    &["config", "protocol", "telemetry", "store", "supervision"],
    &["journal"],
    &["control_plane::audit"],
    &["control_plane::budget"],
    &["control_plane::policy"],
    &["control_plane::template"],
    &["control_plane::access"],
    &["control_plane::admission"],
    &["data_plane::http"],
    &["data_plane::tool", "data_plane::provider"],
    &["data_plane::dlp", "data_plane::hook"],
    &["data_plane::agent"],
    &["data_plane::factory"],
    &["data_plane::orchestrator"],
    &["data_plane::erasure"],
    &["api"],
    &["app", "client", "cli"],
];

/// Rooms that only hold others.
const PLANES: [&str; 2] = ["control_plane", "data_plane"];

/// Rooms that name less than their row would let them: `client` is used without the daemon.
const ONLY: &[(&str, &[&str])] = &[("client", &["protocol", "domain"])];

/// Rooms that name one of their own row: `cli` talks to the daemon through `client`.
const ALSO: &[(&str, &str)] = &[("cli", "client")];

/// The one room that names a technology.
const TECHNOLOGIES: &[(&str, &str)] =
    &[("sled", "store"), ("axum", "api"), ("regorus", "control_plane::policy"), ("reqwest", "data_plane::http")];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    if source.is_test || source.file.starts_with("bin/") {
        return Vec::new();
    }
    let here = room_of(&source.module);
    let violation =
        |named: &Named, rule: Rule, text: String| Violation { file: source.file.clone(), line: named.line, rule, text };
    let mut broken = Vec::new();
    if row(&here).is_none() && !source.module.is_empty() && !PLANES.contains(&here.as_str()) {
        let whole = Named { segments: Vec::new(), module: Vec::new(), line: 1 };
        broken.push(violation(&whole, Rule::Row, format!("{here} is no room of the house: give it a row")));
    }
    for named in paths::of(&source.tokens, &source.module) {
        let written = named.segments.join("::");
        if named.segments.windows(2).any(|pair| pair[0] == "super" && pair[1] == "super") {
            broken.push(violation(&named, Rule::SuperSuper, format!("{written}: say crate::… instead")));
        }
        if let Some(target) = named.absolute()
            && let Some(why) = refusal(&here, &room_of(&target), &target)
        {
            broken.push(violation(&named, Rule::Row, format!("{written}: {why}")));
        }
        for (technology, room) in TECHNOLOGIES {
            let names_it = named.segments.first().is_some_and(|first| first == technology) && named.segments.len() > 1;
            if names_it && here != *room {
                broken.push(violation(&named, Rule::Technology, format!("{written}: only {room} knows {technology}")));
            }
        }
    }
    broken
}

/// Why `here` may not name `there`.
fn refusal(here: &str, there: &str, target: &[String]) -> Option<String> {
    let inside = here == there && !here.is_empty();
    let own_child = target.len() > 1 && here.is_empty() || PLANES.contains(&here) && there.starts_with(here);
    if inside || own_child {
        return None;
    }
    if there.is_empty() {
        return Some("the crate's root holds nothing but rooms: name the room".to_owned());
    }
    let Some(to) = row(there) else { return Some(format!("{there} is no room of the house")) };
    if let Some((_, only)) = ONLY.iter().find(|(room, _)| *room == here) {
        return (!only.contains(&there)).then(|| format!("{here} names {} only", only.join(" and ")));
    }
    let from = row(here).unwrap_or(0);
    let allowed = to < from || ALSO.contains(&(here, there));
    (!allowed).then(|| format!("{here} is not above {there}"))
}

/// The room of a module: two names inside the planes, else one.
fn room_of(module: &[String]) -> String {
    let depth = if module.first().is_some_and(|first| PLANES.contains(&first.as_str())) { 2 } else { 1 };
    module.iter().take(depth).cloned().collect::<Vec<_>>().join("::")
}

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

#[cfg(test)]
mod tests {
    use super::super::broken_by;
    use super::*;

    fn check_rows(file: &str, text: &str, expected: &[Rule]) {
        let rows = [Rule::Row, Rule::SuperSuper, Rule::Technology];
        let broken: Vec<_> = broken_by(file, text).into_iter().filter(|rule| rows.contains(rule)).collect();
        assert_eq!(broken, expected, "{file}: {text}");
    }

    #[test]
    fn higher_rows_are_refused_however_they_are_named() {
        for (file, text) in [
            ("store/handle.rs", "use crate::journal::X;"),
            ("store/handle.rs", "use crate::{journal, domain};"),
            ("store/handle.rs", "use crate::{domain::{name::X}, journal::{Y, Z as W}};"),
            ("domain/id.rs", "fn f() { crate::store::g() }"),
            ("domain/id.rs", "fn f() -> Option<crate::api::X> { None }"),
            ("domain/id.rs", "fn f() { vec![crate::api::X] }"),
            ("store/mod.rs", "use super::journal::X;"),
            ("control_plane/budget/mod.rs", "use super::policy::X;"),
            ("control_plane/budget/state.rs", "use crate::data_plane::agent::X;"),
            ("data_plane/dlp/mod.rs", "use crate::data_plane::agent::X;"),
            ("journal/mod.rs", "use crate::*;"),
            ("journal/mod.rs", "use crate::control_plane;"),
            ("app.rs", "use crate::client::X;"),
            ("app.rs", "use crate::nowhere::X;"),
        ] {
            let broken = broken_by(file, text);
            assert!(broken.contains(&Rule::Row), "{file}: {text} broke {broken:?}");
        }
    }

    #[test]
    fn peers_of_the_second_row_do_not_name_each_other() {
        for (here, there) in [("config", "telemetry"), ("store", "supervision"), ("protocol", "config")] {
            check_rows(&format!("{here}/a.rs"), &format!("use crate::{there}::X;"), &[Rule::Row]);
        }
    }

    #[test]
    fn lower_rows_and_the_own_room_are_free() {
        for (file, text) in [
            ("store/handle.rs", "use crate::domain::X; use super::error::E; use self::inner::Y; use crate::store::Z;"),
            (
                "control_plane/admission/mod.rs",
                "use crate::control_plane::{budget, template::X}; use super::access::Y;",
            ),
            ("data_plane/agent/actor.rs", "use crate::control_plane::budget::X; use crate::data_plane::provider::P;"),
            ("cli/run.rs", "use crate::client::X; use crate::protocol::Y;"),
            ("app.rs", "use crate::{api, config, data_plane::factory};"),
            ("control_plane/mod.rs", "pub mod budget; fn f() { self::budget::g() }"),
        ] {
            check_rows(file, text, &[]);
        }
    }

    #[test]
    fn the_client_names_protocol_and_domain_only() {
        check_rows("client/mod.rs", "use crate::{domain::X, protocol::Y};", &[]);
        check_rows("client/mod.rs", "use crate::config::X;", &[Rule::Row]);
        check_rows("client/mod.rs", "use crate::api::X;", &[Rule::Row]);
    }

    #[test]
    fn super_super_is_refused() {
        check_rows("store/deep/a.rs", "use super::super::error::E;", &[Rule::SuperSuper]);
        check_rows("store/deep/a.rs", "fn f() { super::super::g() }", &[Rule::SuperSuper]);
    }

    #[test]
    fn a_technology_stays_in_its_room() {
        check_rows("journal/mod.rs", "fn f(x: sled::Db) {}", &[Rule::Technology]);
        check_rows("journal/mod.rs", "use sled::{Db, Tree};", &[Rule::Technology, Rule::Technology]);
        check_rows("store/handle.rs", "use sled::Db;", &[]);
    }

    #[test]
    fn an_unknown_room_needs_a_row() {
        check_rows("attic/mod.rs", "", &[Rule::Row]);
        check_rows("control_plane/attic/mod.rs", "", &[Rule::Row]);
    }

    #[test]
    fn tests_may_name_anything() {
        check_rows("store/tests.rs", "use crate::api::X;", &[]);
        check_rows("store/a.rs", "#[cfg(test)] mod tests { use crate::api::X; use super::super::Y; }", &[]);
    }
}
