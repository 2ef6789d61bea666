//! Whatever happens to the directories and to the kernel's events, what lies there is what is served, or the last good is.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use agent_factory::protocol::template::Template;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, Workshop, until};

/// How often a test that is about sweeps has them.
const SWEEPS: &str = "[templates]\nrescan_every = \"1s\"";
/// One more event than `fs.inotify.max_queued_events` holds by default is sure to be lost.
const EVENTS: u32 = 20_000;

async fn becomes(daemon: &Daemon, name: &str, what: &str, fits: impl Fn(&Template) -> bool) -> Template {
    until(what, async || daemon.client.template(name).await.ok().filter(|template| fits(template))).await
}

async fn serves(daemon: &Daemon, name: &str, version: &str) {
    becomes(daemon, name, &format!("{name} {version}"), |template| {
        template.version == version && template.reasons.is_empty()
    })
    .await;
}

async fn refused(daemon: &Daemon, name: &str, reason: &str) {
    let told = |template: &Template| template.reasons.join("\n").contains(reason);
    becomes(daemon, name, &format!("{name} is refused: {reason}"), told).await;
}

fn found_by_sweeps(metrics: &str) -> bool {
    let found = metrics.lines().find_map(|line| line.strip_prefix("factory_template_sweeps_total{outcome=\"found\"} "));
    found.expect("the counter") != "0"
}

/// Puts a directory of signed templates beside the one that is watched.
fn release(workshop: &Workshop, directory: &str, name: &str, over: Value) {
    workshop.template(name, over);
    fs::create_dir_all(workshop.path(directory)).expect("made");
    for suffix in ["", ".sig"] {
        let file = format!("{name}.json{suffix}");
        fs::rename(workshop.path(&format!("templates/{file}")), workshop.path(directory).join(file)).expect("moved");
    }
}

/// Lets a symbolic link lead elsewhere at once, as `ln -sfn` does through a rename.
fn relink(target: impl AsRef<Path>, link: &Path) {
    let fresh = link.with_file_name("..fresh");
    symlink(target, &fresh).expect("linked");
    fs::rename(fresh, link).expect("renamed");
}

#[tokio::test]
async fn a_directory_that_is_swapped_through_a_link_inside_it_is_read_anew() {
    let workshop = Workshop::new("");
    release(&workshop, "templates/..one", "worker", json!({}));
    release(&workshop, "templates/..two", "worker", json!({"version": "1.1.0"}));
    for suffix in ["", ".sig"] {
        let file = format!("worker.json{suffix}");
        symlink(format!("..data/{file}"), workshop.path("templates").join(file)).expect("linked");
    }
    let data = workshop.path("templates/..data");
    relink("..one", &data);
    let daemon = Daemon::start(workshop).await;
    serves(&daemon, "worker", "1.0.0").await;
    relink("..two", &data);
    serves(&daemon, "worker", "1.1.0").await;
}

#[tokio::test]
async fn a_link_far_above_that_leads_elsewhere_is_noticed_though_nothing_tells_of_it() {
    let workshop = Workshop::new("");
    release(&workshop, "one/etc/templates", "worker", json!({}));
    release(&workshop, "two/etc/templates", "worker", json!({"version": "1.1.0"}));
    let current = workshop.path("current");
    symlink("one", &current).expect("linked");
    workshop.edit_settings(|text| {
        text.replace("templates_dir = \"templates\"", "templates_dir = \"current/etc/templates\"")
    });
    let daemon = Daemon::start(workshop).await;
    serves(&daemon, "worker", "1.0.0").await;
    relink("two", &current);
    serves(&daemon, "worker", "1.1.0").await;
    // What is watched now is the new one.
    release(&daemon.workshop, "two/etc/templates", "late", json!({}));
    serves(&daemon, "late", "1.0.0").await;
}

#[tokio::test]
async fn a_directory_that_vanishes_with_the_one_above_it_comes_back() {
    let workshop = Workshop::new("");
    release(&workshop, "etc/factory/templates", "worker", json!({}));
    workshop.edit_settings(|text| {
        text.replace("templates_dir = \"templates\"", "templates_dir = \"etc/factory/templates\"")
    });
    let daemon = Daemon::start(workshop).await;
    serves(&daemon, "worker", "1.0.0").await;
    for (round, version) in ["1.1.0", "1.2.0"].into_iter().enumerate() {
        fs::rename(daemon.workshop.path("etc"), daemon.workshop.path(&format!("aside-{round}"))).expect("moved");
        until("the loss is told", async || daemon.workshop.log().contains("no templates can be read").then_some(()))
            .await;
        serves(&daemon, "worker", &daemon.client.template("worker").await.expect("serves on").version).await;
        release(&daemon.workshop, "etc/factory/templates", "worker", json!({"version": version}));
        serves(&daemon, "worker", version).await;
    }
}

#[tokio::test]
async fn events_that_the_kernel_dropped_lead_to_a_look_at_everything() {
    let workshop = Workshop::new("").worker(json!({}));
    // No sweep is to find what this is about.
    workshop.edit_settings(|text| text.replace("[templates]", "[templates]\nrescan_every = \"1d\""));
    let daemon = Daemon::start(workshop).await;
    daemon.signal(Signal::STOP);
    let noise = [daemon.workshop.path("templates/.one"), daemon.workshop.path("templates/.two")];
    for number in 0..EVENTS {
        // Two by turns: the kernel makes one of two equal events in a row.
        fs::write(&noise[usize::from(number % 2 == 0)], "").expect("written");
    }
    daemon.workshop.template("worker", json!({"version": "1.1.0"}));
    daemon.workshop.template("late", json!({}));
    daemon.signal(Signal::CONT);
    serves(&daemon, "worker", "1.1.0").await;
    serves(&daemon, "late", "1.0.0").await;
}

#[tokio::test]
async fn a_change_that_no_event_tells_is_found_by_a_sweep_and_counted() {
    let workshop = Workshop::new("");
    workshop.edit_settings(|text| text.replace("[templates]", SWEEPS));
    // The directory behind the links is not watched.
    release(&workshop, "behind", "worker", json!({}));
    for suffix in ["", ".sig"] {
        let file = format!("worker.json{suffix}");
        symlink(workshop.path("behind").join(&file), workshop.path("templates").join(file)).expect("linked");
    }
    let daemon = Daemon::start(workshop).await;
    serves(&daemon, "worker", "1.0.0").await;
    assert!(!found_by_sweeps(&daemon.metrics().await));
    let behind = daemon.workshop.unsigned_template("aside", json!({"name": "worker", "version": "1.1.0"}));
    fs::rename(behind, daemon.workshop.path("behind/worker.json")).expect("moved");
    daemon.workshop.sign(&daemon.workshop.path("behind/worker.json"));
    serves(&daemon, "worker", "1.1.0").await;
    assert!(found_by_sweeps(&daemon.metrics().await));
}

/// Root may read everything, so that a daemon of root's must be without that.
fn bound_by_modes() -> Vec<String> {
    let under = ["/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    if rustix::process::geteuid().is_root() {
        under.map(str::to_owned).to_vec()
    } else {
        vec!["/usr/bin/env".to_owned()]
    }
}

#[tokio::test]
async fn permissions_that_are_lost_and_come_back_stop_nothing() {
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    let daemon = Daemon::start_under(Workshop::new("").worker(json!({})), bound_by_modes()).await;
    let (file, directory) = (daemon.workshop.path("templates/worker.json"), daemon.workshop.path("templates"));
    mode(&file, 0);
    refused(&daemon, "worker", "Permission denied").await;
    serves_last_good(&daemon).await;
    mode(&file, 0o644);
    serves(&daemon, "worker", "1.0.0").await;

    mode(&directory, 0);
    until("the loss is told", async || daemon.workshop.log().contains("no templates can be read").then_some(())).await;
    serves_last_good(&daemon).await;
    mode(&directory, 0o755);
    daemon.workshop.template("worker", json!({"version": "1.1.0"}));
    serves(&daemon, "worker", "1.1.0").await;
}

async fn serves_last_good(daemon: &Daemon) {
    assert_eq!(daemon.client.template("worker").await.expect("a template").version, "1.0.0");
}

/// A daemon of its own user namespace may be refused what others have.
fn refused_watches() -> Option<Vec<String>> {
    let limit = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"";
    let under = ["/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c", limit].map(str::to_owned).to_vec();
    let probe = Command::new(&under[0]).args(&under[1..]).arg("/bin/true").output();
    probe.is_ok_and(|ended| ended.status.success()).then_some(under)
}

#[tokio::test]
async fn where_the_kernel_refuses_to_watch_edits_are_found_every_second_and_it_is_said_loudly() {
    // Hosts that give no namespaces show the same in `source::watch`, with a watch that is refused by hand.
    let Some(under) = refused_watches() else { return };
    let daemon = Daemon::start_under(Workshop::new("").worker(json!({})), under).await;
    until("it is said", async || daemon.workshop.log().contains("max_user_instances").then_some(())).await;
    for version in ["1.1.0", "1.2.0"] {
        daemon.workshop.template("worker", json!({"version": version}));
        serves(&daemon, "worker", version).await;
    }
    daemon.workshop.unsigned_template("worker", json!({"version": "1.3.0"}));
    refused(&daemon, "worker", "signature").await;
    fs::remove_file(daemon.workshop.path("templates/worker.json")).expect("removed");
    until("it goes", async || daemon.client.template("worker").await.err()).await;
}

#[tokio::test]
async fn a_thousand_files_that_change_at_once_are_all_live_and_a_file_half_written_comes_right() {
    let workshop = Workshop::new("").worker(json!({}));
    let names: Vec<String> = (0..1_000).map(|number| format!("t{number}")).collect();
    names.iter().for_each(|name| workshop.template(name, json!({})));
    let daemon = Daemon::start(workshop).await;
    names.iter().for_each(|name| daemon.workshop.template(name, json!({"version": "1.1.0"})));
    for name in &names {
        serves(&daemon, name, "1.1.0").await;
    }

    let path = daemon.workshop.path("templates/worker.json");
    let whole = fs::read_to_string(&path).expect("a file").replace("1.0.0", "1.1.0");
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    refused(&daemon, "worker", "not JSON").await;
    fs::write(&path, &whole).expect("written");
    refused(&daemon, "worker", "does not fit").await;
    daemon.workshop.sign(&path);
    serves(&daemon, "worker", "1.1.0").await;
}

#[tokio::test]
async fn a_file_of_fifty_megabytes_is_refused_unread_and_wrong_encodings_by_name() {
    let workshop = Workshop::new("").worker(json!({}));
    let utf16: Vec<u8> = "{\"name\": \"wide\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(workshop.path("templates/wide.json"), utf16).expect("written");
    let marked = workshop.unsigned_template("marked", json!({}));
    let text = fs::read_to_string(&marked).expect("a file");
    fs::write(&marked, format!("\u{feff}{text}")).expect("written");
    let daemon = Daemon::start(workshop).await;
    refused(&daemon, "wide", "UTF-16").await;
    refused(&daemon, "marked", "byte order mark").await;

    let read = || {
        let io = fs::read_to_string(format!("/proc/{}/io", daemon.pid().as_raw_nonzero())).expect("its account");
        let read = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("a line");
        read.parse::<u64>().expect("a number")
    };
    let before = read();
    let huge = fs::File::create(daemon.workshop.path("templates/worker.json")).expect("made");
    huge.set_len(50 << 20).expect("long");
    drop(huge);
    refused(&daemon, "worker", "larger than").await;
    assert!(read() - before < 10 << 20, "it was read: {} bytes", read() - before);
    assert_eq!(daemon.client.template("worker").await.expect("the last good").version, "1.0.0");
}
