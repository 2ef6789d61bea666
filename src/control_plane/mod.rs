//! Decides: who may do what, with which template, at what price. Never imports the data plane.

/// Every decision on record, in a hash chain.
pub mod audit;

/// Limits, reservations, the ledger; prices and the counting of tokens.
pub mod budget;

/// Peer credentials and tokens -> principal; roles -> permissions.
pub mod access;
