//! Who may sign templates: keys, signatures in their forms, and what each key is trusted with.

pub mod keys;
pub(super) mod signature;
mod store;

pub use store::{PUBLIC_KEY_SUFFIX, PublicKey, RSA_BITS_MIN, TrustStore};
