use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::control_plane::budget::tokens::Input;
use crate::domain::money::{Price, Rates};
use crate::domain::private::Text;

fn model(name: &str) -> ModelRef {
    name.parse().expect("a model")
}

/// A model that costs so many dollars by the million tokens, in and out.
fn costing(usd: &str) -> Model {
    let rate: Usd = usd.parse().expect("an amount");
    Model { price: Price::of_rates(Rates::plain(rate, rate)), ..Model::BUILTIN }
}

/// Bytes for tokens: what the bound of an input counts.
fn needs(tokens: usize, output_max: u64) -> Needs {
    let count = Input { texts: vec![Text::from("x".repeat(tokens))], ..Input::default() }.bound();
    Needs { abilities: Abilities::NONE, count, output_max: Tokens::new(output_max) }
}

struct Market {
    route: Route,
    known: BTreeMap<ModelRef, Model>,
}

impl Market {
    fn of(models: &[(&str, Option<Model>)]) -> Self {
        let route = Route::of(models.iter().map(|(name, _)| model(name)).collect());
        let known = models.iter().filter_map(|(name, known)| Some((model(name), (*known)?))).collect();
        Self { route, known }
    }

    fn candidates(&self, needs: &Needs) -> Candidates {
        candidates(&self.route, needs, |model| self.known.get(model).copied())
    }

    fn told(&self, needs: &Needs) -> (Vec<String>, Vec<String>) {
        let found = self.candidates(needs);
        let kept = found.kept.iter().map(|kept| kept.model.to_string()).collect();
        (kept, found.passed_over.iter().map(ToString::to_string).collect())
    }

    fn refusal(&self, needs: &Needs) -> Refusal {
        self.candidates(needs).refusal(&"review".parse().expect("a route"))
    }
}

#[test]
fn the_order_of_the_route_is_kept_and_each_reason_is_told() {
    let blind = Model { abilities: Some(Abilities::NONE.with(Ability::Tools)), ..costing("0.10") };
    let short = Model { context: Some(Tokens::new(1_000)), ..costing("0.10") };
    let mut market = Market::of(&[
        ("local/a", Some(blind)),
        ("local/unknown", None),
        ("openai/b", Some(costing("50"))),
        ("local/c", Some(short)),
        ("local/d", Some(costing("0.10"))),
        ("builtin/extractive", Some(Model::BUILTIN)),
    ]);
    market.route.max_usd_per_call = Some("0.02".parse().expect("an amount"));
    let images = Needs { abilities: Abilities::NONE.with(Ability::Images), ..needs(597, 500) };
    let (kept, passed_over) = market.told(&images);
    assert_eq!(kept, ["local/d", "builtin/extractive"]);
    assert_eq!(
        passed_over,
        [
            "local/a: cannot take images",
            "local/unknown: has no price",
            "openai/b: may cost 0.055 USD, ceiling 0.02",
            "local/c: takes 1000 tokens; the input has 597 or more, and the answer may have 500",
        ]
    );
}

#[test]
fn the_worst_case_of_each_is_its_own() {
    let market =
        Market::of(&[("a/a", Some(costing("1"))), ("a/b", Some(costing("2"))), ("a/free", Some(Model::BUILTIN))]);
    let worst: Vec<_> = market.candidates(&needs(97, 100)).kept.iter().map(|kept| kept.worst.to_string()).collect();
    assert_eq!(worst, ["0.0002", "0.0004", "0.00"], "97 tokens, three of priming, and the answer");
}

#[test]
fn a_ceiling_and_a_context_are_met_exactly() {
    let mut market = Market::of(&[("a/a", Some(Model { context: Some(Tokens::new(197)), ..costing("1") }))]);
    market.route.max_usd_per_call = Some("0.0002".parse().expect("an amount"));
    assert_eq!(market.told(&needs(97, 100)).0, ["a/a"]);
    assert_eq!(
        market.told(&needs(98, 100)).1,
        ["a/a: takes 197 tokens; the input has 98 or more, and the answer may have 100"]
    );
    market.route.max_usd_per_call = Some("0.000199999".parse().expect("an amount"));
    assert_eq!(market.told(&needs(97, 100)).1, ["a/a: may cost 0.0002 USD, ceiling 0.000199999"]);
}

#[test]
fn a_refusal_is_named_by_what_all_models_have_in_common() {
    let short = |context| Some(Model { context: Some(Tokens::new(context)), ..Model::BUILTIN });
    let long = needs(5_000, 1);
    let all_short = Market::of(&[("a/a", short(10)), ("a/roomy", short(4_000)), ("a/c", short(300))]).refusal(&long);
    assert_eq!((all_short.code(), all_short.class()), ("input_exceeds_context", Class::TooLarge));
    let told = all_short.to_string();
    assert!(told.contains("a/roomy: takes 4000 tokens") && told.contains("5000"), "{told}");
    let unpriced = Market::of(&[("a/a", None), ("a/b", None)]).refusal(&long);
    assert_eq!((unpriced.code(), unpriced.to_string().contains("a/a")), ("model_unpriced", true));
    let mixed = Market::of(&[("a/a", None), ("a/b", short(10))]).refusal(&long);
    assert_eq!((mixed.code(), mixed.class()), ("route_unsuitable", Class::Refused));
    assert!(mixed.to_string().contains("a/a: has no price; a/b: takes 10 tokens"), "{mixed}");
}

#[test]
fn what_is_free_and_surely_long_enough_is_not_counted_for() {
    let roomy = Some(Model { context: Some(Tokens::new(1_000)), ..Model::BUILTIN });
    let known = |market: &Market, bytes| {
        must_count(&market.route, needs(bytes, 0).count, Tokens::new(100), |model| market.known.get(model).copied())
    };
    let free = Market::of(&[("a/a", roomy), ("a/unpriced", None), ("builtin/x", Some(Model::BUILTIN))]);
    assert!(!known(&free, 900));
    assert!(known(&free, 901), "it may not fit");
    assert!(known(&Market::of(&[("a/a", roomy), ("a/b", Some(costing("1")))]), 1), "one of them costs something");
}

proptest! {
    #[test]
    fn every_model_is_kept_or_passed_over_and_what_is_kept_suits(
        models in proptest::collection::vec((0_u8..16, proptest::option::of(0_u64..2_000), 0_i64..3), 1..8),
        (needed, bytes, output_max) in (0_u8..16, 0_usize..2_000, 0_u64..500),
        ceiling in proptest::option::of(0_i64..4_000_000),
    ) {
        let abilities = |bits: u8| Ability::ALL.into_iter().enumerate()
            .filter(|(index, _)| bits & (1 << index) != 0).map(|(_, ability)| ability).collect::<Abilities>();
        let names: Vec<_> = (0..models.len()).map(|index| format!("p/{index}")).collect();
        let table: Vec<_> = names.iter().zip(&models).map(|(name, &(able, context, usd))| {
            let known = Model {
                abilities: Some(abilities(able)),
                context: context.map(Tokens::new),
                ..costing(&usd.to_string())
            };
            (name.as_str(), Some(known))
        }).collect();
        let mut market = Market::of(&table);
        market.route.max_usd_per_call = ceiling.map(Usd::from_nanos);
        let needs = Needs { abilities: abilities(needed), ..needs(bytes, output_max) };
        let found = market.candidates(&needs);
        prop_assert_eq!(found.kept.len() + found.passed_over.len(), models.len());
        for kept in &found.kept {
            prop_assert_eq!(kept.known.lacks(needs.abilities), None);
            prop_assert!(kept.known.context.is_none_or(|context| bytes as u64 + output_max <= context.count()));
            prop_assert!(market.route.max_usd_per_call.is_none_or(|ceiling| kept.worst <= ceiling));
            prop_assert!(kept.worst >= kept.known.price.worst(needs.count.at_least(), needs.output_max));
        }
    }
}
