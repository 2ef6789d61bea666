//! Durable commits a second with 1, 32 and 128 writers, in clear and encrypted, beside what the disk gives: bare appends of the same
//! bytes, synced once for as many commits as there are writers, which is the most that any group commit can reach.
#![allow(missing_docs, reason = "a program, not a library")]
#![expect(clippy::print_stdout, reason = "figures are its output")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of a few seconds"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use agent_factory::domain::owner::Owner;
use agent_factory::store::{Batch, Keyspace, MasterKey, Masters, Options, Record, Store};
use anyhow::Context as _;

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_secs(2);
/// About what a finished step takes.
const BODY_BYTES: usize = 300;

struct Figure {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    /// Commits in a group, on average.
    group: f64,
}

fn main() -> anyhow::Result<()> {
    // Where the build is: a temporary directory may be in memory.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    println!("{BODY_BYTES}-byte records, {} s each", MEASURED.as_secs());
    println!("writers    store/s   p50 ms   p99 ms  a group     bare/s  store:bare  sealed/s   p50 ms  sealed:clear");
    for writers in [1, 32, 128] {
        let bare = bare(place, writers)?;
        let store = committed(place, writers, &Masters::default())?;
        let masters = Masters { current: Some(MasterKey::generate()?), previous: None };
        let sealed = committed(place, writers, &masters)?;
        println!(
            "{writers:>7} {:>10.0} {:>8.3} {:>8.3} {:>8.1} {bare:>10.0} {:>11.2} {:>9.0} {:>8.3} {:>13.2}",
            store.per_second,
            store.p50.as_secs_f64() * 1e3,
            store.p99.as_secs_f64() * 1e3,
            store.group,
            store.per_second / bare,
            sealed.per_second,
            sealed.p50.as_secs_f64() * 1e3,
            sealed.per_second / store.per_second,
        );
    }
    Ok(())
}

/// Commits by the store, of eight owners.
fn committed(place: &Path, writers: u32, masters: &Masters) -> anyhow::Result<Figure> {
    let directory = tempfile::tempdir_in(place)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let store = Store::open_with(directory.path(), Options { cache_bytes: 64 << 20 }, masters)?;
    let committer = store.run_committer()?;
    let began = Instant::now();
    let times = runtime.block_on(async {
        let tasks: Vec<_> = (0..writers).map(|writer| tokio::spawn(write(store.clone(), writer, began))).collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        let groups = store.commit(Batch::new()).await?;
        store.close().await?;
        anyhow::Ok((times, groups))
    });
    drop(committer);
    let ((mut times, groups), took) = (times?, began.elapsed());
    times.sort_unstable();
    let quantile =
        |part: f64| times.get((times.len() as f64 * part) as usize).copied().context("nothing was committed");
    Ok(Figure {
        per_second: times.len() as f64 / took.as_secs_f64(),
        p50: quantile(0.5)?,
        p99: quantile(0.99)?,
        group: times.len() as f64 / groups.0 as f64,
    })
}

async fn write(store: Store, writer: u32, began: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let owner = Owner::of(&format!("tenant{}", writer % 8).parse()?, None);
    for step in 0_u64.. {
        let key = [&[writer as u8; 16][..], &step.to_be_bytes()].concat();
        let record = Record { kind: 1, version: 1, body: vec![writer as u8; BODY_BYTES] };
        let sent = Instant::now();
        store.commit(Batch::new().put_of(Keyspace::Task, key, record, &owner)).await?;
        times.push(sent.elapsed());
        if began.elapsed() >= MEASURED {
            break;
        }
    }
    Ok(times)
}

/// Appends and syncs, nothing else.
fn bare(place: &Path, writers: u32) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir_in(place)?;
    let mut file = File::create(directory.path().join("log"))?;
    let group = vec![7; BODY_BYTES * writers as usize];
    let began = Instant::now();
    let mut commits = 0_u64;
    while began.elapsed() < MEASURED {
        file.write_all(&group)?;
        file.sync_data()?;
        commits += u64::from(writers);
    }
    Ok(commits as f64 / began.elapsed().as_secs_f64())
}
