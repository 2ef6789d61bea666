//! What a module's first file must be: `lib.rs` a map and nothing else, each `mod.rs` an introduction.

use syn::spanned::Spanned;

use super::source::Source;
use super::{Rule, Violation};

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut refuse = |line: usize, text: &str| {
        broken.push(Violation { file: source.file.clone(), line, rule: Rule::Header, text: text.to_owned() });
    };
    if source.file == "lib.rs" {
        for item in &source.syntax.items {
            if !matches!(item, syn::Item::Mod(module) if module.content.is_none()) {
                refuse(item.span().start().line, "lib.rs declares rooms and holds nothing else");
            }
        }
    }
    if source.file.ends_with("mod.rs") && !source.is_test && !source.text.trim_start().starts_with("//!") {
        refuse(1, "a mod.rs begins with what the module is for");
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::broken_by;
    use super::*;

    #[test]
    fn the_root_holds_rooms_and_nothing_else() {
        assert_eq!(broken_by("lib.rs", "//! Map.\n/// A room.\npub mod store;"), []);
        for text in ["pub use store::Handle;", "pub fn f() {}", "pub mod store { pub fn f() {} }"] {
            assert!(broken_by("lib.rs", text).contains(&Rule::Header), "{text}");
        }
    }

    #[test]
    fn a_module_without_introduction_is_refused() {
        assert_eq!(broken_by("store/mod.rs", "pub mod handle;"), [Rule::Header]);
        assert_eq!(broken_by("store/mod.rs", "//! The store.\npub mod handle;"), []);
    }
}
