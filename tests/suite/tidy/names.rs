//! Names that say nothing about what is inside.

use super::source::Source;
use super::{Rule, Violation};

const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut broken = Vec::new();
    for part in &source.module {
        if part.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
            let text = format!("{part} does not say what it is for");
            broken.push(Violation { file: source.file.clone(), line: 1, rule: Rule::Name, text });
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::broken_by;
    use super::*;

    #[test]
    fn empty_names_are_refused() {
        for file in ["store/utils.rs", "store/common/a.rs", "store/helpers/mod.rs", "store/budget_manager.rs"] {
            let text = if file.ends_with("mod.rs") { "//! Says something." } else { "" };
            assert_eq!(broken_by(file, text), [Rule::Name], "{file}");
        }
    }
}
