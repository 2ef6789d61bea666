//! What models cost, and what else is known of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::model::Model;
use crate::domain::money::Price;
use crate::domain::name::ModelRef;

/// The provider that answers from the input itself; its models cost nothing.
const FREE_PROVIDER: &str = "builtin";

/// The models of the settings and of the shipped list. Each reading is of an immutable snapshot, without asking anybody; all clones
/// see what is published.
#[derive(Debug, Clone)]
pub struct PriceList(Arc<ArcSwap<HashMap<ModelRef, Model>>>);

impl PriceList {
    /// The list of the settings.
    #[must_use]
    pub fn new(models: &BTreeMap<ModelRef, Model>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot(models))))
    }

    /// Puts another list in force. Calls that were prepared under the one before keep its prices.
    pub fn publish(&self, models: &BTreeMap<ModelRef, Model>) {
        self.0.store(Arc::new(snapshot(models)));
    }

    /// What is known of a model; nothing where nobody named a price, which is not the same as free.
    #[must_use]
    pub fn model(&self, model: &ModelRef) -> Option<Model> {
        let known = self.0.load().get(model).copied();
        known.or_else(|| (model.provider().as_str() == FREE_PROVIDER).then_some(Model::BUILTIN))
    }

    /// What a model costs.
    #[must_use]
    pub fn price(&self, model: &ModelRef) -> Option<Price> {
        self.model(model).map(|known| known.price)
    }
}

fn snapshot(models: &BTreeMap<ModelRef, Model>) -> HashMap<ModelRef, Model> {
    models.iter().map(|(model, known)| (model.clone(), *known)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::{Rates, Usd};

    fn costing(nanos: i64) -> Model {
        let price = Price::of_rates(Rates::plain(Usd::from_nanos(nanos), Usd::from_nanos(nanos)));
        Model { price, ..Model::BUILTIN }
    }

    #[test]
    fn a_model_without_a_price_is_not_free_and_builtin_is() {
        let paid: ModelRef = "local/qwen".parse().expect("a model");
        let list = PriceList::new(&BTreeMap::from([(paid.clone(), costing(1))]));
        assert_eq!(list.model(&paid), Some(costing(1)));
        assert_eq!(list.price(&"local/other".parse().expect("a model")), None);
        assert_eq!(list.price(&"builtin/extractive".parse().expect("a model")), Some(Price::FREE));
    }

    #[test]
    fn what_is_published_is_what_every_clone_reads() {
        let (paid, other): (ModelRef, ModelRef) = ("a/b".parse().expect("a model"), "a/c".parse().expect("a model"));
        let list = PriceList::new(&BTreeMap::from([(paid.clone(), costing(1))]));
        let clone = list.clone();
        list.publish(&BTreeMap::from([(other.clone(), costing(2))]));
        assert_eq!((clone.model(&paid), clone.model(&other)), (None, Some(costing(2))));
    }
}
