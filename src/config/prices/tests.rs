use super::*;
use crate::domain::money::{Rates, USD_MAX, Usd};

/// Less than any vendor's token costs by the million, and so a slip of the decimal point.
const INPUT_MIN: Usd = Usd::from_nanos(10_000_000);

/// More than any vendor's token costs by the million.
const OUTPUT_MAX: Usd = Usd::from_nanos(1_000_000_000_000);

fn told(text: &str) -> Vec<String> {
    parse(text).expect_err("mistakes").iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_list_is_whole() {
    let list = parse(TEXT).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert!(list.date.parse::<jiff::civil::Date>().is_ok(), "{:?}", list.date);
    let vendors: Vec<_> = list.vendors.iter().map(|vendor| vendor.name.as_str()).collect();
    assert_eq!(vendors, ["anthropic", "deepseek", "gemini", "groq", "mistral", "openai"]);
    for vendor in &list.vendors {
        let read: jiff::civil::Date = vendor.read.parse().expect("a date");
        assert!(read <= list.date.parse().expect("a date"), "{}: read after the list was made", vendor.name);
        assert!(!vendor.hosts.is_empty() && !vendor.models.is_empty(), "{}", vendor.name);
        for (name, model) in &vendor.models {
            let name = format!("{}/{name}", vendor.name);
            assert!(!name.ends_with("-latest"), "{name}: an alias that moves");
            assert!(name.parse::<crate::domain::name::ModelRef>().is_ok(), "{name}");
            check_model(&name, model);
        }
    }
}

fn check_model(name: &str, model: &Model) {
    assert_eq!(model.origin, Origin::Shipped, "{name}");
    let rates = model.price.rates;
    check_rates(name, &rates);
    let (context, output_max) = (model.context.expect("a context"), model.output_max.expect("a longest answer"));
    assert!(output_max <= context, "{name}");
    assert!(model.abilities.is_some(), "{name}");
    assert!(model.counting.margin_percent <= 100, "{name}");
    if let Some(long) = model.price.long_context {
        check_rates(name, &long.rates);
        assert!(long.above < context, "{name}");
        assert!(long.rates.input > rates.input && long.rates.output > rates.output, "{name}");
        assert!(long.rates.cached_input > rates.cached_input && long.rates.cache_write >= rates.cache_write, "{name}");
    }
}

fn check_rates(name: &str, rates: &Rates) {
    assert!(INPUT_MIN <= rates.input && rates.input < rates.output && rates.output <= OUTPUT_MAX, "{name}: {rates:?}");
    assert!(Usd::ZERO < rates.cached_input && rates.cached_input <= rates.input, "{name}: {rates:?}");
    assert!(rates.input <= rates.cache_write && rates.cache_write <= USD_MAX, "{name}: {rates:?}");
}

#[test]
fn no_host_is_two_vendors_and_none_is_local() {
    let mut hosts: Vec<_> = shipped().vendors.iter().flat_map(|vendor| &vendor.hosts).collect();
    let count = hosts.len();
    hosts.sort();
    hosts.dedup();
    assert_eq!(hosts.len(), count);
    for url in [
        "http://127.0.0.1:11434/v1",
        "http://localhost/v1",
        "https://openai.example.com/api.openai.com/v1",
        "https://api.openai.com.evil.example/v1",
    ] {
        assert!(shipped().vendor_at(url).is_none(), "{url}");
    }
    for url in ["https://api.openai.com/v1", "https://API.OpenAI.com:443/v1", "https://api.openai.com"] {
        assert_eq!(shipped().vendor_at(url).map(|vendor| vendor.name.as_str()), Some("openai"), "{url}");
    }
}

#[test]
fn what_vendors_say_is_what_the_list_says() {
    let price = |url: &str, name: &str| shipped().vendor_at(url).expect("a vendor").models[name].price;
    let cents = |rates: Rates| {
        [rates.input, rates.output, rates.cached_input, rates.cache_write].map(|rate| rate.nanos() / 10_000_000)
    };
    let haiku = price("https://api.anthropic.com", "claude-haiku-4-5");
    assert_eq!(cents(haiku.rates), [100, 500, 10, 200]);
    assert_eq!(haiku, price("https://api.anthropic.com", "claude-haiku-4-5-20251001"), "one entry by two names");
    let pro = price("https://generativelanguage.googleapis.com/v1beta", "gemini-2.5-pro");
    let long = pro.long_context.expect("a long context");
    assert_eq!(
        (pro.rates.input.to_string(), long.above, long.rates.output.to_string()),
        ("1.25".into(), Tokens::new(200_000), "15.00".into())
    );
    assert_eq!(price("https://api.openai.com/v1", "gpt-4.1-nano").rates.cached_input.to_string(), "0.025");
}

#[test]
fn a_list_with_a_mistake_is_none() {
    let list = |models: &str| {
        format!(
            "date = \"2026-01-01\"\n[vendors.v]\nsource = \"https://v\"\nread = \"2026-01-01\"\nhosts = [\"v\"]\n[vendors.v.models]\n{models}\n"
        )
    };
    let whole = "input_usd_per_mtok = \"1\", output_usd_per_mtok = \"2\"";
    assert_eq!(parse(&list(&format!("m = {{ {whole} }}"))).expect("a list").vendors[0].models.len(), 1);
    let twice = list(&format!("m = {{ {whole} }}\nn = {{ aliases = [\"m\"], {whole} }}"));
    assert_eq!(told(&twice), ["config/prices.toml:8:1: vendors.v.models.n: m is named twice"]);
    let hole = list("m = { input_usd_per_mtok = \"1\" }");
    assert_eq!(
        told(&hole),
        [
            "config/prices.toml:7:1: vendors.v.models.m.output_usd_per_mtok: missing; a model that costs nothing says free = true"
        ]
    );
    let nowhere = list(&format!("m = {{ {whole} }}")).replace("https://v", "somewhere");
    assert_eq!(told(&nowhere), ["config/prices.toml:3:10: vendors.v.source: expected https://…"]);
    let unknown = list(&format!("m = {{ {whole}, colour = 1 }}"));
    assert!(told(&unknown)[0].contains("colour: unknown setting"), "{:?}", told(&unknown));
}
