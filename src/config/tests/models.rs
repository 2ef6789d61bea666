use std::time::Duration;

use super::{FULL, Settings, Written, check};
use crate::domain::model::{Abilities, Ability, Model, Origin, Tokenizer};
use crate::domain::money::Usd;
use crate::domain::usage::Tokens;

fn model(settings: &Settings, name: &str) -> Model {
    settings.models[&name.parse().expect("a model")]
}

fn usd(text: &str) -> Usd {
    text.parse().expect("an amount")
}

const LOCAL: &str = "[providers.l]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
const OPENAI: &str = "[providers.o]\nkind = \"openai\"\nbase_url = \"https://api.openai.com/v1\"\n";

#[test]
fn everything_that_can_be_said_of_a_model_is_understood() {
    let qwen = model(&Written::new(FULL).load(&[]).expect("settings"), "local/qwen");
    let rates = qwen.price.rates;
    assert_eq!(
        [rates.input, rates.output, rates.cached_input, rates.cache_write],
        ["0.10", "0.40", "0.01", "0.20"].map(usd)
    );
    let long = qwen.price.long_context.expect("a long context");
    assert_eq!(long.above, Tokens::new(16_000));
    let rates = long.rates;
    assert_eq!(
        [rates.input, rates.output, rates.cached_input, rates.cache_write],
        ["0.20", "0.80", "0.02", "0.40"].map(usd)
    );
    assert_eq!((qwen.context, qwen.output_max), (Some(Tokens::new(32_768)), Some(Tokens::new(8_192))));
    assert_eq!((qwen.counting.tokenizer, qwen.counting.margin_percent), (Tokenizer::Other, 30));
    assert_eq!((qwen.counting.image, qwen.counting.tool_prompt), (Tokens::new(1_200), Tokens::new(50)));
    assert_eq!(qwen.abilities, Some(Abilities::NONE.with(Ability::Images).with(Ability::Tools)));
    assert_eq!(qwen.origin, Origin::Settings);
}

#[test]
fn what_is_not_said_of_a_price_is_never_too_cheap() {
    let said = format!("{LOCAL}[models.\"l/m\"]\ninput_usd_per_mtok = \"3\"\noutput_usd_per_mtok = \"1\"\n");
    let known = model(&Written::new(&said).load(&[]).expect("settings"), "l/m");
    assert_eq!((known.price.rates.cached_input, known.price.rates.cache_write), (usd("3"), usd("3")));
    assert_eq!((known.context, known.abilities, known.price.long_context), (None, None, None));
    assert_eq!((known.counting.tokenizer, known.counting.margin_percent), (Tokenizer::Other, 25));
}

#[test]
fn a_price_with_a_hole_is_told_by_its_key() {
    let hole = "missing; a model that costs nothing says free = true";
    let table = |said: &str| format!("{LOCAL}[models.\"l/m\"]\n{said}\n");
    for (said, told) in [
        ("input_usd_per_mtok = \"1\"", vec![format!("factoryd.toml:4:9: models.\"l/m\".output_usd_per_mtok: {hole}")]),
        ("output_usd_per_mtok = \"1\"", vec![format!("factoryd.toml:4:9: models.\"l/m\".input_usd_per_mtok: {hole}")]),
        (
            "context_tokens = 5",
            vec![
                format!("factoryd.toml:4:9: models.\"l/m\".input_usd_per_mtok: {hole}"),
                format!("factoryd.toml:4:9: models.\"l/m\".output_usd_per_mtok: {hole}"),
            ],
        ),
        (
            "input_usd_per_mtok = \"1\"\noutput_usd_per_mtok = \"1\"\nlong_context = { above_tokens = 9, input_usd_per_mtok = \"2\" }",
            vec!["factoryd.toml:7:1: models.\"l/m\".long_context.output_usd_per_mtok: missing".to_owned()],
        ),
        (
            "input_usd_per_mtok = \"1\"\noutput_usd_per_mtok = \"1\"\nlong_context = {}",
            ["above_tokens", "input_usd_per_mtok", "output_usd_per_mtok"]
                .iter()
                .map(|key| format!("factoryd.toml:7:1: models.\"l/m\".long_context.{key}: missing"))
                .collect(),
        ),
        (
            "free = true\ninput_usd_per_mtok = \"1\"",
            vec!["factoryd.toml:5:8: models.\"l/m\".free: a price is given as well; one of them".to_owned()],
        ),
        (
            "free = false",
            vec![
                format!("factoryd.toml:4:9: models.\"l/m\".input_usd_per_mtok: {hole}"),
                format!("factoryd.toml:4:9: models.\"l/m\".output_usd_per_mtok: {hole}"),
            ],
        ),
    ] {
        check(&table(said), &[], &told.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn prices_that_are_none_are_told_with_their_place() {
    for (amount, told) in [
        ("\"-1\"", "not a decimal amount such as \"0.05\""),
        ("\"0.0000000001\"", "finer than a nano-dollar (nine decimal places)"),
        ("\"1000000000.01\"", "above one billion dollars"),
        ("\"99999999999999999999\"", "above one billion dollars"),
        ("0.5", "expected an amount as text, such as \"10.00\", found a number with a fraction"),
    ] {
        check(
            &format!("{LOCAL}[models.\"l/m\"]\ninput_usd_per_mtok = {amount}\noutput_usd_per_mtok = \"1\"\n"),
            &[],
            &[&format!("factoryd.toml:5:22: models.\"l/m\".input_usd_per_mtok: {told}")],
        );
    }
}

#[test]
fn other_mistakes_of_a_model_are_told() {
    check(
        &format!(
            "{LOCAL}[models.\"l/m\"]\nfree = true\ncapabilities = [\"telepathy\"]\ncontext_tokens = 0\ntokenizer = \"words\"\ntokenizer_margin_percent = 1001\nmax_output_tokenz = 1\n"
        ),
        &[],
        &[
            "factoryd.toml:6:16: models.\"l/m\".capabilities: not a capability of a model: expected tools, images, structured_output or reasoning",
            "factoryd.toml:7:18: models.\"l/m\".context_tokens: expected a whole number from 1 to 1000000000",
            "factoryd.toml:8:13: models.\"l/m\".tokenizer: expected one of o200k_base, other",
            "factoryd.toml:9:28: models.\"l/m\".tokenizer_margin_percent: expected a whole number from 0 to 1000",
            "factoryd.toml:10:1: models.\"l/m\".max_output_tokenz: unknown setting; did you mean \"max_output_tokens\"?",
        ],
    );
}

#[test]
fn the_shipped_list_is_for_the_vendors_own_address_alone() {
    let both = format!("{LOCAL}{OPENAI}[providers.s]\nkind = \"openai\"\nbase_url = \"unix:///run/api.openai.com\"\n");
    let settings = Written::new(&both).load(&[]).expect("settings");
    assert!(settings.models.keys().all(|model| model.provider().as_str() == "o"), "{:?}", settings.models.keys());
    let nano = model(&settings, "o/gpt-4.1-nano");
    assert_eq!((nano.price.rates.input, nano.origin), (usd("0.10"), Origin::Shipped));
    assert_eq!(model(&settings, "o/gpt-4.1-nano-2025-04-14"), nano);
}

#[test]
fn the_settings_replace_a_price_of_the_list_whole_and_leave_the_rest() {
    let own = format!(
        "{OPENAI}[models.\"o/gpt-5.4\"]\ninput_usd_per_mtok = \"1\"\noutput_usd_per_mtok = \"2\"\ncontext_tokens = 1000\n"
    );
    let settings = Written::new(&own).load(&[]).expect("settings");
    let known = model(&settings, "o/gpt-5.4");
    assert_eq!(
        (known.price.rates.cached_input, known.price.long_context),
        (usd("1"), None),
        "nothing of the list's price"
    );
    assert_eq!((known.context, known.output_max), (Some(Tokens::new(1_000)), Some(Tokens::new(128_000))));
    assert_eq!((known.counting.tokenizer, known.origin), (Tokenizer::O200k, Origin::Settings));
    assert!(known.abilities.is_some_and(|abilities| abilities.has(Ability::Images)));
    let dated = model(&settings, "o/gpt-5.4-2026-03-05");
    assert_eq!(
        (dated.price.rates.input, dated.origin),
        (usd("2.50"), Origin::Shipped),
        "another name is another entry"
    );
}

#[test]
fn a_route_is_a_list_or_a_table() {
    let settings = Written::new(FULL).load(&[]).expect("settings");
    let route = |name: &str| settings.routes[&name.parse().expect("a route")].clone();
    let cheap = route("cheap");
    assert_eq!(format!("{:?}", cheap.models), "[sock/llama, local/qwen]");
    assert_eq!((cheap.max_usd_per_call, cheap.hedge_after), (Some(usd("0.02")), Some(Duration::from_millis(800))));
    let review = route("review");
    assert_eq!((review.models.len(), review.max_usd_per_call, review.hedge_after), (2, None, None));
}

#[test]
fn mistakes_of_a_route_are_told_in_either_form() {
    check(
        &format!(
            "{LOCAL}[routes]\na = [\"x/m\"]\nb = 5\n[routes.c]\nmax_usd_per_call = \"-1\"\n[routes.d]\nmodels = [\"x/m\", \"l/m\"]\nhedge_after = \"0s\"\nhedge_aftr = 1\n[routes.e]\nmodels = []\n"
        ),
        &[],
        &[
            "factoryd.toml:5:5: routes.a: x/m: there is no [providers.x]",
            "factoryd.toml:6:5: routes.b: expected a list, found a whole number",
            "factoryd.toml:7:9: routes.c.models: missing",
            "factoryd.toml:8:20: routes.c.max_usd_per_call: not a decimal amount such as \"0.05\"",
            "factoryd.toml:10:10: routes.d.models: x/m: there is no [providers.x]",
            "factoryd.toml:11:15: routes.d.hedge_after: expected more than zero",
            "factoryd.toml:12:1: routes.d.hedge_aftr: unknown setting; did you mean \"hedge_after\"?",
            "factoryd.toml:14:10: routes.e.models: expected 1 to 16 models",
        ],
    );
}

#[test]
fn a_route_that_names_a_model_without_a_price_is_warned_of_with_the_fix() {
    let said = format!(
        "{LOCAL}[models.\"l/priced\"]\nfree = true\n[routes]\nhalf = [\"l/m\", \"l/priced\"]\nnever = [\"l/m\"]\n"
    );
    let settings = Written::new(&said).load(&[]).expect("settings");
    let fix = "add [models.\"l/m\"] with its prices, or with free = true";
    assert_eq!(
        settings.warnings(),
        [
            format!("route half: l/m has no price and is passed over: {fix}"),
            format!("route never: l/m has no price and is passed over; the route can never be used: {fix}"),
        ]
    );
    assert!(settings.summary().to_string().contains("WARNING     route never: l/m"));
}
