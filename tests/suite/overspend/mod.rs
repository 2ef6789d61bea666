//! Never a cent over: many clients against limits that fit a tenth of what they want, while the daemon is killed, its actors
//! are, the provider fails in every way that it can, and the days pass. What counts is the provider's own bill.
//!
//! ```text
//! 64 clients, 1,000 tasks ─> daemon ─> provider: faults drawn for each prompt and attempt; a meter of its own
//!                              ^ kill -9, start, an actor killed, midnight, …: each when so many tasks were begun
//! ```
//!
//! Each run prints its seed; `FACTORY_OVERSPEND_SEED` repeats its choices: what is asked for, what the provider does with which
//! attempt, what befalls the daemon after how many tasks; though not the host's timing.

mod bill;
mod clients;
mod vendor;

use std::time::Duration;

use agent_factory::client::Call;
use agent_factory::domain::money::Usd;
use agent_factory::protocol::tree::TreeNode;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use self::clients::Clients;
use crate::harness::{Clock, Daemon, Provider, Workshop, until};

const SEED: &str = "FACTORY_OVERSPEND_SEED";
/// Days that the test lasts, by the daemon's clock; in the middle a month begins.
const DAYS: usize = 4;
const TASKS: usize = 1_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Noon on 2027-01-30 in UTC, and the first day of the month after it.
const BEGIN: i64 = 1_801_310_400;
const NEXT_MONTH: i64 = 20_850;
/// Parts of the daemon that hold money, tasks or calls, which are killed more than others.
const HOLDERS: [&str; 5] =
    ["root/core/store", "root/core/control/budget", "providers/mock", "factory", "root/core/data"];

/// What a scope may spend in its window, in nano-dollars; a call takes about 300,000 at worst.
pub(crate) mod limits {
    pub(crate) const GLOBAL_A_DAY: i64 = 8_000_000;
    pub(crate) const ACME_A_DAY: i64 = 3_000_000;
    pub(crate) const ZETA_IN_ALL: i64 = 6_000_000;
    pub(crate) const ADA_A_MONTH: i64 = 5_000_000;
    pub(crate) const WORKER_A_DAY: i64 = 4_000_000;
    pub(crate) const REFINER_A_DAY: i64 = 2_000_000;
    pub(crate) const REFINER_A_TASK: i64 = 800_000;
    pub(crate) const BOSS_A_TASK: i64 = 900_000;
    pub(crate) const SOME_A_TASK: i64 = 700_000;
}

/// What befalls the daemon.
#[derive(Debug, Clone)]
enum Event {
    Crash,
    /// An actor is killed, by a number that chooses among those that are there.
    Kill(usize),
    Midnight,
}

fn seed() -> u64 {
    std::env::var(SEED).map_or_else(|_| rand::thread_rng().r#gen(), |text| text.parse().expect("a number"))
}

fn usd(nanos: i64) -> String {
    Usd::from_nanos(nanos).to_string()
}

/// Two crashes and a killed actor while the day's money lasts, then midnight; each after so many tasks.
fn schedule(chance: &mut StdRng) -> Vec<(usize, Event)> {
    let mut all = Vec::new();
    for day in 0..DAYS {
        let begun = TASKS / DAYS * day;
        let mut events = [Event::Crash, Event::Crash, Event::Kill(chance.r#gen())];
        events.shuffle(chance);
        let mut after: Vec<usize> = events.iter().map(|_| begun + chance.gen_range(5..110)).collect();
        after.sort_unstable();
        all.extend(after.into_iter().zip(events));
        if day + 1 < DAYS {
            all.push((begun + TASKS / DAYS, Event::Midnight));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_the_providers_own_bill_passes_no_limit_and_nothing_stays_reserved() {
    let seed = seed();
    eprintln!("{SEED}={seed}");
    let provider = Provider::start(vendor::script(seed)).await;
    let workshop = workshop(&provider);
    let clock = Clock::of(&workshop);
    clock.show(BEGIN);
    let meters = clock.clone();
    provider.meter().go_by(move || meters.seconds());
    let mut daemon = Daemon::start_in(workshop, &clock.environment()).await;
    let clients = Clients::start(daemon.workshop.socket(), seed);
    for (after, event) in schedule(&mut StdRng::seed_from_u64(seed)) {
        clients.begun(after).await;
        match event {
            Event::Crash => {
                daemon.kill9();
                daemon.start_again().await;
            }
            Event::Kill(which) => kill(&daemon, which).await,
            Event::Midnight => clock.advance(DAY),
        }
    }
    let outcomes = clients.ended().await;
    bill::holds(&daemon, &provider, &outcomes).await;
}

/// Kills an actor; one whose group still settles after the crash before is waited for.
async fn kill(daemon: &Daemon, which: usize) {
    let mut found = Vec::new();
    let tree = until("a tree", async || daemon.client.tree().await.ok()).await;
    paths(&tree, &tree.name, &mut found);
    let often = |path: &String| if HOLDERS.iter().any(|holder| path.ends_with(holder)) { 8 } else { 1 };
    let weighed: Vec<&String> = found.iter().flat_map(|path| std::iter::repeat_n(path, often(path))).collect();
    let path = weighed[which % weighed.len()];
    eprintln!("{path} is killed");
    until(&format!("{path} is killed"), async || {
        let call = Call::post("/factory/chaos/kill").json(&json!({"path": path})).expect("JSON");
        let answer = daemon.client.exchange(&call).await;
        // It may be gone, or the request with what it killed.
        answer.ok().filter(|answer| matches!(answer.status(), 204 | 404)).map(drop)
    })
    .await;
}

/// Paths to every actor but the root; agents and plans left out: those come and go.
fn paths(node: &TreeNode, above: &str, found: &mut Vec<String>) {
    for child in node.children.iter().filter(|child| !child.name.contains('#')) {
        let path = format!("{above}/{}", child.name);
        paths(child, &path, found);
        found.push(path);
    }
}

fn workshop(provider: &Provider) -> Workshop {
    let table = |scope: &str, limit: i64, window: &str| {
        format!("[budgets.\"{scope}\"]\nlimit_usd = \"{}\"\nwindow = \"{window}\"\n", usd(limit))
    };
    let more = [
        "both = [\"mock/priced\", \"mock/second\"]\n".to_owned(),
        "[models.\"mock/second\"]\ninput_usd_per_mtok = \"1.00\"\noutput_usd_per_mtok = \"4.00\"\n".to_owned(),
        "[routes.hurried]\nmodels = [\"mock/priced\", \"mock/second\"]\nhedge_after = \"10ms\"\n".to_owned(),
        "[chaos]\nenabled = true\n".to_owned(),
        table("global", limits::GLOBAL_A_DAY, "day"),
        table("tenant:acme", limits::ACME_A_DAY, "day"),
        table("tenant:zeta", limits::ZETA_IN_ALL, "total"),
        table("user:ada", limits::ADA_A_MONTH, "month"),
        table("template:worker", limits::WORKER_A_DAY, "day"),
    ];
    let workshop = Workshop::with(provider, &more.concat());
    workshop.edit_settings(|text| text.replace("timeout = \"20s\"", "timeout = \"2s\""));
    let agent = |name: &str, route: &str, more: Value| {
        let pool = json!({"max": 1_000});
        let model = json!({"route": route, "max_output_tokens": vendor::OUTPUT_TOKENS_MAX});
        let mut over = json!({"model": model, "pool": pool, "system_prompt": format!("template={name} Answer.")});
        for (member, value) in more.as_object().expect("an object") {
            over[member] = value.clone();
        }
        workshop.template(name, over);
    };
    agent("worker", "priced", json!({}));
    agent("spare", "both", json!({}));
    agent("hurried", "hurried", json!({}));
    let budget = json!({"per_task_usd": usd(limits::REFINER_A_TASK), "per_day_usd": usd(limits::REFINER_A_DAY)});
    agent("refiner", "priced", json!({"budget": budget, "refine": {"passes": 2}}));
    let steps = json!([
        {"id": "a", "template": "worker", "input": "{{input}}"},
        {"id": "b", "template": "spare", "input": "{{input}}"},
        {"id": "c", "template": "worker", "needs": ["a", "b"], "input": "{{input}} {{steps.a.output}}"}
    ]);
    let plan = json!({"steps": steps, "aggregate": {"mode": "step", "step": "c"}});
    let limits = json!({"budget_usd": usd(limits::BOSS_A_TASK)});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan, "limits": limits, "pool": {"max": 1_000}}));
    workshop
}
