//! Decides: who may do what, with which template, at what price. Never imports the data plane.

// Who asks, what they may do, and for whom.
pub mod access;
// Request + principal -> work order.
pub mod admission;
// What was decided, in an append-only chain.
pub mod audit;
// Limits, reservations, ledger.
pub mod budget;
// Rego rules over resolved templates.
pub mod policy;
// Templates: parse, inherit, verify, check, publish.
pub mod template;
