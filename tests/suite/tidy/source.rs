//! A file of the house: its place among the modules and its tokens, without what only tests see.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A file.
pub(super) struct Source {
    /// Its path from `src/`: `store/handle.rs`.
    pub(super) file: String,
    /// Its module's path: `["store", "handle"]`; empty for `lib.rs`.
    pub(super) module: Vec<String>,
    /// Whether it is compiled for tests alone.
    pub(super) is_test: bool,
    pub(super) text: String,
    /// Its tokens without items marked `#[cfg(test)]`.
    pub(super) tokens: TokenStream,
    pub(super) syntax: syn::File,
}

impl Source {
    pub(super) fn parse(file: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        let is_test = module.iter().any(|part| part == "tests");
        Self { file: file.to_owned(), module, is_test, text: text.to_owned(), tokens: production(tokens), syntax }
    }
}

/// Every file under `src`, in the order of their names.
pub(super) fn read_all(src: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![src.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a directory of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the source is not where it is looked for: {}", src.display());
    let parse = |path: &std::path::PathBuf| {
        let name = path.strip_prefix(src).expect("under src").to_str().expect("UTF-8");
        Source::parse(name, &fs::read_to_string(path).expect("a readable file"))
    };
    found.iter().map(parse).collect()
}

/// The tokens without items marked `#[cfg(test)]`, at any depth.
fn production(tokens: TokenStream) -> TokenStream {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < trees.len() {
        if is_punct(&trees[at], '#') && trees.get(at + 1).is_some_and(is_cfg_test) {
            at = end_of_item(&trees, at + 2);
            continue;
        }
        kept.push(match &trees[at] {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), production(group.stream()));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => trees[at].clone(),
        });
        at += 1;
    }
    kept.into_iter().collect()
}

/// Whether a token is the bracket of `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn is_cfg_test(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let text = group.stream().to_string().replace(' ', "");
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Words that begin an item.
const KEYWORDS: [&str; 10] = ["fn", "mod", "struct", "enum", "impl", "trait", "use", "static", "type", "let"];

/// Those of them whose items end with a semicolon, whatever braces they hold.
const BODILESS: [&str; 4] = ["use", "static", "type", "let"];

/// The place after the item whose attributes go on at `at`: after its `;`, or after its body where it has one.
fn end_of_item(trees: &[TokenTree], mut at: usize) -> usize {
    let keyword = trees[at..].iter().find_map(|tree| match tree {
        TokenTree::Ident(word) if KEYWORDS.iter().any(|keyword| word == keyword) => Some(word.to_string()),
        TokenTree::Group(_) | TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    });
    let has_body = !keyword.is_some_and(|word| BODILESS.contains(&word.as_str()));
    while at < trees.len() {
        let body = matches!(&trees[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        let ended = is_punct(&trees[at], ';') || (body && has_body);
        at += 1;
        if ended {
            break;
        }
    }
    at
}

pub(super) fn is_punct(tree: &TokenTree, character: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tests_see_is_left_out() {
        for text in [
            "#[cfg(test)] mod tests;",
            "#[cfg(test)]\n#[allow(x)]\nmod tests { use crate::api; fn f() { a::b(); } }",
            "#[cfg(test)] pub(crate) use crate::api::{self, X};",
            "#[cfg(all(test, unix))] fn f() -> u8 { 0 }",
            "mod inner { #[cfg(test)] fn f() {} }",
        ] {
            let left = Source::parse("x.rs", &format!("{text} fn kept() {{}}")).tokens.to_string();
            assert!(!left.contains("api") && !left.contains("f ()") && left.contains("kept"), "{text}: {left}");
        }
        assert!(Source::parse("x.rs", "#[cfg(unix)] fn f() {}").tokens.to_string().contains("f ()"));
    }

    #[test]
    fn files_know_their_modules() {
        for (file, module) in [("lib.rs", vec![]), ("store/mod.rs", vec!["store"]), ("store/a.rs", vec!["store", "a"])]
        {
            assert_eq!(Source::parse(file, "").module, module);
        }
        assert!(Source::parse("store/tests.rs", "").is_test);
    }
}
