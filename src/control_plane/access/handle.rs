//! The only way in. Cheap to clone; judges by the published snapshot, and asks the actor only for users it does not know.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::counter;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::settings::Rate;
use crate::control_plane::audit::{Entry, Who};
use crate::domain::clock::Timestamp;
use crate::journal::events::Events;
use crate::supervision::{Address, CallError, ChildSpec};
use crate::telemetry::names;

use super::actor::Gatekeeper;
use super::certificates;
use super::error::{Error, TooOften};
use super::message::Message;
use super::principal::{Holder, Peer, Principal, Via};
use super::rate::{Decision, Key};
use super::snapshot::{Rules, Shared, Snapshot};
use super::strangers::Strangers;
use super::table::{Identity, Table, Verdict};
use super::tokens::Presented;

/// How long a request waits for a look-up.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(5);
/// How long a reload waits until the new rules are in force.
const RELOADED_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether time alone has ended what goes on for long.
const JUDGED_EVERY: Duration = Duration::from_secs(60);

/// Finds out who asks.
#[derive(Debug, Clone)]
pub struct Access {
    address: Address<Message>,
    shared: Arc<Shared>,
}

impl Access {
    /// Makes the handle and says how its actor is started. Until it has, only root and the daemon's own user get in.
    #[must_use]
    pub fn start(rules: Rules) -> (Self, ChildSpec) {
        let own_uid = rustix::process::geteuid().as_raw();
        let table = Arc::new(Table { own_uid, ..Table::default() });
        let shared = Arc::new(Shared {
            own_uid,
            since: Instant::now(),
            changes: watch::Sender::new(()),
            limiter: Mutex::default(),
            strangers: Strangers::default(),
            events: OnceLock::new(),
            rules: ArcSwap::from_pointee(rules),
            snapshot: ArcSwap::from_pointee(Snapshot { table, ..Snapshot::default() }),
        });
        let address = Address::new("access");
        let spec = ChildSpec::worker(&address, {
            let shared = shared.clone();
            move || (Gatekeeper, shared.clone())
        });
        (Self { address, shared }, spec)
    }

    /// The entry of the audit log for somebody whom nobody knows, or to whom nothing is granted, and who was turned away: one in
    /// a minute. What they presented is not in it.
    #[must_use]
    pub fn turned_away(&self, uid: Option<u32>, code: &str, now: Timestamp) -> Option<Entry> {
        let unheard = self.shared.strangers.turned_away(now)?;
        let name = uid.map_or_else(|| "unknown".to_owned(), |uid| format!("uid:{uid}"));
        let who = Who { name: name.into(), role: "none".into(), tenant: None, uid };
        let reason = format!("since the last such entry {unheard} more were turned away");
        Some(Entry::refused(now, who, "authenticate", code, &reason))
    }

    /// Where it is told, from now on, that other tokens are in force.
    pub fn tell(&self, events: Events) {
        if self.shared.events.set(events).is_err() {
            tracing::debug!("access tells its news already");
        }
    }

    /// Who a peer of the Unix socket is.
    ///
    /// # Errors
    /// [`Error::NotGranted`], or the host's directory does not answer.
    pub async fn peer(&self, peer: Peer) -> Result<Principal, Error> {
        let snapshot = self.shared.snapshot.load_full();
        match judge(&snapshot, peer, snapshot.identity(peer.uid, Instant::now())) {
            Some(outcome) => outcome,
            None => {
                let uid = peer.uid;
                let found = self.address.call(LOOKED_UP_WITHIN, |reply| Message::LookUp { uid, reply }).await??;
                judge(&snapshot, peer, Some(&found)).unwrap_or(Err(Error::NotGranted { uid }))
            }
        }
    }

    /// Whose bearer token this is.
    ///
    /// # Errors
    /// Nobody's, or one that has expired.
    pub fn token(&self, token: &str, now: Timestamp) -> Result<Principal, Error> {
        match self.shared.snapshot.load().tokens.present(token, now) {
            Presented::Is(principal) => Ok(principal),
            Presented::Expired => Err(Error::TokenExpired),
            Presented::Unknown => Err(Error::TokenUnknown),
        }
    }

    /// Who the holder of a client certificate is.
    ///
    /// # Errors
    /// [`Error::CertificateUnknown`] or [`Error::CertificateAmbiguous`].
    pub fn certificate(&self, holder: &Holder) -> Result<Principal, Error> {
        certificates::judge(&self.shared.rules.load().access.certificates, holder)
    }

    /// Who a request without a token is, on a listener where peers cannot be known.
    ///
    /// # Errors
    /// The settings let no such request in.
    pub fn anonymous(&self) -> Result<Principal, Error> {
        let role = self.shared.snapshot.load().anonymous_role.ok_or(Error::TokenMissing)?;
        let (rate, via) = (Rate::Default, Via::Anonymous);
        Ok(Principal { name: "anonymous".into(), user: None, role, tenant: None, rate, via })
    }

    /// Returns once a principal is no longer who it was: its token was taken away or has expired, its grant is another one or gone.
    /// What is answered at once is judged once; what goes on for long asks this as well.
    pub async fn ended(&self, principal: &Principal) {
        let mut changes = self.shared.changes.subscribe();
        while self.stands(principal, Timestamp::now()).await {
            let changed = tokio::time::timeout(JUDGED_EVERY, changes.changed());
            // The sender is this handle's own, and lives as long.
            let _changed_or_time = changed.await.is_ok();
        }
    }

    /// Whether whoever was recognised in this way would be the same principal now. A directory that does not answer ends nothing.
    async fn stands(&self, principal: &Principal, now: Timestamp) -> bool {
        let same = |found: Result<Principal, Error>| found.is_ok_and(|found| found == *principal);
        match &principal.via {
            Via::Peer(peer) => match self.peer(*peer).await {
                Err(Error::Directory(_) | Error::Busy | Error::Unavailable(_)) => true,
                found => same(found),
            },
            Via::Token(_) => self.shared.snapshot.load().tokens.has(principal, now),
            Via::Certificate(name) => same(self.certificate(&Holder { names: vec![name.clone()] })),
            Via::Anonymous => same(self.anonymous()),
            Via::Internal => true,
        }
    }

    /// Counts a request of a principal against its limit, if it has one.
    ///
    /// # Errors
    /// It asks too often.
    pub fn admit(&self, principal: &Principal) -> Result<(), TooOften> {
        let limit = match principal.rate {
            Rate::Limited(limit) => limit,
            Rate::Unlimited => return Ok(()),
            Rate::Default => match self.shared.rules.load().access.rate {
                Some(limit) => limit,
                None => return Ok(()),
            },
        };
        let Some(key) = Key::of(&principal.via) else { return Ok(()) };
        let now = u64::try_from(self.shared.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // A panic elsewhere leaves counts behind, and they are whole after each request.
        let decision = self.shared.limiter.lock().unwrap_or_else(PoisonError::into_inner).ask(&key, limit, now);
        match decision {
            Decision::Served => Ok(()),
            Decision::Refused { wait, unheard } => {
                counter!(names::RATE_LIMITED_TOTAL, "via" => principal.via.as_str()).increment(1);
                Err(TooOften { limit, wait: Duration::from_nanos(wait), unheard })
            }
        }
    }

    /// Puts new rules in force.
    ///
    /// # Errors
    /// The actor gave no answer; the rules are in force when it has resolved them, or at its next start.
    pub async fn reload(&self, rules: Rules) -> Result<(), CallError> {
        self.address.call(RELOADED_WITHIN, |reply| Message::Reload { rules, reply }).await
    }
}

fn judge(snapshot: &Snapshot, peer: Peer, identity: Option<&Identity>) -> Option<Result<Principal, Error>> {
    match snapshot.table.judge(peer, identity) {
        Verdict::Is(principal) => Some(Ok(principal)),
        Verdict::Nobody => Some(Err(Error::NotGranted { uid: peer.uid })),
        Verdict::AskDirectory => None,
    }
}

#[cfg(test)]
impl Access {
    /// What the actor starts from.
    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Where it lives.
    pub(super) fn address(&self) -> &Address<Message> {
        &self.address
    }
}
