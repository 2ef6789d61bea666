//! The actor over a real directory and a real store. The watch is told of nothing here: the tests tell the actor itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ractor::{Actor, ActorRef};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::control_plane::policy::message::Message;
use crate::control_plane::policy::{InForce, Policies, Policy, Status};
use crate::domain::name::Digest;
use crate::journal::events::Events;
use crate::store::{Options, Running, Store};

/// How long something that must happen may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);
const GOOD: &str = r#"package operator.template

deny contains {"rule": "named", "message": "no"} if { input.template.name == "bad" }"#;
const BETTER: &str = r#"package operator.template

deny contains {"rule": "named", "message": "no"} if { input.template.name == "worse" }"#;
const BROKEN: &str = "package operator.template\n\ndeny contains d if { d := nothing(1) }";

struct Rig {
    directory: tempfile::TempDir,
    store: Store,
    _committer: Running,
    events: Events,
}

struct Started {
    policies: Policies,
    actor: ActorRef<Message>,
    ended: JoinHandle<()>,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("policy")).expect("created");
        let store = Store::open(&directory.path().join("data"), Options { cache_bytes: 1 << 20 }).expect("a store");
        let committer = store.run_committer().expect("a committer");
        Self { directory, store, _committer: committer, events: Events::new() }
    }

    fn policy_dir(&self) -> PathBuf {
        self.directory.path().join("policy")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.policy_dir().join(name), text).expect("written");
    }

    async fn start(&self) -> Started {
        let (policies, _address, make) =
            Policies::wire(Some(self.policy_dir()), None, self.store.clone(), self.events.clone());
        let (actor, arguments) = make();
        let (actor, ended) = Actor::spawn(None, actor, arguments).await.expect("started");
        Started { policies, actor, ended }
    }
}

impl Started {
    /// Has the directory read until the policy stands as wanted.
    async fn until(&self, wanted: impl Fn(&InForce) -> bool) -> Arc<InForce> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let now = self.policies.in_force();
                if wanted(&now) {
                    return now;
                }
                self.actor.cast(Message::Due).expect("it runs");
                tokio::task::yield_now().await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("it stays {:?}", self.policies.in_force()))
    }

    fn denies(&self, name: &str) -> bool {
        self.policies.current().check(&json!({"name": name}), None).is_err()
    }

    async fn stop(self) {
        self.actor.stop(None);
        self.ended.await.expect("ended");
    }
}

// INVARIANT I65
#[tokio::test]
async fn a_bad_edit_leaves_the_last_good_policy_in_force_also_after_a_restart() {
    let rig = Rig::new();
    rig.write("a.rego", GOOD);
    let started = rig.start().await;
    let good = started.policies.in_force();
    assert_eq!((good.status, started.denies("bad"), started.denies("worse")), (Status::Published, true, false));

    let mut news = rig.events.subscribe();
    rig.write("a.rego", BROKEN);
    let refused = started.until(|now| !now.reasons.is_empty()).await;
    assert_eq!(refused.status, Status::PublishedWithRefusedEdit);
    assert!(refused.reasons[0].starts_with("a.rego:3:"), "{:?}", refused.reasons);
    assert_eq!(refused.policy.digest(), good.policy.digest());
    assert_eq!(news.recv().await.expect("an event").kind, "policy_refused");
    started.stop().await;

    let again = rig.start().await;
    let recalled = again.policies.in_force();
    assert_eq!((recalled.status, recalled.policy.digest()), (Status::PublishedWithRefusedEdit, good.policy.digest()));
    assert!(again.denies("bad") && !again.denies("worse"));

    rig.write("a.rego", BETTER);
    let better = again.until(|now| now.reasons.is_empty()).await;
    assert_eq!(better.status, Status::Published);
    assert!(again.denies("worse") && !again.denies("bad"));
    again.stop().await;
}

// INVARIANT I65
#[tokio::test]
async fn without_a_good_policy_everything_is_denied() {
    let rig = Rig::new();
    std::fs::remove_dir(rig.policy_dir()).expect("removed");
    let started = rig.start().await;
    let now = started.policies.in_force();
    assert_eq!((now.status, now.reasons.len()), (Status::Refused, 1));
    assert!(started.denies("anything") && started.policies.current().judges_use());

    std::fs::create_dir(rig.policy_dir()).expect("created");
    rig.write("a.rego", GOOD);
    let _good = started.until(|now| now.status == Status::Published).await;
    assert!(!started.denies("anything"));

    std::fs::remove_dir_all(rig.policy_dir()).expect("removed");
    let vanished = started.until(|now| !now.reasons.is_empty()).await;
    assert_eq!(vanished.status, Status::PublishedWithRefusedEdit);
    assert!(started.denies("bad") && !started.denies("anything"));
    started.stop().await;
}

// INVARIANT I65
#[tokio::test]
async fn rules_are_not_lost_with_the_files_also_after_a_restart() {
    let rig = Rig::new();
    let started = rig.start().await;
    assert_eq!(started.policies.in_force().status, Status::Published, "without rules from the beginning");
    rig.write("a.rego", GOOD);
    let good = started.until(|now| now.policy.source().names().next().is_some()).await;
    std::fs::remove_file(rig.policy_dir().join("a.rego")).expect("removed");
    rig.write("a_test.rego", "package operator.template_test");
    let emptied = started.until(|now| !now.reasons.is_empty()).await;
    assert_eq!((emptied.status, started.denies("bad")), (Status::PublishedWithRefusedEdit, true));
    assert!(emptied.reasons[0].starts_with("all modules are gone"), "{:?}", emptied.reasons);
    started.stop().await;

    let again = rig.start().await;
    let recalled = again.policies.in_force();
    assert_eq!((recalled.status, recalled.policy.digest()), (Status::PublishedWithRefusedEdit, good.policy.digest()));
    assert_eq!(recalled.reasons, emptied.reasons);

    // The way out that the reason tells.
    let (_, rule) = emptied.reasons[0].split_once("with: ").expect("a rule");
    rig.write("none.rego", &format!("package operator.template\n\n{rule}\n"));
    let none = again.until(|now| now.reasons.is_empty()).await;
    assert_eq!((none.status, again.denies("bad")), (Status::Published, false));
    again.stop().await;
}

#[tokio::test]
async fn an_edit_that_is_taken_back_clears_the_reasons() {
    let rig = Rig::new();
    rig.write("a.rego", GOOD);
    let started = rig.start().await;
    rig.write("b.rego", BROKEN);
    let refused = started.until(|now| !now.reasons.is_empty()).await;
    std::fs::remove_file(rig.policy_dir().join("b.rego")).expect("removed");
    let back = started.until(|now| now.reasons.is_empty()).await;
    assert_eq!((back.status, back.since), (Status::Published, refused.since));
    started.stop().await;
}

#[tokio::test]
async fn those_who_go_by_it_are_told_of_each_policy_once() {
    let rig = Rig::new();
    rig.write("a.rego", GOOD);
    let started = rig.start().await;
    let told: Arc<Mutex<Vec<Digest>>> = Arc::default();
    let hear = told.clone();
    started.policies.on_change(Arc::new(move |policy: &Policy| hear.lock().expect("whole").push(policy.digest())));
    let first = started.policies.current().digest();
    rig.write("a.rego", BROKEN);
    let _refused = started.until(|now| !now.reasons.is_empty()).await;
    rig.write("a.rego", BETTER);
    let better = started.until(|now| now.reasons.is_empty()).await;
    assert_eq!(*told.lock().expect("whole"), [first, better.policy.digest()]);
    started.stop().await;
}
