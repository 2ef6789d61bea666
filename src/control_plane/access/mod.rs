//! Who asks, and what they may: peer credentials, tokens and client certificates become a [`Principal`], roles become permissions.
//!
//! ```text
//! peer credentials ─┐
//! bearer token ─────┤
//! certificate ──────┼─> Principal ──> authorise(permission, tenant) ──> yes | Forbidden | there is no such thing
//! nothing ──────────┘        ├──────> admit() ────────────────────────> yes | TooOften
//!                            └──────> resolve(tenant, user) ──────────> where and as whom a task runs
//! ```
//!
//! One actor owns the tables and publishes them as an immutable snapshot; requests read the snapshot. Only a peer whose groups
//! decide, and who was not seen for a while, is looked up in the host's directory.
//!
//! INVARIANTS
//! - Without grants in the settings, root and the daemon's own user are admin and nobody else gets in; they are never looked up.
//! - What belongs to another tenant does not exist: the refusal is [`policy::Refusal::OtherTenant`], which is told as not found.
//! - A token is compared as a hash, in constant time, with every entry; the token itself is never stored or logged.
//! - A token that is sent beside a certificate decides alone, also where it is refused: neither adds to what the other may.
//! - How often a principal may ask is bounded where the settings say so, whichever route it asks: `rate` has its invariants.
//! - When in doubt, nobody gets in: a tokens file that others may write gives nobody a token.

mod actor;
mod certificates;
mod directory;
mod error;
mod handle;
mod message;
pub mod policy;
mod principal;
mod rate;
mod snapshot;
mod strangers;
mod table;
mod tokens;
mod watch;

pub use error::{Error, TooOften};
pub use handle::Access;
pub use policy::{Permission, Refusal, authorise, exportable, resolve, role_word};
pub use principal::{Holder, Peer, Principal, Via};
pub use snapshot::Rules;
pub use tokens::Unusable;

#[cfg(test)]
mod tests;
