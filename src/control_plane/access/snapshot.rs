//! What requests are judged by: immutable, published by the actor, read without asking it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::settings::{Access, Role};
use crate::journal::events::Events;

use super::rate::Limiter;
use super::strangers::Strangers;
use super::table::{Identity, Table};
use super::tokens::Tokens;

/// How long what the host's directory said of a user is believed.
pub(super) const IDENTITY_TTL: Duration = Duration::from_secs(30);
/// The most users of whom that is kept.
pub(super) const IDENTITIES_MAX: usize = 1_024;

/// What the settings say of access.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Grants to the host's users and groups.
    pub access: Access,
    /// Bearer tokens.
    pub tokens_file: Option<std::path::PathBuf>,
    /// What a request without a token may be on the TCP listener.
    pub anonymous_role: Option<Role>,
}

/// A user of the host, and when that was looked up.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) identity: Identity,
    pub(super) since: Instant,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) table: Arc<Table>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) identities: Arc<HashMap<u32, Known>>,
    pub(super) anonymous_role: Option<Role>,
}

impl Snapshot {
    /// What is known of a user and still believed.
    pub(super) fn identity(&self, uid: u32, now: Instant) -> Option<&Identity> {
        let known = self.identities.get(&uid)?;
        (now.saturating_duration_since(known.since) < IDENTITY_TTL).then_some(&known.identity)
    }

    /// This snapshot with one user more. What is no longer believed is forgotten, and everything if it is too much.
    pub(super) fn with_identity(&self, uid: u32, identity: Identity, now: Instant) -> Self {
        let believed = |known: &Known| now.saturating_duration_since(known.since) < IDENTITY_TTL;
        let mut identities: HashMap<u32, Known> = self
            .identities
            .iter()
            .filter(|(_, known)| believed(known))
            .map(|(uid, known)| (*uid, known.clone()))
            .collect();
        if identities.len() >= IDENTITIES_MAX {
            identities.clear();
        }
        identities.insert(uid, Known { identity, since: now });
        Self { identities: Arc::new(identities), ..self.clone() }
    }
}

/// What the handles and the actor share; it outlives the actor's restarts.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) own_uid: u32,
    pub(super) rules: ArcSwap<Rules>,
    pub(super) snapshot: ArcSwap<Snapshot>,
    /// Told whenever something else is granted than before.
    pub(super) changes: watch::Sender<()>,
    /// When the limiter's clock began.
    pub(super) since: Instant,
    pub(super) limiter: Mutex<Limiter>,
    pub(super) strangers: Strangers,
    /// Where it is told that other tokens are in force.
    pub(super) events: OnceLock<Events>,
}
