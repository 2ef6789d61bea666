//! Every path that a file names, wherever it stands: in a `use` with nested groups, in a type, an expression, a macro.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::source::is_punct;

/// A path as it is written, `use a::{b, c::d}` giving two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) segments: Vec<String>,
    /// The module in which it stands, from the crate's root.
    pub(super) module: Vec<String>,
    pub(super) line: usize,
}

/// All paths of a file whose module is `module`.
pub(super) fn of(tokens: &TokenStream, module: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    walk(tokens, module, &mut found);
    found
}

fn walk(tokens: &TokenStream, module: &[String], found: &mut Vec<Named>) {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(word) if word == "mod" => {
                let inline = match (trees.get(at + 1), trees.get(at + 2)) {
                    (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body)))
                        if body.delimiter() == Delimiter::Brace =>
                    {
                        let inner: Vec<_> = module.iter().cloned().chain([name.to_string()]).collect();
                        walk(&body.stream(), &inner, found);
                        true
                    }
                    _ => false,
                };
                at += if inline { 3 } else { 1 };
            }
            TokenTree::Ident(_) => at = path(&trees, at, &[], module, found),
            TokenTree::Group(group) => {
                walk(&group.stream(), module, found);
                at += 1;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
        }
    }
}

/// Reads the path that begins at `at`, after the segments `before`; gives the place behind it.
fn path(trees: &[TokenTree], at: usize, before: &[String], module: &[String], found: &mut Vec<Named>) -> usize {
    let mut at = at;
    let mut segments = before.to_vec();
    let line = trees.get(at).map_or(0, |tree| tree.span().start().line);
    while let Some(TokenTree::Ident(word)) = trees.get(at) {
        segments.push(word.to_string());
        at += 1;
        let colons =
            trees.get(at).is_some_and(|t| is_punct(t, ':')) && trees.get(at + 1).is_some_and(|t| is_punct(t, ':'));
        if !colons {
            break;
        }
        at += 2;
        match trees.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                group_of(&group.stream(), &segments, module, found);
                return at + 1;
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                segments.push("*".to_owned());
                found.push(Named { segments, module: module.to_vec(), line });
                return at + 1;
            }
            _ => {}
        }
    }
    found.push(Named { segments, module: module.to_vec(), line });
    at
}

/// The members of `{…}` in a `use`, each after the segments before the brace.
fn group_of(tokens: &TokenStream, before: &[String], module: &[String], found: &mut Vec<Named>) {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Ident(word) if word == "as" => at += 2,
            TokenTree::Ident(_) => at = path(&trees, at, before, module, found),
            TokenTree::Punct(star) if star.as_char() == '*' => {
                let segments = before.iter().cloned().chain(["*".to_owned()]).collect();
                found.push(Named { segments, module: module.to_vec(), line: star.span().start().line });
                at += 1;
            }
            TokenTree::Group(group) => {
                group_of(&group.stream(), before, module, found);
                at += 1;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
        }
    }
}

impl Named {
    /// The path from the crate's root, where it begins with `crate`, `self` or `super`; `$crate` too.
    pub(super) fn absolute(&self) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut rest = self.segments.as_slice();
        match rest.split_first() {
            Some((first, after)) if first == "crate" && !after.is_empty() => {
                base.clear();
                rest = after;
            }
            Some((first, after)) if first == "self" && !after.is_empty() => rest = after,
            Some((first, after)) if first == "super" && !after.is_empty() => {
                base.pop();
                rest = after;
            }
            _ => return None,
        }
        while let Some((first, after)) = rest.split_first().filter(|(first, _)| *first == "super") {
            debug_assert_eq!(first, "super");
            base.pop();
            rest = after;
        }
        let names = rest.iter().filter(|segment| *segment != "self" && *segment != "*");
        Some(base.into_iter().chain(names.cloned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Source;
    use super::*;

    fn named(text: &str) -> Vec<String> {
        let source = Source::parse("store/handle.rs", text);
        let paths = of(&source.tokens, &source.module);
        paths.iter().filter_map(Named::absolute).map(|path| path.join("::")).collect()
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        for (text, expected) in [
            ("use crate::api::Error;", vec!["api::Error"]),
            ("use crate::{api, domain::{name::X, *}};", vec!["api", "domain::name::X", "domain"]),
            ("use crate::{api as a, self as c};", vec!["api", ""]),
            ("fn f(x: crate::api::X) -> Vec<super::error::E> {}", vec!["api::X", "store::error::E"]),
            ("fn f() { g(crate::api::f::<u8>()); println!(\"{}\", crate::cli::X); }", vec!["api::f", "cli::X"]),
            ("mod inner { use super::super::error::E; }", vec!["store::error::E"]),
            ("use super::*;", vec!["store"]),
            ("macro_rules! m { () => { $crate::api::X } }", vec!["api::X"]),
            ("pub(crate) fn f() {} pub(super) struct S;", vec![]),
        ] {
            assert_eq!(named(text), expected, "{text}");
        }
    }
}
