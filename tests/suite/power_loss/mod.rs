//! Power loss: whatever had been acknowledged when the power went is there when it is back.
//!
//! ```text
//! lives (the daemon under strace, clients) ─> trace (calls in order) ─> replay ─> disk (what was synced, and what by chance)
//!                                                                         │         │ cut
//!                                                                         v         v
//!                                                                       claims ─> aftermath: the store and journal open and hold them
//! ```
//!
//! The same is done with a disk that takes no `fdatasync` of the store's file for done: there acknowledged records must be lost,
//! else this test could not tell.

mod aftermath;
mod disk;
mod lives;
mod replay;
mod trace;

use std::collections::HashSet;
use std::path::Path;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng, SeedableRng};

use self::aftermath::Loss;
use self::disk::Kept;
use self::lives::Story;
use self::replay::{Honest, Replay};
use self::trace::Event;
use crate::tools;

/// How many power cuts; more in the long form.
const CUTS: &str = "FACTORY_POWER_CUTS";
const CUTS_DEFAULT: usize = 100;
/// The seed of a run that is to be repeated: the same choices, if not the same timing.
const SEED: &str = "FACTORY_POWER_SEED";
/// Set by a person who wants to see what is left where something was lost.
const KEEP: &str = "FACTORY_POWER_KEEP";
/// Power cuts with a disk that ignores the store's syncs.
const CUTS_WITHOUT_SYNC: usize = 24;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn what_was_acknowledged_survives_power_loss_and_would_not_without_the_sync() {
    if !tools::available("strace", "strace", "that what is acknowledged survives power loss") {
        return;
    }
    let seed = number(SEED).unwrap_or_else(|| rand::thread_rng().r#gen());
    let cuts = number(CUTS).map_or(CUTS_DEFAULT, |cuts| usize::try_from(cuts).expect("a number"));
    eprintln!("{SEED}={seed} {CUTS}={cuts}");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let story = runtime.block_on(lives::lived(seed));
    runtime.shutdown_background();

    let lost = power_cuts(&story, |_, _| true, cuts, seed);
    let told: Vec<String> = lost.iter().map(|(cut, loss)| format!("{cut}: {loss:?}")).collect();
    assert!(lost.is_empty(), "{} of {cuts} power cuts lost something:\n{}", lost.len(), told.join("\n"));

    let without = power_cuts(&story, |call, file| call != "fdatasync" || !is_database(file), CUTS_WITHOUT_SYNC, seed);
    let missing = without.iter().any(|(_, loss)| matches!(loss, Loss::Missing(..)));
    assert!(missing, "without fdatasync nothing is lost either: this test cannot tell");
}

fn is_database(file: &Path) -> bool {
    file.ends_with("store/db")
}

/// Plays the story once and cuts the power at so many places; returns where something was lost.
fn power_cuts(story: &Story, honest: Honest, cuts: usize, seed: u64) -> Vec<(String, Loss)> {
    let mut chance = StdRng::seed_from_u64(seed);
    let places = places(story, cuts, &mut chance);
    let mut replay = Replay::new(&story.root, honest);
    let mut lost = Vec::new();
    for (at, event) in story.events.iter().enumerate() {
        replay.play(event);
        // Before anybody was told anything the directory is small, and all of it is tried.
        let kept = match (replay.claims.is_empty(), places.binary_search(&at)) {
            (true, _) => Kept::ALL.to_vec(),
            (false, Ok(_)) => Kept::ALL.choose(&mut chance).copied().into_iter().collect(),
            (false, Err(_)) => Vec::new(),
        };
        for kept in kept {
            let (directory, chances) = (scratch(), chance.clone());
            replay.disk.cut(kept, &mut chance, directory.path());
            if let Err(loss) = aftermath::examine(directory.path(), &replay.claims, story) {
                let left = left(&replay, kept, chances);
                lost.push((format!("cut after event {at} of {}, keeping {kept:?}{left}", story.events.len()), loss));
            }
        }
    }
    lost
}

/// Makes once more what the examination has changed, for a person to look at.
fn left(replay: &Replay, kept: Kept, mut chances: StdRng) -> String {
    if std::env::var_os(KEEP).is_none() {
        return String::new();
    }
    let directory = scratch().keep();
    replay.disk.cut(kept, &mut chances, &directory);
    format!(", left in {}", directory.display())
}

/// In memory where that is possible: what is synced there costs nothing, and nobody pulls the plug on this host.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("factory-power-").tempdir_in(memory);
    made.or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// Where the power is cut: as somebody is told something, where a sync ends or is about to, while a daemon starts, and anywhere.
fn places(story: &Story, cuts: usize, chance: &mut StdRng) -> Vec<usize> {
    let mut replay = Replay::new(&story.root, |_, _| true);
    let (mut told, mut synced, mut starting) = (Vec::new(), Vec::new(), Vec::new());
    let (mut syncs, mut is_starting) = (HashSet::new(), false);
    for (at, event) in story.events.iter().enumerate() {
        let claims = replay.claims.len();
        replay.play(event);
        is_starting = story.starts.contains(&at) || is_starting && replay.claims.len() == claims;
        if is_starting {
            starting.push(at);
        }
        match event {
            Event::Begun(..) if replay.claims.len() > claims => told.push(at),
            Event::Begun(number, call) if matches!(call.name.as_str(), "fsync" | "fdatasync") => {
                syncs.insert(*number);
            }
            Event::Ended(number, _) if syncs.contains(number) => synced.extend([at.saturating_sub(1), at]),
            Event::Begun(..) | Event::Ended(..) => {}
        }
    }
    let anywhere: Vec<usize> = (0..story.events.len()).collect();
    let mut places: Vec<usize> = Vec::new();
    for (these, percent) in [(told, 40), (synced, 20), (starting, 20), (anywhere, 20)] {
        places.extend(these.choose_multiple(chance, cuts * percent / 100));
    }
    places.sort_unstable();
    places.dedup();
    places
}
