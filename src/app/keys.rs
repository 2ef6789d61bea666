//! The keys of the store: the master key is read when the daemon starts and when its settings are read anew; records are sealed
//! anew in the background, by an actor, whenever keys were exchanged or there are records of before.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::Error;
use crate::config::settings::{Encryption, Settings};
use crate::control_plane::admission::task_of_idempotency_key;
use crate::domain::id::TaskId;
use crate::domain::owner::Owner;
use crate::journal::events::{Event, Events};
use crate::journal::ownership;
use crate::store::reencryption::{Cursor, OwnerOf};
use crate::store::{self, Health, Keyspace, Masters, Store};
use crate::supervision::{Address, ChildSpec};

/// How long after its start the first pass begins: what the daemon was started for goes first.
const START_PAUSE: Duration = Duration::from_secs(2);
/// How often it is looked whether a pass is needed that nobody asked for, or that failed.
const PERIOD: Duration = Duration::from_secs(60);
/// How many times it is not looked behind a pass that left keys for records that cannot be read: an hour.
const REST_LOOKS: u32 = 60;
/// How long it pauses between two rounds, so that it never takes the store for itself.
const ROUND_PAUSE: Duration = Duration::from_millis(5);

/// Opens the store of a data directory with the master keys that the settings name.
pub(super) async fn open_store(settings: &Settings) -> Result<Store, Error> {
    let (directory, cache_bytes) = (settings.data_dir.clone(), settings.store.cache_bytes);
    let encryption = settings.encryption.clone();
    let open = move || {
        let masters = masters(&encryption, &directory)?;
        create_private(&directory)?;
        Store::open_with(&directory, store::Options { cache_bytes }, &masters).map_err(Error::from)
    };
    tokio::task::spawn_blocking(open).await.map_err(Error::Thread)?
}

fn masters(told: &Encryption, data_dir: &Path) -> Result<Masters, store::Error> {
    Ok(Masters::load(told.master_key.as_ref(), told.previous_master_key.as_ref(), data_dir)?)
}

fn create_private(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|fault| Error::DataDirectory { directory: directory.to_owned(), fault })
}

/// Wraps the keys under the master key that new settings name, if it is another one; says whether what they say of encryption is in
/// force from now on. Whether there is a master key at all is settled when the daemon starts.
pub(super) async fn change_master_key(store: &Store, running: &Settings, new: &Settings) -> Result<bool, Error> {
    if store.is_encrypted() != new.encryption.master_key.is_some() {
        tracing::warn!("whether records are encrypted is settled when the daemon starts; it must be started anew");
        return Ok(false);
    }
    if !store.is_encrypted() {
        return Ok(true);
    }
    let (encryption, data_dir) = (new.encryption.clone(), running.data_dir.clone());
    let load = move || masters(&encryption, &data_dir);
    let masters = tokio::task::spawn_blocking(load).await.map_err(Error::Thread)??;
    if let Some(master) = masters.current {
        store.change_master_key(master).await?;
    }
    Ok(true)
}

enum Message {
    /// From itself, in time.
    Look,
    /// From whoever listens for keys that were exchanged.
    Wanted,
    /// From its own pass: it is done; with whether it went to the end and left keys.
    Passed { left_keys: bool },
}

struct Sealer;

struct State {
    store: Store,
    events: Events,
    passing: bool,
    /// How many times more it is not looked.
    rest: u32,
    /// Ends with the actor.
    listener: tokio::task::JoinHandle<()>,
}

/// The spec of the actor that seals records anew; none where nothing is encrypted.
pub(super) fn spec(store: &Store, events: &Events) -> Option<ChildSpec> {
    let (store, events) = (store.clone(), events.clone());
    let address: Address<Message> = Address::new("reencryption");
    store.is_encrypted().then(|| ChildSpec::worker(&address, move || (Sealer, (store.clone(), events.clone()))))
}

impl Actor for Sealer {
    type Msg = Message;
    type State = State;
    type Arguments = (Store, Events);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (store, events): (Store, Events),
    ) -> Result<State, ActorProcessingErr> {
        myself.send_after(START_PAUSE, || Message::Look);
        myself.send_interval(PERIOD, || Message::Look);
        let (wanted, told) = (store.clone(), myself.clone());
        let listener = tokio::spawn(async move {
            loop {
                wanted.reencryption_wanted().await;
                if told.cast(Message::Wanted).is_err() {
                    return;
                }
            }
        });
        Ok(State { store, events, passing: false, rest: 0, listener })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Passed { left_keys } => {
                state.passing = false;
                state.rest = if left_keys { REST_LOOKS } else { 0 };
            }
            // A pass that is under way notices exchanged keys by itself.
            Message::Look | Message::Wanted if state.passing => {}
            Message::Look if state.rest > 0 => state.rest = state.rest.saturating_sub(1),
            Message::Look | Message::Wanted => {
                state.rest = 0;
                if matches!(state.store.needs_reencryption(), Ok(true)) {
                    state.passing = true;
                    let (store, events) = (state.store.clone(), state.events.clone());
                    tokio::spawn(async move {
                        let is_whole = pass(&store, &events).await;
                        let left_keys = is_whole && store.keeps_old_keys();
                        // If this actor has ended, its successor looks again.
                        let _gone = myself.cast(Message::Passed { left_keys }).is_err();
                    });
                }
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.listener.abort();
        Ok(())
    }
}

/// Goes through all records, in rounds; says whether it came to the end.
async fn pass(store: &Store, events: &Events) -> bool {
    let (owner_of, mut after) = (owner_of(), None::<Cursor>);
    loop {
        if matches!(store.health(), Health::Unwell { .. }) {
            return false;
        }
        match store.reencrypt(after, &owner_of).await {
            Ok(None) => break,
            Ok(next) => after = next,
            Err(error) => {
                tracing::warn!(%error, "records are not sealed anew now; it is tried again within a minute");
                return false;
            }
        }
        tokio::time::sleep(ROUND_PAUSE).await;
    }
    if let Ok(Some(status)) = store.encryption()
        && status.resealed > 0
    {
        let event =
            Event::new("reencrypted").with("records", status.resealed).with("generation", status.keys.generation);
        events.publish(event.with("unreadable", status.unreadable));
    }
    true
}

/// Tells whose a record is; of the last task it remembers that, as a task's records lie together.
pub(super) fn owner_of() -> OwnerOf {
    let last: Mutex<Option<(TaskId, Owner)>> = Mutex::new(None);
    Arc::new(move |store, keyspace, key, record| {
        if keyspace == Keyspace::Idempotency {
            let task = task_of_idempotency_key(record);
            let task = task.ok_or_else(|| ownership::damaged(keyspace, key, "it names no task"))?;
            return ownership::of_task(store, task);
        }
        let task = key.first_chunk().copied().map(TaskId::from_bytes).filter(|_| keyspace == Keyspace::Task);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*last, task) {
            (Some((known, owner)), Some(task)) if *known == task => Ok(owner.clone()),
            (_, _) => {
                let owner = ownership::of(store, keyspace, key, record)?;
                *last = task.map(|task| (task, owner.clone()));
                Ok(owner)
            }
        }
    })
}
