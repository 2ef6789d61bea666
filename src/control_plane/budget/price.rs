//! What models cost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::money::{Price, Usd};
use crate::domain::name::ModelRef;
use crate::domain::usage::{Tokens, Usage};

/// The provider that answers from the input itself; its models cost nothing.
const FREE_PROVIDER: &str = "builtin";

/// The prices of the settings. An immutable snapshot: read without asking anybody, cheap to clone.
#[derive(Debug, Clone)]
pub struct PriceList(Arc<HashMap<ModelRef, Price>>);

impl PriceList {
    /// The list of the settings.
    #[must_use]
    pub fn new(models: &BTreeMap<ModelRef, Price>) -> Self {
        Self(Arc::new(models.iter().map(|(model, price)| (model.clone(), *price)).collect()))
    }

    /// What a model costs; none where nobody named a price, which is not the same as free.
    #[must_use]
    pub fn price(&self, model: &ModelRef) -> Option<Price> {
        let free = model.provider().as_str() == FREE_PROVIDER;
        self.0.get(model).copied().or_else(|| free.then_some(Price::FREE))
    }
}

/// The most that a call can cost, if its input was counted with a margin and the provider keeps to `max_output`. Input counts
/// at the dearer of the fresh and the cached price, since only the provider knows what it has cached.
#[must_use]
pub fn worst_case(price: &Price, input: Tokens, max_output: Tokens) -> Usd {
    let fresh = Usage { input_tokens: input, output_tokens: max_output, ..Usage::default() };
    let cached = Usage { cached_input_tokens: input, ..fresh };
    price.of(&fresh).max(price.of(&cached))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_model_without_a_price_is_not_free_and_builtin_is() {
        let paid: ModelRef = "local/qwen".parse().expect("a model");
        let price = Price { input: Usd::from_nanos(1), output: Usd::from_nanos(2), cached_input: Usd::ZERO };
        let list = PriceList::new(&BTreeMap::from([(paid.clone(), price)]));
        assert_eq!(list.price(&paid), Some(price));
        assert_eq!(list.price(&"local/other".parse().expect("a model")), None);
        assert_eq!(list.price(&"builtin/extractive".parse().expect("a model")), Some(Price::FREE));
    }

    proptest! {
        #[test]
        fn no_usage_within_the_counted_tokens_costs_more_than_the_worst_case(
            (input, output, cached_input) in (0_i64..1_000_000_000_000, 0_i64..1_000_000_000_000, 0_i64..1_000_000_000_000),
            (counted, max_output) in (0_u64..10_000_000, 0_u64..1_000_000),
            (used, cached, written) in (0_u64..10_000_000, 0_u64..10_000_000, 0_u64..1_000_000),
        ) {
            let price = Price {
                input: Usd::from_nanos(input),
                output: Usd::from_nanos(output),
                cached_input: Usd::from_nanos(cached_input),
            };
            let usage = Usage {
                input_tokens: Tokens::new(used.min(counted)),
                cached_input_tokens: Tokens::new(cached),
                output_tokens: Tokens::new(written.min(max_output)),
                reasoning_tokens: Tokens::default(),
            };
            prop_assert!(price.of(&usage) <= worst_case(&price, Tokens::new(counted), Tokens::new(max_output)));
        }
    }
}
