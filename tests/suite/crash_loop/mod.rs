//! `kill -9` at random moments under load: nothing acknowledged is lost, nothing is done or paid twice.
//!
//! ```text
//! clients (submit under keys, repeat until acknowledged, cancel some) ─> daemon ─> provider (counts calls, remembers answers)
//!                                                                         ^ kill -9, start, kill -9, …
//! ```
//!
//! The long form: `FACTORY_CRASH_ROUNDS=200 cargo test --test suite crash_loop -- --nocapture`. Each run prints its seed;
//! `FACTORY_CRASH_SEED` repeats the same choices (what is submitted, when it is killed), though not the host's timing.

mod books;
mod clients;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use self::clients::Clients;
use crate::harness::{Daemon, Provider, Reply, Workshop, until};

const ROUNDS: &str = "FACTORY_CRASH_ROUNDS";
const ROUNDS_DEFAULT: u64 = 15;
const SEED: &str = "FACTORY_CRASH_SEED";

/// How long a daemon may live once it has acknowledged something.
const LIFE_MAX: Duration = Duration::from_millis(300);
/// How long one may live that is killed while it starts, or takes its first requests.
const START_MAX: Duration = Duration::from_millis(400);
/// How long a model takes at most.
const LATENCY_MAX: Duration = Duration::from_millis(25);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_moment_the_daemon_is_killed_at_nothing_is_lost_or_done_twice() {
    let rounds = number(ROUNDS).unwrap_or(ROUNDS_DEFAULT);
    let seed = number(SEED).unwrap_or_else(|| rand::thread_rng().r#gen());
    eprintln!("{SEED}={seed} {ROUNDS}={rounds}");
    let provider = Provider::start(move |call| {
        // Most calls are answered, each after a while; some fail, and are tried again.
        let mut chance = StdRng::seed_from_u64(seed ^ u64::try_from(call.number).expect("a number"));
        let reply = if chance.gen_bool(0.03) { Reply::Status(500, None) } else { Reply::Echo };
        Reply::After(chance.gen_range(Duration::ZERO..LATENCY_MAX), Box::new(reply))
    })
    .await;
    let mut daemon = Daemon::start(workshop(&provider)).await;
    let clients = Clients::start(daemon.workshop.socket(), seed);
    let mut chance = StdRng::seed_from_u64(seed);
    for _ in 0..rounds {
        killed_at_some_moment(&mut daemon, &clients, &mut chance).await;
        daemon.launch();
    }
    daemon.ready().await;
    let kept = clients.stop().await;
    let provider = Arc::new(provider);
    eprintln!("{} tasks were acknowledged, {} calls made", kept.len(), provider.count());
    assert!(
        kept.len() * 2 > usize::try_from(rounds).expect("a number"),
        "a daemon under load is killed, not an idle one"
    );
    books::hold(&daemon, &provider, &kept).await;
    books::keys_still_find_their_tasks(&daemon, &kept).await;
}

/// The moment is what is tried here, so it is drawn and not waited for: while the daemon starts, or while it serves.
async fn killed_at_some_moment(daemon: &mut Daemon, clients: &Clients, chance: &mut StdRng) {
    if chance.gen_bool(0.25) {
        tokio::time::sleep(chance.gen_range(Duration::ZERO..START_MAX)).await;
    } else {
        daemon.ready().await;
        let before = clients.heard();
        until("an acknowledgement", async || (clients.heard() > before).then_some(())).await;
        tokio::time::sleep(chance.gen_range(Duration::ZERO..LIFE_MAX)).await;
    }
    daemon.kill9();
}

fn workshop(provider: &Provider) -> Workshop {
    let pool = json!({"max": 1000});
    let model = json!({"route": "priced", "max_output_tokens": 64});
    let budgets = "[budgets.global]\nlimit_usd = \"1000.00\"\nwindow = \"total\"\n";
    let workshop = Workshop::with(provider, budgets).worker(json!({"model": model, "pool": pool}));
    let steps = json!([
        {"id": "a", "template": "worker", "input": "{{input}}"},
        {"id": "b", "template": "worker", "input": "{{input}}"},
        {"id": "c", "template": "worker", "needs": ["a", "b"], "input": "{{steps.a.output}}\n{{steps.b.output}}"}
    ]);
    let plan = json!({"steps": steps, "aggregate": {"mode": "step", "step": "c"}});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan, "pool": pool}));
    workshop
}
