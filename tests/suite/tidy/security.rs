//! `docs/security.md` names tests for what it promises: each of them exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../docs/security.md");
/// The head of the columns that name tests.
const COLUMN: &str = "shown by";

/// The texts in backticks of a table's column, from each table that has it.
fn named(page: &str) -> BTreeSet<String> {
    let (mut column, mut found) = (None, BTreeSet::new());
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            column = None;
        } else if let Some(place) = cells.iter().position(|cell| *cell == COLUMN) {
            column = Some(place);
        } else if let Some(cell) = column.and_then(|column| cells.get(column)) {
            found.extend(cell.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// The names of all functions below a directory.
fn functions(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let mut there = BTreeSet::new();
    for directory in ["src", "tests/suite"] {
        functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut there);
    }
    let named = named(PAGE);
    assert!(named.len() > 15, "the page names tests: {named:?}");
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "docs/security.md names tests that there are not: {missing:#?}");
}

#[test]
fn names_are_read_from_the_right_column() {
    let page = "| a | shown by |\n|---|---|\n| `x` | `one`, `two` |\n\n| b | c |\n|---|---|\n| x | `three` |\n";
    assert_eq!(named(page), BTreeSet::from(["one".to_owned(), "two".to_owned()]));
}
