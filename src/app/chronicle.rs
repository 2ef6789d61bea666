//! What the daemon itself puts on record: that it started, took up settings, and stopped; and its keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Error, tell_warnings};
use crate::config::settings::Settings;
use crate::control_plane::audit::{self, Audit, AuditKey, Entry, Who};
use crate::data_plane::dlp::PseudonymKey;
use crate::domain::clock::Timestamp;
use crate::journal::events::Events;
use crate::store::secret_file::SecretFiles;

/// The most entries that wait to be recorded; files change seldom.
const WAITING_MAX: usize = 1_024;
/// How long a stop waits for its entry and the last checkpoint.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// The key of pseudonyms and that of the log, made at the first start.
pub(super) async fn open_keys(settings: &Settings, files: SecretFiles) -> Result<(PseudonymKey, AuditKey), Error> {
    let (directory, named) = (settings.data_dir.clone(), settings.audit.key_file.clone());
    let load = move || {
        let pseudonyms = PseudonymKey::load_or_create(&directory, &files)?;
        Ok((pseudonyms, audit::load_or_create(&directory, named.as_ref(), &files)?))
    };
    tokio::task::spawn_blocking(load).await.map_err(Error::Thread)?
}

/// An entry to be recorded, and who wants to hear whether it was.
type Waiting = (Entry, Option<oneshot::Sender<bool>>);

/// What the daemon puts on record unasked, in its order.
pub(super) struct Chronicle {
    queue: mpsc::Sender<Waiting>,
    /// Whether the start is on record.
    begun: Arc<AtomicBool>,
    audit: Audit,
}

impl Chronicle {
    /// Has the log follow what changes without a request: files that are watched. An entry names the content that is in force
    /// from then on, as the event does.
    pub(super) fn follow(audit: &Audit, events: &Events) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Waiting>(WAITING_MAX);
        let (told, recorder) = (queue.clone(), audit.clone());
        events.tell(Arc::new(move |event| {
            let Some((action, named)) = followed(event.kind) else { return };
            let subject = event.details.iter().find(|(name, _)| *name == named);
            let mut entry = Entry::allowed(event.at, Who::daemon(), action);
            entry.subject = subject.map(|(_, value)| value.as_str().into());
            if told.try_send((entry, None)).is_err() {
                tracing::error!(action, "a change of the daemon is not in the audit log: too many wait");
            }
        }));
        let _recording = tokio::spawn(async move {
            while let Some((entry, done)) = waiting.recv().await {
                let on_record = record(&recorder, entry).await;
                // Whoever waited may have gone.
                let _heard = done.is_some_and(|done| done.send(on_record).is_ok());
            }
        });
        Self { queue, begun: Arc::default(), audit: audit.clone() }
    }

    /// Puts the start on record, behind what was found while starting; only then is the daemon ready, and nobody waits for it
    /// here. The entry names the log's key: one that was exchanged shows in the log itself.
    pub(super) fn started(&self, settings: &Settings) {
        tell_warnings(settings);
        let mut entry = Entry::allowed(Timestamp::now(), Who::daemon(), "start_daemon").on(env!("CARGO_PKG_VERSION"));
        entry.reason = Some(format!("the audit log is {}", self.audit.public_key().log_id()).into());
        let (queue, audit, begun, socket) =
            (self.queue.clone(), self.audit.clone(), self.begun(), settings.socket.clone());
        let _telling = tokio::spawn(async move {
            let (done, recorded) = oneshot::channel();
            let on_record = queue.send((entry, Some(done))).await.is_ok() && recorded.await.unwrap_or(false);
            // From the first start on, so that a log without a checkpoint is none that was ever ready.
            audit.sign_soon();
            begun.store(true, Ordering::Release);
            tracing::info!(socket = %socket.display(), version = env!("CARGO_PKG_VERSION"), on_record, "ready");
        });
    }

    /// Whether the start is on record.
    pub(super) fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.begun)
    }
}

/// The action that an event stands for, and the detail that is its subject.
fn followed(kind: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        "policy_published" => Some(("change_policy", "digest")),
        "template_keys_changed" => Some(("change_trust", "keys")),
        "template_keys_revoked" => Some(("revoke_keys", "keys")),
        "dlp_rules_published" => Some(("change_dlp_rules", "digest")),
        "tokens_changed" => Some(("change_tokens", "tokens")),
        _ => None,
    }
}

/// New settings are in force, but for those parts that need a restart.
pub(super) async fn reloaded(audit: &Audit, needs_restart: &[&str]) {
    let mut entry = Entry::allowed(Timestamp::now(), Who::daemon(), "reload_settings");
    if !needs_restart.is_empty() {
        entry.reason = Some(format!("not until a restart: {}", needs_restart.join(", ")).into());
    }
    let _told_where_not = record(audit, entry).await;
}

/// The daemon is about to stop: what is in the log is signed for.
pub(super) async fn stopping(audit: &Audit) {
    let last_words = async {
        let _told_where_not = record(audit, Entry::allowed(Timestamp::now(), Who::daemon(), "stop_daemon")).await;
        if let Err(error) = audit.checkpoint().await {
            tracing::warn!(%error, "no checkpoint was made at the end of the audit log");
        }
    };
    if tokio::time::timeout(LAST_WORDS_WITHIN, last_words).await.is_err() {
        tracing::warn!("the stop is not in the audit log: it gave no answer in time");
    }
}

async fn record(audit: &Audit, entry: Entry) -> bool {
    let action = entry.action.clone();
    let recorded = audit.record(entry).await;
    if let Err(error) = &recorded {
        tracing::error!(%action, %error, "a change of the daemon is not in the audit log");
    }
    recorded.is_ok()
}
