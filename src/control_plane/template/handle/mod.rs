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
use crate::control_plane::template::archive::{self, shelf::Shelf};
#[cfg(test)]
use crate::control_plane::template::cache::Authority;
use crate::control_plane::template::cache::{Cache, Unfit};
use crate::control_plane::template::error::Error;
use crate::control_plane::template::format::document::Document;
use crate::control_plane::template::format::mistake::Mistake;
use crate::control_plane::template::good::Good;
use crate::control_plane::template::judges::Judges;
use crate::control_plane::template::message::Message;
use crate::control_plane::template::metrics;
use crate::control_plane::template::model::{Summary, Template};
use crate::control_plane::template::refresh::Workshop;
use crate::control_plane::template::snapshot::{Listing, Snapshot};
use crate::control_plane::template::source::reading::Source;

/// Is told of each version before it is served, and again after a restart of the actor.
pub type OnPublish = Arc<dyn Fn(&Summary) + Send + Sync>;

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
    pub(super) cache: Cache,
    address: Address<Message>,
    pub(super) archive: Option<(Store, Arc<Shelf>)>,
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
        let shelf = Arc::new(Shelf::default());
        let cache = Cache::new(settings.cache_entries, settings.cache_ttl);
        let templates = Self::over(Snapshot::default(), Some((store.clone(), shelf.clone())), cache);
        let address = templates.shared.address.clone();
        policies.on_change(Arc::new(move |_policy| {
            // While the actor is not there, nobody hears this; its start looks at everything anyway.
            let _absent = address.cast(Message::PolicyChanged).is_err();
        }));
        let source = Source::of(&directory, &settings);
        let turn = Mutex::default();
        let workshop = Arc::new(Workshop { settings, source, store, shelf, policies, turn });
        let shared = templates.shared.clone();
        let make = move || {
            let arguments = Arguments { workshop: workshop.clone(), shared: shared.clone(), events: events.clone() };
            (TemplatesActor, arguments)
        };
        (templates, make)
    }

    /// Serves templates that nothing watches, nothing stores and nobody signed, such as those of a benchmark. The cache holds
    /// as many as there are.
    ///
    /// # Errors
    /// All mistakes of the first file that is no template, or inherits from one that is not at hand.
    pub fn fixed(files: impl IntoIterator<Item = Document>) -> Result<Self, Vec<Mistake>> {
        let goods = files.into_iter().map(|file| Good::alone(&file)).collect::<Result<Vec<_>, _>>()?;
        let entries = u64::try_from(goods.len()).unwrap_or(u64::MAX);
        Ok(Self::over(Snapshot::fixed(goods), None, Cache::new(entries, Duration::MAX)))
    }

    fn over(snapshot: Snapshot, archive: Option<(Store, Arc<Shelf>)>, cache: Cache) -> Self {
        metrics::register();
        let shared = Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            on_publish: ArcSwap::default(),
            judges: ArcSwapOption::empty(),
            cache,
            address: Address::new("templates"),
            archive,
        };
        Self { shared: Arc::new(shared) }
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> &Address<Message> {
        &self.shared.address
    }

    /// Replaces the keys of the present snapshot.
    #[cfg(test)]
    pub(super) fn verify_against(&self, authority: Authority) {
        let snapshot = self.shared.snapshot.load_full();
        self.shared.snapshot.store(Arc::new(snapshot.with(authority)));
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

    /// The version of a template that is served now, verified no longer ago than the settings allow.
    ///
    /// # Errors
    /// There is no such template, it was never good, it is no longer trusted, or the first look is not over.
    pub fn get(&self, name: &TemplateName) -> Result<Arc<Template>, Error> {
        let snapshot = self.shared.snapshot.load();
        let cache = &self.shared.cache;
        let Some(served) = snapshot.find(name) else {
            cache.look_ups.miss();
            return Err(if snapshot.ready { Error::NotFound(name.clone()) } else { Error::NotReady });
        };
        let Some(good) = &served.good else {
            cache.look_ups.miss();
            return Err(Error::Refused { name: name.clone(), reasons: served.listing.reasons.clone() });
        };
        cache.get(good, &served.memo, &snapshot.authority).map_err(|unfit| match unfit {
            Unfit::Damaged(reason) => Error::Stored { name: name.clone(), reason },
            Unfit::Distrusted(reasons) => {
                // While the actor is being restarted, nobody hears this; the restart verifies everything anyway.
                if served.must_ask() && self.shared.address.cast(Message::Distrusted(name.clone())).is_err() {
                    served.ask_again();
                }
                Error::Refused { name: name.clone(), reasons }
            }
        })
    }

    /// The templates whose agents can do something, by name.
    #[must_use]
    pub fn by_capability(&self, capability: &Capability) -> Vec<Arc<Summary>> {
        self.shared.snapshot.load().with_capability(capability, Timestamp::now())
    }

    /// A template as it was published with this digest, for a task that began with it. It need not be served any more, nor
    /// its key be trusted: the task was admitted while it was.
    ///
    /// # Errors
    /// It was never published so, or the store failed.
    pub async fn pinned(&self, name: &TemplateName, digest: &Digest) -> Result<Arc<Template>, Error> {
        if let Some(template) = self.pinned_in_memory(name, digest)? {
            return Ok(template);
        }
        let not_found = || Error::VersionNotFound { name: name.clone(), digest: *digest };
        let (store, shelf) = self.shared.archive.clone().ok_or_else(not_found)?;
        let (wanted, content) = (name.clone(), *digest);
        let compiled = blocking(move || {
            let good = archive::content(&store, &shelf, &wanted, content)?;
            let compiled = good.map(|good| good.compile()).transpose();
            compiled.map_err(|reason| Error::Stored { name: wanted, reason })
        });
        let template = Arc::new(compiled.await?.ok_or_else(not_found)?);
        self.shared.cache.pin(&template);
        Ok(template)
    }

    fn pinned_in_memory(&self, name: &TemplateName, digest: &Digest) -> Result<Option<Arc<Template>>, Error> {
        let snapshot = self.shared.snapshot.load();
        let served = snapshot.find(name);
        let known = self.shared.cache.pinned(*digest, served.map(|served| &*served.memo));
        if let Some(template) = known.filter(|template| template.name == *name) {
            return Ok(Some(template));
        }
        let in_force = served.and_then(|served| served.good.as_ref()).filter(|good| good.template.digest == *digest);
        let compiled = in_force.map(|good| good.compile()).transpose();
        let template = compiled.map_err(|reason| Error::Stored { name: name.clone(), reason })?.map(Arc::new);
        template.iter().for_each(|template| self.shared.cache.pin(template));
        Ok(template)
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
        self.shared.cache.look_ups.hit_rate()
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
