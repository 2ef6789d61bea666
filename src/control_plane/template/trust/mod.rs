//! Who may sign templates: keys, signatures in their forms, what each key is trusted with, and which are revoked.
//!
//! ```text
//! ID.pub.pem --public--\
//! trust.toml --grants---+--reading--> TrustStore --at(now)--> Trust --verify--> Trusted {signer, until} | Fault
//! revoked.json --revocations--/          (store)
//! ```
//!
//! Invariants:
//! - I59: what a signature makes trusted is one content, by one key, in one form; nothing of it can be moved to another.
//! - I60: a key signs only in the forms, for the names and in the time that `trust.toml` says; a mistake in it trusts nobody.
//!   Once there was a `trust.toml`, its absence trusts nobody.
//! - I61: a revoked key never comes back: the list in force only grows, whatever becomes of its file.

pub(super) mod fault;
mod files;
pub mod grants;
pub mod keys;
pub(super) mod memory;
pub(super) mod news;
pub mod pattern;
mod public;
pub(super) mod python;
mod reading;
pub mod revocations;
pub mod revoking;
pub(super) mod signature;
mod store;

pub use public::{PublicKey, RSA_BITS_MAX, RSA_BITS_MIN};
pub use reading::TRUST_FILE;
pub use store::{KeyStatus, KeyView, Trust, TrustStore, Trusted};

/// How public key files end.
pub const PUBLIC_KEY_SUFFIX: &str = ".pub.pem";
