//! The detectors and the rules that they go by, as one value that can be swapped while texts are examined.

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;

use super::detect;
use super::finding::Finding;
use super::view;

/// Every detector, with the rules in force. Cheap to clone; a text is examined by one and the same from its first byte to its
/// last, whatever is published meanwhile.
#[derive(Debug, Clone)]
pub struct Detectors(Arc<Rules>);

#[derive(Debug, Default)]
struct Rules {}

static SHIPPED: LazyLock<Detectors> = LazyLock::new(|| Detectors(Arc::default()));

impl Detectors {
    /// The shipped rules alone.
    #[must_use]
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }

    /// Finds personal data and secrets. Findings come in order and do not overlap; their ends are character boundaries. Pure,
    /// and linear in the text.
    #[must_use]
    pub fn detect(&self, text: &str) -> Vec<Finding> {
        detect::resolve(self.candidates(text))
    }

    /// As [`Detectors::detect`], but as the detectors found them: in no order, and where several found something, what each of
    /// them found. Whoever treats kinds differently must see them all.
    #[must_use]
    pub fn candidates(&self, text: &str) -> Vec<Finding> {
        view::examine(text, &|text: &str| {
            let mut findings = Vec::new();
            detect::scan(text, &mut findings);
            findings
        })
    }
}

/// Where the detectors in force are published.
#[derive(Debug, Clone)]
pub(super) struct InForce(Arc<ArcSwap<Detectors>>);

impl Default for InForce {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Detectors::shipped())))
    }
}

impl InForce {
    /// What is in force now.
    pub(super) fn current(&self) -> Detectors {
        Detectors::clone(&self.0.load())
    }
}
