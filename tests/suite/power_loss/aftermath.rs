//! What is found when the power is back.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use agent_factory::data_plane::dlp::PseudonymKey;
use agent_factory::domain::id::{AgentId, TaskId};
use agent_factory::journal::Journal;
use agent_factory::journal::events::Events;
use agent_factory::store::secret_file::SecretFiles;
use agent_factory::store::{self, Keyspace, Options, Store, chain};

use tokio::runtime::Builder;

use super::lives::Story;
use super::replay::Claim;

const OPTIONS: Options = Options { cache_bytes: 1 << 24 };

/// What a power cut took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    /// The directory cannot be opened.
    Unopenable(String),
    /// Somebody was told something that is not there.
    Missing(Claim, String),
    /// A record is damaged.
    Damaged(String),
}

/// Opens what the power cut left, as the daemon would, and looks for everything that anybody was told. Twice: the second time
/// finds what the first has repaired.
///
/// # Errors
/// What is lost.
pub(super) fn examine(root: &Path, claims: &[Claim], story: &Story) -> Result<(), Loss> {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let data = root.join("data");
    std::fs::create_dir_all(&data).expect("a directory");
    for _ in 0..2 {
        let examined = catch_unwind(AssertUnwindSafe(|| {
            let store = opened(&data)?;
            let examined = once(&data, &store, claims, story);
            runtime.block_on(store.close()).map_err(|fault| Loss::Damaged(fault.to_string()))?;
            examined
        }));
        examined.unwrap_or_else(|_| Err(Loss::Damaged("a panic".to_owned())))?;
    }
    Ok(())
}

/// How long what was closed may take to be free: sled lets its file go on a thread of its own, and a program that another test
/// starts holds every lock of this process for the moment between its fork and its exec.
const FREE_WITHIN: Duration = Duration::from_secs(10);

fn opened(data: &Path) -> Result<Store, Loss> {
    let begun = Instant::now();
    loop {
        match Store::open(data, OPTIONS) {
            Ok(store) => return Ok(store),
            Err(fault) if is_taken(&fault) && begun.elapsed() < FREE_WITHIN => {
                std::thread::yield_now();
            }
            Err(fault) => return Err(Loss::Unopenable(fault.to_string())),
        }
    }
}

fn is_taken(fault: &store::Error) -> bool {
    matches!(fault, store::Error::InUse(_)) || fault.to_string().contains("could not acquire lock")
}

fn once(data: &Path, store: &Store, claims: &[Claim], story: &Story) -> Result<(), Loss> {
    let unopenable = |fault: &dyn std::fmt::Display| Loss::Unopenable(fault.to_string());
    let journal = Journal::open(store.clone(), Events::new()).map_err(|fault| unopenable(&fault))?;
    if !journal.unreadable().is_empty() {
        return Err(Loss::Damaged(format!("open tasks {:?}", journal.unreadable())));
    }
    for claim in claims {
        holds(&journal, claim, &story.inputs).map_err(|found| Loss::Missing(claim.clone(), found))?;
    }
    PseudonymKey::load_or_create(data, &SecretFiles::default()).map_err(|fault| unopenable(&fault))?;
    if !claims.is_empty() && std::fs::read(data.join("dlp.key")).ok().as_ref() != Some(&story.key) {
        return Err(Loss::Damaged("the key of the pseudonyms".to_owned()));
    }
    let links = store.chain_range(Keyspace::Audit, chain::FIRST_SEQUENCE, usize::MAX);
    let links = links.map_err(|fault| Loss::Damaged(format!("the audit log: {fault}")))?;
    chain::verify(chain::GENESIS, chain::FIRST_SEQUENCE, &links)
        .map_err(|fault| Loss::Damaged(format!("the audit log: {fault}")))?;
    Ok(())
}

/// Whether what was told is there; else what is.
fn holds(journal: &Journal, claim: &Claim, inputs: &BTreeMap<String, String>) -> Result<(), String> {
    let read = |name: &str| {
        let id: TaskId = name.parse().map_err(|_| format!("{name} is no task"))?;
        let found = journal.read(id).map_err(|fault| fault.to_string())?;
        found.ok_or_else(|| "no such task".to_owned())
    };
    match claim {
        Claim::Task(name) => {
            let task = read(name)?;
            match inputs.get(name) {
                Some(input) if task.order.input.expose() != input => Err("another input".to_owned()),
                Some(_) | None => Ok(()),
            }
        }
        Claim::Ended(name, state) => {
            let task = read(name)?;
            let answered = state != "succeeded" || task.output.is_some();
            if task.state.as_str() == state && answered {
                Ok(())
            } else {
                Err(format!("it is {}", task.state.as_str()))
            }
        }
        Claim::Called(name, step) => {
            let started = read(name)?.next_step();
            if started > *step { Ok(()) } else { Err(format!("{started} steps")) }
        }
        Claim::Agent(name) => {
            let id: AgentId = name.parse().map_err(|_| format!("{name} is no agent"))?;
            let found = journal.agents().get(id).map_err(|fault| fault.to_string())?;
            found.map(drop).ok_or_else(|| "no such agent".to_owned())
        }
    }
}
