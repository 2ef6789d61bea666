//! Lives of a daemon under strace, with clients that submit until it is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent_factory::protocol::agent::CreateAgent;
use agent_factory::protocol::task::SubmitTask;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::replay::Replay;
use super::trace::{self, Event};
use crate::harness::{Daemon, PATIENCE, Provider, Workshop, until};

/// Clients at once: what they submit meets in groups.
const CLIENTS: usize = 4;
/// Tasks that end in one life before it ends.
const TASKS: usize = 30;
/// Lives; the last but one ends in good order, the others by `kill -9`.
const LIVES: usize = 4;
/// Just above what is kept in the database: it becomes a file of its own. The first client submits one in each life.
const PAYLOAD_BYTES: usize = 1_060_000;

/// What happened.
pub(super) struct Story {
    /// The directory that held `data`; the names in the trace begin with it.
    pub(super) root: PathBuf,
    pub(super) events: Vec<Event>,
    /// Where each life begins among the events.
    pub(super) starts: Vec<usize>,
    /// The inputs of the tasks that were acknowledged to a client.
    pub(super) inputs: BTreeMap<String, String>,
    /// The key of the pseudonyms.
    pub(super) key: Vec<u8>,
}

/// Lets the daemon live, and plays each life's trace to a disk that must become what the life has left.
pub(super) async fn lived(seed: u64) -> Story {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "[store]\ncache_bytes = 1048576\n").worker(json!({}));
    let steps = json!([{"id": "a", "template": "worker", "input": "{{input}}"},
        {"id": "b", "template": "worker", "needs": ["a"], "input": "{{steps.a.output}}"}]);
    let plan = json!({"steps": steps, "aggregate": {"mode": "step", "step": "b"}});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan}));
    let root = workshop.directory().to_owned();
    let mut daemon: Option<Daemon> = None;
    let mut workshop = Some(workshop);
    let mut replay = Replay::new(&root, |_, _| true);
    let mut story =
        Story { root: root.clone(), events: Vec::new(), starts: Vec::new(), inputs: BTreeMap::new(), key: Vec::new() };
    for life in 0..LIVES {
        let file = root.join(format!("trace.{life}"));
        let daemon = match workshop.take() {
            Some(workshop) => daemon.insert(Daemon::start_under(workshop, strace(&file)).await),
            None => {
                let daemon = daemon.as_mut().expect("it lived before");
                daemon.run_under(strace(&file));
                daemon.start_again().await;
                daemon
            }
        };
        story.inputs.extend(under_load(daemon, seed.wrapping_add(u64::try_from(life).expect("few"))).await);
        if life + 2 == LIVES {
            assert_eq!(daemon.stop().await.code(), Some(0));
        } else {
            daemon.kill9();
        }
        let text =
            until("the trace's end", async || std::fs::read_to_string(&file).ok().filter(|text| trace::is_whole(text)))
                .await;
        story.starts.push(story.events.len());
        let events = trace::read(&text, story.events.len());
        events.iter().for_each(|event| replay.play(event));
        story.events.extend(events);
        story.events.extend(replay.process_ended());
        replay.disk.assert_is(&root);
    }
    story.key = std::fs::read(root.join("data/dlp.key")).expect("a key");
    eprintln!(
        "{} calls, {} of them writes to places that were written before; {} claims",
        story.events.len() / 2,
        replay.disk.reused,
        replay.claims.len()
    );
    assert!(replay.claims.len() > LIVES * TASKS, "the trace has what the daemon told: {}", replay.claims.len());
    story
}

/// strace, as the tracer of a process that stays ours.
fn strace(file: &Path) -> Vec<String> {
    let file = file.to_str().expect("paths of tests are text");
    let words = ["strace", "-D", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "1200000", "-o", file];
    let calls = format!("trace={}", trace::CALLS);
    words.into_iter().chain(["-e", calls.as_str()]).map(str::to_owned).collect()
}

/// Clients submit until enough tasks have ended; whatever else is under way then stays so.
async fn under_load(daemon: &Daemon, seed: u64) -> BTreeMap<String, String> {
    let ended = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, ended) = (daemon.client.clone(), ended.clone());
            let mut chance = StdRng::seed_from_u64(seed ^ (u64::try_from(number).expect("few") << 32));
            tokio::spawn(async move {
                let mut inputs = BTreeMap::new();
                while ended.load(Ordering::Relaxed) < TASKS {
                    let (wanted, wait) = match (number, inputs.is_empty()) {
                        (0, true) => (work("worker", PAYLOAD_BYTES, &mut chance), Duration::ZERO),
                        _ => wish(&mut chance),
                    };
                    let task = client.submit(&wanted, None, wait).await.expect("a task");
                    inputs.insert(task.task_id.clone(), wanted.input.as_str().expect("text").to_owned());
                    if chance.gen_bool(0.1) {
                        client.cancel(&task.task_id).await.map_or_else(drop, drop);
                    }
                    if chance.gen_bool(0.1) {
                        let agent =
                            CreateAgent { template_name: "worker".into(), name: None, tenant: None, user: None };
                        client.create_agent(&agent).await.expect("an agent");
                    }
                    ended.fetch_add(usize::from(task.state.has_ended()), Ordering::Relaxed);
                }
                inputs
            })
        })
        .collect();
    let mut inputs = BTreeMap::new();
    for client in clients {
        inputs.extend(client.await.expect("a client"));
    }
    inputs
}

fn wish(chance: &mut StdRng) -> (SubmitTask, Duration) {
    let bytes = match chance.gen_range(0..100) {
        0..70 => chance.gen_range(10..300),
        70..90 => chance.gen_range(1_000..20_000),
        _ => chance.gen_range(50_000..150_000),
    };
    let template = if chance.gen_bool(0.15) { "boss" } else { "worker" };
    let wait = if chance.gen_bool(0.5) { PATIENCE } else { Duration::ZERO };
    (work(template, bytes, chance), wait)
}

fn work(template: &str, bytes: usize, chance: &mut StdRng) -> SubmitTask {
    // A word that occurs nowhere else, so that one text is not taken for another.
    let word = format!("{:08x} ", chance.r#gen::<u32>());
    let input = word.repeat(bytes / word.len() + 1);
    SubmitTask { template_name: Some(template.into()), input: input.trim_end().into(), ..SubmitTask::default() }
}
