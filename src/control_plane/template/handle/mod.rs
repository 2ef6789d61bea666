//! The handle: the only way in. Hot reads go to the published snapshot, never through the mailbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Mutex;

use crate::config::settings;
use crate::control_plane::policy::Policies;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Capability, Digest, TemplateName};
use crate::journal::events::Events;
use crate::store::Store;
use crate::supervision::{Address, ChildSpec};

mod versions;

pub use self::versions::{Compared, Event, PublishedVersion, Side};

use crate::control_plane::template::actor::{Arguments, TemplatesActor};
use crate::control_plane::template::archive;
use crate::control_plane::template::error::Error;
use crate::control_plane::template::judges::Judges;
use crate::control_plane::template::message::Message;
use crate::control_plane::template::metrics::{self, LookUps};
use crate::control_plane::template::model::Template;
use crate::control_plane::template::refresh::Workshop;
use crate::control_plane::template::snapshot::{Listing, Snapshot};
use crate::control_plane::template::source::reading::Source;

/// Is told of each version before it is served, and again after a restart of the actor.
pub type OnPublish = Arc<dyn Fn(&Template) + Send + Sync>;

/// The templates. Cheap to clone; outlives restarts of the actor behind it.
#[derive(Clone)]
pub struct Templates {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) snapshot: ArcSwap<Snapshot>,
    pub(super) on_publish: ArcSwap<Vec<OnPublish>>,
    /// By what the latest look judged; none before the first.
    pub(super) judges: ArcSwapOption<Judges>,
    look_ups: LookUps,
    address: Address<Message>,
    pub(super) store: Option<Store>,
    /// How long a verification is believed; for ever where signatures are not required.
    believed: Duration,
}

impl Templates {
    /// The handle, and the actor `templates` that reads and watches the directory. The first look is over when the actor has
    /// started.
    #[must_use]
    pub fn start(
        settings: settings::Templates,
        directory: PathBuf,
        store: Store,
        policies: Policies,
        events: Events,
    ) -> (Self, ChildSpec) {
        let (templates, make) = Self::wire(settings, directory, store, policies, events);
        let spec = ChildSpec::worker(&templates.shared.address, make);
        (templates, spec)
    }

    pub(super) fn wire(
        settings: settings::Templates,
        directory: PathBuf,
        store: Store,
        policies: Policies,
        events: Events,
    ) -> (Self, impl Fn() -> (TemplatesActor, Arguments) + Send + Sync + use<>) {
        let believed = if settings.enable_signature_validation { settings.cache_ttl } else { Duration::MAX };
        let templates = Self::over(Snapshot::default(), Some(store.clone()), believed);
        let address = templates.shared.address.clone();
        policies.on_change(Arc::new(move |_policy| {
            // While the actor is not there, nobody hears this; its start looks at everything anyway.
            let _absent = address.cast(Message::PolicyChanged).is_err();
        }));
        let source = Source::of(&directory, &settings);
        let workshop = Arc::new(Workshop { settings, source, store, policies, turn: Mutex::default() });
        let shared = templates.shared.clone();
        let make = move || {
            let arguments = Arguments { workshop: workshop.clone(), shared: shared.clone(), events: events.clone() };
            (TemplatesActor, arguments)
        };
        (templates, make)
    }

    /// Serves templates that nothing watches and nothing stores, such as those of a benchmark.
    #[must_use]
    pub fn fixed(templates: impl IntoIterator<Item = Template>) -> Self {
        Self::over(Snapshot::fixed(templates), None, Duration::MAX)
    }

    fn over(snapshot: Snapshot, store: Option<Store>, believed: Duration) -> Self {
        metrics::register();
        let shared = Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            on_publish: ArcSwap::default(),
            judges: ArcSwapOption::empty(),
            look_ups: LookUps::register(),
            address: Address::new("templates"),
            store,
            believed,
        };
        Self { shared: Arc::new(shared) }
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> &Address<Message> {
        &self.shared.address
    }

    /// Has a function told of each version before it is served. It must be quick; it runs in the actor. Call it before the
    /// actor starts.
    pub fn on_publish(&self, tell: OnPublish) {
        self.shared.on_publish.rcu(|before| {
            let mut all = Vec::clone(before);
            all.push(tell.clone());
            all
        });
    }

    /// The version of a template that is served now.
    ///
    /// # Errors
    /// There is no such template, it was never good, or the first look is not over.
    pub fn get(&self, name: &TemplateName) -> Result<Arc<Template>, Error> {
        let snapshot = self.shared.snapshot.load();
        let Some(served) = snapshot.find(name) else {
            self.shared.look_ups.miss();
            return Err(if snapshot.ready { Error::NotFound(name.clone()) } else { Error::NotReady });
        };
        let Some(template) = &served.listing.template else {
            self.shared.look_ups.miss();
            return Err(Error::Refused { name: name.clone(), reasons: served.listing.reasons.clone() });
        };
        if self.shared.believed == Duration::MAX {
            self.shared.look_ups.hit();
            return Ok(template.clone());
        }
        let now = Timestamp::now();
        // INVARIANT I60: trust ends at its instant, not at the look that follows it.
        if let Some(until) = served.lapsed(now) {
            self.shared.look_ups.miss();
            let reason = format!("a key that signed it, or one of its parents, was trusted until {until}");
            return Err(Error::Refused { name: name.clone(), reasons: vec![reason] });
        }
        if !served.has_expired(now, self.shared.believed) {
            self.shared.look_ups.hit();
        } else {
            self.shared.look_ups.expired();
            // While the actor is being restarted, nobody hears this; the restart verifies everything anyway.
            if self.shared.address.cast(Message::Expired(name.clone())).is_err() {
                served.ask_again();
            }
        }
        Ok(template.clone())
    }

    /// The templates whose agents can do something, by name.
    #[must_use]
    pub fn by_capability(&self, capability: &Capability) -> Vec<Arc<Template>> {
        self.shared.snapshot.load().with_capability(capability, Timestamp::now())
    }

    /// A template as it was published with this digest, for a task that began with it. It need not be served any more.
    ///
    /// # Errors
    /// It was never published so, or the store failed.
    pub async fn pinned(&self, name: &TemplateName, digest: &Digest) -> Result<Arc<Template>, Error> {
        let in_memory = self.shared.snapshot.load().find(name).and_then(|served| served.listing.template.clone());
        if let Some(template) = in_memory.filter(|template| template.digest == *digest) {
            return Ok(template);
        }
        let not_found = || Error::VersionNotFound { name: name.clone(), digest: *digest };
        let store = self.shared.store.clone().ok_or_else(not_found)?;
        let (wanted, content) = (name.clone(), *digest);
        let good = blocking(move || archive::content(&store, &wanted, content)).await?;
        good.map(|good| good.template).ok_or_else(not_found)
    }

    /// All templates, by name, also those that are refused.
    #[must_use]
    pub fn list(&self) -> Vec<Listing> {
        self.shared.snapshot.load().listings()
    }

    /// One template, also where it is refused.
    #[must_use]
    pub fn listing(&self, name: &TemplateName) -> Option<Listing> {
        self.shared.snapshot.load().find(name).map(|served| served.listing.clone())
    }

    /// Look-ups that found a template with a fresh verification, among all, from 0 to 1.
    #[must_use]
    pub fn cache_hit_rate(&self) -> f64 {
        self.shared.look_ups.hit_rate()
    }

    /// Templates that are served.
    #[must_use]
    pub fn templates_loaded(&self) -> usize {
        self.shared.snapshot.load().served()
    }

    /// Whether the first look is over.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.shared.snapshot.load().ready
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} templates", self.templates_loaded())
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(read).await.map_err(|fault| Error::Interrupted(fault.to_string()))?
}
