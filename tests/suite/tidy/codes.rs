//! Error codes: each that a `code()` can answer has a section in `docs/errors.md`, and each section a code.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use super::source::Source;

/// The texts that functions named `code` hold; two letters name a language, not an error.
fn answered(source: &Source) -> BTreeSet<String> {
    let mut codes = Codes { inside: false, found: BTreeSet::new() };
    if !source.is_test {
        codes.visit_file(&source.syntax);
    }
    codes.found
}

struct Codes {
    inside: bool,
    found: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Codes {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let outside = std::mem::replace(&mut self.inside, function.sig.ident == "code");
        visit::visit_impl_item_fn(self, function);
        self.inside = outside;
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        let code = text.value();
        if self.inside && code.len() > 2 {
            self.found.insert(code);
        }
    }
}

fn documented() -> BTreeSet<String> {
    let text = include_str!("../../../docs/errors.md");
    text.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect()
}

#[test]
fn every_code_has_a_section_and_every_section_a_code() {
    let answered: BTreeSet<_> = super::house().iter().flat_map(answered).collect();
    let documented = documented();
    let unexplained: Vec<_> = answered.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&answered).collect();
    assert!(unexplained.is_empty(), "docs/errors.md has no section for {unexplained:#?}");
    assert!(stale.is_empty(), "docs/errors.md explains what no code() answers: {stale:#?}");
}

#[test]
fn codes_are_found_in_code_functions_only() {
    let text = r#"
        impl Failure for E {
            fn code(&self) -> &'static str { match self { Self::A => "a_b", Self::B { inner } => inner.code() } }
            fn detail(&self) -> String { "not a code".to_owned() }
        }
        mod tests { impl F { fn code(&self) -> &'static str { "of_a_test" } } }
    "#;
    let found: Vec<_> = answered(&Source::parse("store/error.rs", text)).into_iter().collect();
    assert_eq!(found, ["a_b"]);
}
