//! Templates are code: what runs is only what someone trusted signed and the policy allows, and a mistake in an edit costs nothing.
//!
//! ```text
//! directory --look--> parsed, signature verified --decide--> inherited, typed, policy, version --store--> durable --> snapshot
//!     ^                    (look, document, trust)   (state, inherit, wire, plan)           (archive)         (snapshot)
//!   watch (debounced)                                                                                   look-ups read it
//! ```
//!
//! The actor `templates` runs that path, one look at a time, off its mailbox; `Templates` answers look-ups from the snapshot.
//! `signing` and `keys` serve the command line and need no daemon.
//!
//! Invariants:
//! - Nothing is served whose file, or any parent's file, lacks a signature by a trusted key (unless the settings switch that off).
//! - A refused edit never takes a good version away; a key that is no longer trusted does.
//! - What is published from the files of a layer never goes backwards; going back is a decision of its own, and sticks.
//! - A published version number never changes the content of its file, also across restarts. What it inherits may change: then
//!   the digest, which covers the resolved form, does.
//! - A version is durable before anyone is served it, and a parent and its descendants change in one swap of the snapshot.
//! - Private keys never enter the daemon.

mod actor;
mod archive;
mod cache;
mod error;
pub mod experiment;
mod family;
mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod good;
mod handle;
mod judges;
mod made_of;
mod message;
mod metrics;
mod model;
mod orders;
mod outlived;
mod parallel;
mod publication;
mod reasons;
mod refresh;
mod resolved;
mod rollback;
mod scaffold;
mod shards;
pub mod signing;
mod snapshot;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod trust;
mod version;

pub use archive::VERSIONS_MAX;
pub use archive::dictionary::{DICTIONARY_BYTES_MAX, Dictionary, Press, Pressing, SAMPLE_BYTES_MAX};
pub use archive::packed::Packed;
pub use error::Error;
pub use format::diff::Difference;
pub use format::document::{Document, TEMPLATE_BYTES_MAX, canonical_digest, legacy_digest};
pub use format::inherit::{EXTENDS_MAX, resolve as resolved};
pub use format::mistake::{MISTAKES_MAX, Mistake, Place};
pub use format::{NESTING_MAX, SCHEMA, plan};
pub use handle::{Compared, Event, OnPublish, PublishedVersion, Side, Templates};
pub use model::{
    Budget, HISTORY_TURNS_DEFAULT, Kind, Limits, Model, OUTPUT_TOKENS_DEFAULT, Pool, ROUTE_DEFAULT, Signer, Summary,
    Supervision, Template,
};
pub use orders::{DIGEST_DIGITS_MIN, Target};
pub use scaffold::{Placed, Scaffold, ScaffoldKind};
pub use snapshot::{Listing, Pending, Status};
pub use source::layers::TEMPLATES_MAX;
pub use source::scope::{PATIENCE, QUIET};
pub use trust::fault::Fault;
pub use trust::signature::{Algorithm, Digests, Envelope, SIGNATURE_BYTES_MAX, Scheme, message as signed_message};
pub use trust::{
    KeyStatus, KeyView, PUBLIC_KEY_SUFFIX, PublicKey, RSA_BITS_MAX, RSA_BITS_MIN, TRUST_FILE, Trust, TrustStore,
    Trusted, grants, keys, pattern, revocations, revoking,
};
pub use version::{By, Cause, PUBLICATIONS_MAX, RolledBack};
