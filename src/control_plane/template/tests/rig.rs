//! A directory of templates with keys, a store, and the actor over them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorRef};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinHandle;

use super::super::actor::{Arguments, TemplatesActor};
use super::super::cache::Authority;
use super::super::message::Message;
use super::super::refresh::Workshop;
use super::super::signing::sign_file;
use super::super::source::reading::Source;
use super::super::trust::keys::{self, KeyPaths};
use super::super::{Algorithm, Listing, Templates};
use crate::config::settings;
use crate::control_plane::policy::{Policies, Policy};
use crate::domain::name::TemplateName;
use crate::journal::events::{Event, Events};
use crate::store::{Options, Running, Store};

/// How long something that must happen may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Rig {
    directory: tempfile::TempDir,
    pub(super) keys: KeyPaths,
    pub(super) store: Store,
    _committer: Running,
    pub(super) events: Events,
    pub(super) settings: settings::Templates,
}

/// A running actor.
pub(super) struct Started {
    pub(super) templates: Templates,
    pub(super) news: Receiver<Event>,
    actor: ActorRef<Message>,
    ended: JoinHandle<()>,
}

pub(super) fn name(name: &str) -> TemplateName {
    name.parse().expect("a name")
}

/// A good template.
pub(super) fn template(name: &str, version: &str) -> Value {
    json!({"name": name, "version": version, "system_prompt": "Answer.", "capabilities": ["work"]})
}

impl Rig {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let keys_dir = directory.path().join("keys");
        let keys = keys::generate(&"ops".parse().expect("id"), Algorithm::Ed25519, &keys_dir).expect("keys");
        std::fs::create_dir(directory.path().join("templates")).expect("created");
        let store = Store::open(&directory.path().join("data"), Options { cache_bytes: 1 << 20 }).expect("a store");
        let committer = store.run_committer().expect("a committer");
        let settings = settings::Templates {
            enable_signature_validation: true,
            trusted_keys_dir: Some(keys_dir),
            rsa_public_key_path: None,
            cache_ttl: Duration::from_secs(300),
            cache_entries: 100,
            environment: None,
            source_audit: false,
            rescan_every: Duration::from_secs(30),
        };
        Self { directory, keys, store, _committer: committer, events: Events::new(), settings }
    }

    pub(super) fn templates_dir(&self) -> PathBuf {
        self.directory.path().join("templates")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.templates_dir().join(format!("{name}.json"))
    }

    /// Writes a template without signing it.
    pub(super) fn write(&self, name: &str, content: &Value) -> PathBuf {
        write(&self.path(name), &content.to_string())
    }

    /// Writes and signs a template.
    pub(super) fn put(&self, name: &str, content: &Value) {
        let path = self.write(name, content);
        sign_file(&path, &self.keys.private).expect("signed");
    }

    pub(super) fn wire(&self) -> (Templates, impl Fn() -> (TemplatesActor, Arguments) + use<>) {
        let policies = Policies::fixed(Policy::shipped());
        Templates::wire(self.settings.clone(), self.templates_dir(), self.store.clone(), policies, self.events.clone())
    }

    /// What looks at the directory, without an actor.
    pub(super) fn workshop(&self) -> Arc<Workshop> {
        let policies = Policies::fixed(Policy::shipped());
        let (settings, store) = (self.settings.clone(), self.store.clone());
        let source = Source::of(&self.templates_dir(), &settings);
        Arc::new(Workshop { settings, source, store, shelf: Arc::default(), policies, turn: Mutex::default() })
    }

    /// Starts the actor, as after a start of the daemon.
    pub(super) async fn start(&self) -> Started {
        let (templates, make) = self.wire();
        let news = self.events.subscribe();
        self.run(templates, make, news).await
    }

    pub(super) async fn run(
        &self,
        templates: Templates,
        make: impl Fn() -> (TemplatesActor, Arguments),
        news: Receiver<Event>,
    ) -> Started {
        let (actor, arguments) = make();
        let (actor, ended) = Actor::spawn(None, actor, arguments).await.expect("started");
        templates.address().publish(actor.clone());
        Started { templates, news, actor, ended }
    }
}

pub(super) fn write(path: &Path, text: &str) -> PathBuf {
    std::fs::write(path, text).expect("written");
    path.to_owned()
}

impl Started {
    /// Waits until a template's listing is as wanted.
    pub(super) async fn until(&mut self, name: &str, wanted: impl Fn(&Listing) -> bool) -> Listing {
        let name = self::name(name);
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(listing) = self.templates.listing(&name).filter(&wanted) {
                    return listing;
                }
                self.something().await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{name} stays {:?}", self.templates.listing(&name)))
    }

    /// Waits until a template is not there any more.
    pub(super) async fn until_gone(&mut self, name: &str) {
        let name = self::name(name);
        let gone = tokio::time::timeout(PATIENCE, async {
            while self.templates.listing(&name).is_some() {
                self.something().await;
            }
        });
        gone.await.unwrap_or_else(|_| panic!("{name} stays"));
    }

    /// Waits for an event: whatever the actor shows, it tells.
    async fn something(&mut self) {
        let _event = self.news.recv().await.expect("an event");
    }

    /// Has look-ups verify against no key at all, as if those of the snapshot were gone a moment ago.
    pub(super) fn distrust(&self) {
        self.templates.verify_against(Authority::of(Some(Arc::default())));
    }

    pub(super) fn version(&self, name: &str) -> String {
        self.templates.get(&self::name(name)).expect("served").version.to_string()
    }

    pub(super) async fn stop(self) {
        self.actor.stop(None);
        self.ended.await.expect("ended");
    }
}
