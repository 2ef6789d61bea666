//! The pure ledger against a model, and the actor on a real store.

mod actor;
mod interleavings;
mod ledger;
mod limits;
mod restarts;
mod thresholds;
mod unanswered;
