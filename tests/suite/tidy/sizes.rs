//! Sizes: a file of at most 500 lines, a function of at most 70.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::source::Source;
use super::{Rule, Violation};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

pub(super) fn check(source: &Source) -> Vec<Violation> {
    let mut broken = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        let text = format!("{lines} lines are more than {FILE_LINES_MAX}: is it still one subject?");
        broken.push(Violation { file: source.file.clone(), line: 1, rule: Rule::FileLength, text });
    }
    if !source.is_test {
        let mut functions = Functions { file: &source.file, broken };
        functions.visit_file(&source.syntax);
        broken = functions.broken;
    }
    broken
}

struct Functions<'a> {
    file: &'a str,
    broken: Vec<Violation>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, end: Span) {
        let first = signature.span().start().line;
        let lines = end.end().line - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let text = format!("{} has {lines} lines, more than {FUNCTION_LINES_MAX}", signature.ident);
            self.broken.push(Violation { file: self.file.to_owned(), line: first, rule: Rule::FunctionLength, text });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let only_tests = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("test"))
        });
        if !only_tests {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, function.block.span());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block.span());
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::super::broken_by;
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
    }

    #[test]
    fn a_long_function_is_refused_wherever_it_stands() {
        for text in [
            function(71),
            format!("impl S {{\n{}}}", function(71)),
            format!("trait T {{\n{}}}", function(71)),
            format!("mod inner {{\n{}}}", function(71)),
        ] {
            assert_eq!(broken_by("store/a.rs", &text), [Rule::FunctionLength], "{text}");
        }
        assert_eq!(broken_by("store/a.rs", &function(70)), []);
    }

    #[test]
    fn tests_may_have_long_functions() {
        assert_eq!(broken_by("store/a.rs", &format!("#[cfg(test)] mod tests {{ {} }}", function(71))), []);
        assert_eq!(broken_by("store/tests.rs", &function(71)), []);
    }

    #[test]
    fn a_long_file_is_refused() {
        assert_eq!(broken_by("store/a.rs", &"// line\n".repeat(501)), [Rule::FileLength]);
        assert_eq!(broken_by("store/a.rs", &"// line\n".repeat(500)), []);
    }
}
