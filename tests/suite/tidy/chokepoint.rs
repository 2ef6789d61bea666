//! One chokepoint for models: whatever asks for an answer, plain, streamed, retried, failed over, refining, delegated or hedged,
//! passes the same few functions, in which filter, budget and records stand around the call.
//!
//! ```text
//! turn.rs: reserve, StepStarted durable ─> call.rs: prepare (filter, worst case), perform ─> exchange.rs: Asking::answer
//!                                                 race.rs: two ─┘  ─> Providers ─> actor.rs: a slot ─> adapter ─> http
//! ```
//!
//! Each link is known to the one before it only. Which methods of `Providers` make a call is read from their signatures, so that
//! a new one is guarded from its first day.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{ImplItem, Item};

use super::source::Source;
use super::{house, paths};

/// The room of providers.
const ROOM: &str = "data_plane/provider/";
/// The only file outside that room that calls a model.
const CALLER: &str = "data_plane/agent/exchange.rs";
/// The only file that asks it to, around which stand the filter and the price; and the only one that makes what it asks.
const FILTER: &str = "data_plane/agent/call.rs";
/// Where two are asked at once; both were filtered, and there is money for both.
const RACE: &str = "data_plane/agent/race.rs";
/// The only file that asks for that, around which stand the budget and the records.
const LEDGER: &str = "data_plane/agent/turn.rs";
/// The only file that has an adapter carry a call out, which is the work of whoever holds a slot; and the choice of adapter.
const SLOTS: [&str; 2] = ["data_plane/provider/actor.rs", "data_plane/provider/adapter.rs"];
/// The rooms that may send anything to another host.
const SENDERS: [&str; 3] = ["data_plane/http/", "data_plane/provider/", "data_plane/tool/"];

/// The words and signs of a file, brackets included, in order.
fn flat(tokens: &TokenStream, into: &mut Vec<String>) {
    for tree in tokens.clone() {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                into.push(open.to_owned());
                flat(&group.stream(), into);
                into.push(close.to_owned());
            }
            TokenTree::Ident(word) => into.push(word.to_string()),
            TokenTree::Punct(sign) => into.push(sign.as_char().to_string()),
            TokenTree::Literal(literal) => into.push(literal.to_string()),
        }
    }
}

/// Whether a file of production code holds this, with the sign or word before it and after it.
fn has(source: &Source, found: impl Fn(&str, &str, &str) -> bool) -> bool {
    let mut words = Vec::new();
    flat(&source.tokens, &mut words);
    !source.is_test && words.windows(3).any(|three| found(&three[0], &three[1], &three[2]))
}

/// Whether a method or function of one of these names is called, or taken by its name: `x.name(…)`, `X::name`.
fn calls(source: &Source, names: &[String]) -> bool {
    has(source, |before, word, after| {
        let is_called = before == ":" || before == "." && matches!(after, "(" | ":");
        is_called && names.iter().any(|name| name == word)
    })
}

/// Whether a value of this type is written out.
fn makes(source: &Source, name: &str) -> bool {
    has(source, |before, word, after| {
        word == name && after == "{" && !matches!(before, "struct" | "impl" | "enum" | "for")
    })
}

/// Whether a file names what ends with these words.
fn names(source: &Source, words: &[&str]) -> bool {
    let ends = |named: &paths::Named| named.segments.iter().map(String::as_str).collect::<Vec<_>>().ends_with(words);
    !source.is_test && paths::of(&source.tokens, &source.module).iter().any(ends)
}

/// Whether a file names the function that has a call made.
fn performs(source: &Source) -> bool {
    source.file.starts_with("data_plane/") && names(source, &["call", "perform"])
}

/// The methods of `Providers` that take what is asked of a model: those that make a call.
fn calling_methods(house: &[Source]) -> Vec<String> {
    let mut names = Vec::new();
    for source in house.iter().filter(|source| source.file.starts_with(ROOM) && !source.is_test) {
        for item in &source.syntax.items {
            let Item::Impl(block) = item else { continue };
            if !matches!(block.self_ty.as_ref(), syn::Type::Path(path) if path.path.is_ident("Providers")) {
                continue;
            }
            for item in &block.items {
                let ImplItem::Fn(method) = item else { continue };
                let takes_request = method
                    .sig
                    .inputs
                    .iter()
                    .any(|input| matches!(input, syn::FnArg::Typed(typed) if names_type(&typed.ty, "Request")));
                if takes_request {
                    names.push(method.sig.ident.to_string());
                }
            }
        }
    }
    names
}

fn names_type(ty: &syn::Type, name: &str) -> bool {
    if let syn::Type::Reference(reference) = ty {
        return names_type(&reference.elem, name);
    }
    matches!(ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

fn outside_the_room(source: &Source) -> bool {
    !source.file.starts_with(ROOM)
}

fn files(house: &[Source], found: impl Fn(&Source) -> bool) -> Vec<&str> {
    house.iter().filter(|source| found(source)).map(|source| source.file.as_str()).collect()
}

/// Whether a file names the room that speaks HTTP to other hosts.
fn sends(source: &Source) -> bool {
    let named = paths::of(&source.tokens, &source.module);
    !source.is_test
        && named
            .iter()
            .filter_map(paths::Named::absolute)
            .any(|path| path.starts_with(&["data_plane".into(), "http".into()]))
}

#[test]
fn models_are_called_from_one_place_only() {
    let house = house();
    let methods = calling_methods(&house);
    assert!(methods.contains(&"complete".to_owned()), "{methods:?}");
    let callers = files(&house, |source| outside_the_room(source) && calls(source, &methods));
    assert_eq!(callers, [CALLER], "a call elsewhere passes budget, filter and records by");
}

#[test]
fn what_stands_around_a_call_cannot_be_gone_around() {
    let house = house();
    let askers = files(&house, |source| makes(source, "Asking"));
    assert_eq!(askers, [FILTER, RACE], "who asks has filtered, and knows the price");
    assert_eq!(files(&house, |source| names(source, &["race", "race"])), [FILTER], "so has who asks two");
    let second = |source: &Source| {
        has(source, |before, word, after| word == "Rival" && after == "{" && !matches!(before, ":" | "struct"))
    };
    assert_eq!(files(&house, second), [LEDGER], "there is money for the second, too");
    assert_eq!(files(&house, |source| makes(source, "Prepared")), [FILTER], "what is asked was filtered");
    assert_eq!(
        files(&house, performs),
        [LEDGER],
        "whoever has a call made holds money for it and has its step on record"
    );
    let carry = |source: &Source| !outside_the_room(source) && calls(source, &["complete".to_owned()]);
    let carriers = files(&house, carry);
    assert!(carriers.iter().all(|file| SLOTS.contains(file) || file.ends_with("/builtin.rs")), "{carriers:?}");
}

#[test]
fn only_providers_and_tools_send_anything_to_another_host() {
    let house = house();
    let senders = files(&house, |source| sends(source) && !SENDERS.iter().any(|room| source.file.starts_with(room)));
    assert!(senders.is_empty(), "{senders:?} could call a model without the room of providers");
}

#[test]
fn a_call_of_a_model_elsewhere_is_noticed_however_it_is_written() {
    let methods = ["complete".to_owned(), "stream".to_owned(), "hedged".to_owned()];
    for text in [
        "async fn f(p: Providers) { p.complete(&model, request, within, stop, None).await; }",
        "async fn f(p: Providers) { p\n    .complete\n    (&model, request).await; }",
        "async fn f(p: &Providers) { Providers::complete(p, &model, request).await; }",
        "use provider::Providers as P; fn f() { let g = P::complete; }",
        "async fn f(p: Providers) { p.stream(&model, request, pieces).await; }",
        "async fn f(p: Providers) { select! { a = p.hedged(&first, request) => a, } }",
        "macro_rules! m { ($p:expr) => { $p.complete(request) } }",
    ] {
        let source = Source::parse("api/tasks.rs", text);
        assert!(outside_the_room(&source) && calls(&source, &methods), "{text}");
        assert!(!calls(&Source::parse("api/tests/a.rs", text), &methods), "tests may: {text}");
    }
    for text in [
        "/// Calls `p.complete(…)`.\nfn f() {}",
        "fn complete() {} struct S { complete: bool }",
        "fn f(s: S) { s.complete.push(1); if s.complete { g() } }",
        "#[cfg(test)] mod tests { fn f() { p.complete(x); } }",
    ] {
        assert!(!calls(&Source::parse("api/tasks.rs", text), &methods), "{text}");
    }
    assert!(!outside_the_room(&Source::parse("data_plane/provider/handle.rs", "")));
}

#[test]
fn a_way_around_filter_and_budget_is_noticed() {
    assert!(makes(
        &Source::parse("data_plane/agent/turn.rs", "fn f() { Asking { prepared, model }.answer(); }"),
        "Asking"
    ));
    assert!(makes(&Source::parse("data_plane/agent/turn.rs", "fn f() { call::Prepared { request }; }"), "Prepared"));
    assert!(!makes(
        &Source::parse("data_plane/agent/exchange.rs", "struct Asking { a: u8 } impl Asking { }"),
        "Asking"
    ));
    for text in ["fn f() { call::perform(x); }", "use super::call::{self, perform};", "use super::call::perform as p;"]
    {
        assert!(performs(&Source::parse("data_plane/agent/actor.rs", text)), "{text}");
    }
    for text in [
        "use crate::data_plane::http::Endpoint;",
        "use crate::data_plane::{http::Post, agent::X};",
        "fn f() { crate::data_plane::http::Endpoint::new(); }",
    ] {
        assert!(sends(&Source::parse("data_plane/agent/call.rs", text)), "{text}");
    }
    assert!(!sends(&Source::parse("data_plane/agent/call.rs", "use crate::data_plane::provider::Providers;")));
}

#[test]
fn a_new_way_to_call_a_model_is_guarded_from_its_first_day() {
    let text = "impl Providers { pub fn usable(&self, model: &ModelRef) {} pub async fn hedged(&self, one: &Request) {} \
                pub async fn stream(&self, model: &ModelRef, request: Request, pieces: Deltas) {} } \
                impl Link { fn attempt(&self, request: &Request) {} }";
    let house = [Source::parse("data_plane/provider/handle.rs", text)];
    assert_eq!(calling_methods(&house), ["hedged", "stream"]);
}
