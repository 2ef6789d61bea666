//! Encryption at rest: what the disk holds, when the daemon does not start, and keys that are exchanged under way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use agent_factory::client::Client;
use agent_factory::protocol::encryption::Encryption;
use agent_factory::protocol::task::{SubmitTask, TaskState};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, PATIENCE, Provider, Workshop, factoryctl, factoryd, until};

const PLANTED: &str = "the heron flies at dawn over Porquerolles";

/// Makes a master key beside the data directory; returns the settings that name it.
async fn with_master(workshop: &Workshop, name: &str) -> String {
    let path = workshop.path(name);
    let made = factoryctl(&workshop.socket(), &["keys", "master", &path.display().to_string()], "").await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(fs::metadata(&path).expect("a key").permissions().mode() & 0o777, 0o600);
    format!("[encryption]\nmaster_key_file = \"{name}\"\n")
}

async fn sealed(provider: &Provider) -> Workshop {
    let workshop = Workshop::with(provider, "").worker(json!({}));
    let named = with_master(&workshop, "master.key").await;
    workshop.edit_settings(|text| format!("{text}\n{named}"));
    workshop
}

/// The files below a directory that hold a text.
fn holding(directory: &Path, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, wanted));
        } else if fs::read(&path).expect("a file").windows(wanted.len()).any(|part| part == wanted.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn state(client: &Client) -> Encryption {
    client.encryption().await.expect("it is told")
}

async fn all_sealed(client: &Client) -> Encryption {
    until("every record is sealed", async || Some(state(client).await).filter(|told| told.state == "sealed")).await
}

async fn submit(daemon: &Daemon, input: &str, tenant: &str, key: Option<&str>) -> agent_factory::protocol::task::Task {
    let work = SubmitTask {
        template_name: Some("worker".into()),
        input: input.into(),
        tenant: Some(tenant.into()),
        user: Some("ann".into()),
        ..SubmitTask::default()
    };
    daemon.client.submit(&work, key, PATIENCE).await.expect("a task")
}

#[tokio::test]
async fn what_people_wrote_stands_nowhere_on_the_disk() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(sealed(&provider).await).await;
    let short = submit(&daemon, PLANTED, "acme", Some("the heron key")).await;
    let long = submit(&daemon, &PLANTED.repeat(40_000), "acme", None).await;
    assert_eq!((short.state, long.state), (TaskState::Succeeded, TaskState::Succeeded));
    let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker", "name": PLANTED})).await;
    let status = daemon.ctl(&["status"]).await;
    assert!(status.out.contains("encryption"), "{}", status.out);
    let data = daemon.workshop.path("data");
    let look = || {
        for planted in ["heron", "Porquerolles"] {
            assert_eq!(holding(&data, planted), <[String; 0]>::default(), "{planted:?} is on the disk");
        }
    };
    look();
    daemon.kill9();
    look();
    daemon.start_again().await;
    assert_eq!(daemon.finished(&short.task_id).await.output, short.output);
    assert_eq!(daemon.finished(&long.task_id).await.output, long.output);
    let again = submit(&daemon, PLANTED, "acme", Some("the heron key")).await;
    assert_eq!(again.task_id, short.task_id, "the key stands for the same task");
    let (_, found) = daemon.get(&format!("/factory/agents/{}", agent["agent_id"].as_str().expect("an id"))).await;
    assert_eq!(found["name"], json!(PLANTED));
    assert_eq!(all_sealed(&daemon.client).await.unreadable, 0);
    assert_eq!(daemon.stop().await.code(), Some(0));
    look();
}

/// What a directory holds, file by file.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_daemon_without_the_key_that_fits_does_not_start_and_writes_nothing() {
    let mut daemon = Daemon::start(sealed(&Provider::echo().await).await).await;
    let task = submit(&daemon, PLANTED, "acme", None).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let data = daemon.workshop.path("data");
    let before = contents(&data);
    let good = fs::read_to_string(daemon.workshop.settings()).expect("settings");
    let other = with_master(&daemon.workshop, "other.key").await;
    fs::write(daemon.workshop.path("password"), "correct horse battery staple").expect("written");
    fs::set_permissions(daemon.workshop.path("password"), fs::Permissions::from_mode(0o600)).expect("set");
    fs::copy(daemon.workshop.path("master.key"), daemon.workshop.path("open.key")).expect("copied");
    fs::set_permissions(daemon.workshop.path("open.key"), fs::Permissions::from_mode(0o644)).expect("set");
    let named = |name: &str| format!("[encryption]\nmaster_key_file = \"{name}\"\n");
    for (encryption, why) in [
        (String::new(), "no master key was given"),
        (other, "does not fit"),
        (named("password"), "holds no key"),
        (named("open.key"), "is open to others"),
        (named("nowhere.key"), "cannot be read"),
    ] {
        daemon.workshop.edit_settings(|_| good.replace(&named("master.key"), &encryption));
        let refused = factoryd(&daemon.workshop, &[]).await;
        assert_eq!(refused.code, Some(1), "{why}: {}", refused.err);
        assert!(refused.err.contains(why) && refused.err.contains("what to do:"), "{why}: {}", refused.err);
        assert!(!refused.err.contains("horse"), "{}", refused.err);
        assert!(contents(&data) == before, "{why}: something was written");
    }
    daemon.workshop.edit_settings(|_| good);
    daemon.start_again().await;
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
}

#[tokio::test]
async fn a_master_key_in_the_data_directory_is_refused() {
    let workshop = sealed(&Provider::echo().await).await;
    fs::create_dir(workshop.path("data")).expect("made");
    fs::rename(workshop.path("master.key"), workshop.path("data/master.key")).expect("moved");
    workshop.edit_settings(|text| text.replace("\"master.key\"", "\"data/master.key\""));
    let refused = factoryd(&workshop, &[]).await;
    assert!(refused.code == Some(1) && refused.err.contains("lies in the data directory"), "{}", refused.err);
}

#[tokio::test]
async fn a_store_that_was_begun_in_clear_is_sealed_under_way_and_a_restore_leaves_no_trace_of_before() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let task = submit(&daemon, PLANTED, "acme", Some("k")).await;
    assert_eq!(state(&daemon.client).await.state, "off");
    let (status, refusal) = daemon.post("/factory/encryption/rotate", &Value::Null).await;
    assert_eq!((status, &refusal["code"]), (409, &json!("encryption_off")));
    assert_eq!(daemon.stop().await.code(), Some(0));
    let (data, key) = (daemon.workshop.path("data"), daemon.workshop.path("data/dlp.key"));
    let pseudonyms = fs::read(&key).expect("a key");
    assert!(!holding(&data, "heron").is_empty() && pseudonyms.len() == 32);

    let named = with_master(&daemon.workshop, "master.key").await;
    daemon.workshop.edit_settings(|text| format!("{text}\n{named}"));
    daemon.start_again().await;
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
    assert!(fs::read(&key).expect("a key") != pseudonyms, "the key of pseudonyms is sealed");
    let told = all_sealed(&daemon.client).await;
    assert!(told.resealed > 0 && told.unreadable == 0, "{told:?}");
    assert_eq!(submit(&daemon, PLANTED, "acme", Some("k")).await.task_id, task.task_id);

    let archive = daemon.workshop.path("b.zst").display().to_string();
    assert_eq!(daemon.ctl(&["backup", &archive]).await.code, Some(0));
    assert_eq!(daemon.stop().await.code(), Some(0));
    let settings = daemon.workshop.settings().display().to_string();
    let restored = factoryctl(&daemon.workshop.socket(), &["restore", &archive, "--config", &settings], "").await;
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    assert_eq!(holding(&data, "heron"), <[String; 0]>::default(), "the restored directory has nothing of before");
    daemon.start_again().await;
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
    assert_eq!(state(&daemon.client).await.state, "sealed");
}

#[tokio::test]
async fn a_backup_needs_the_master_key_that_it_was_taken_under() {
    let mut daemon = Daemon::start(sealed(&Provider::echo().await).await).await;
    let task = submit(&daemon, PLANTED, "acme", None).await;
    let archive = daemon.workshop.path("b.zst");
    let file = archive.display().to_string();
    assert_eq!(daemon.ctl(&["backup", &file]).await.code, Some(0));
    assert_eq!(daemon.stop().await.code(), Some(0));
    let master = hex_of(&daemon.workshop.path("master.key"));
    let unpacked = zstd_sections(&archive);
    for (what, text) in [("a text", PLANTED.as_bytes().to_vec()), ("the master key", master)] {
        assert!(!unpacked.windows(text.len()).any(|part| part == text), "the backup holds {what}");
    }
    drop(with_master(&daemon.workshop, "other.key").await);
    let restore = async |arguments: &[&str]| {
        let all = [&["--json", "restore", &file, "--data-dir"], arguments].concat();
        factoryctl(&daemon.workshop.socket(), &all, "").await
    };
    let (place, other) = (daemon.workshop.path("new").display().to_string(), daemon.workshop.path("other.key"));
    let refused = restore(&[&place]).await;
    assert_eq!(refused.json()["code"], json!("master_key_missing"), "{}", refused.err);
    let refused = restore(&[&place, "--master-key-file", &other.display().to_string()]).await;
    assert_eq!(refused.json()["code"], json!("master_key_wrong"), "{}", refused.err);
    assert!(!Path::new(&place).exists());
    let right = daemon.workshop.path("master.key").display().to_string();
    let restored = restore(&[&place, "--master-key-file", &right]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    daemon.workshop.edit_settings(|text| text.replace("data_dir = \"data\"", "data_dir = \"new\""));
    daemon.start_again().await;
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
}

/// A master key as it is in memory.
fn hex_of(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).expect("a key");
    (0..32).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).expect("hexadecimal")).collect()
}

/// What an archive holds, unpacked: the sections stand between the header, whose length is in front of it, and the digest.
fn zstd_sections(archive: &Path) -> Vec<u8> {
    let bytes = fs::read(archive).expect("an archive");
    let header = u32::from_be_bytes(bytes[12..16].try_into().expect("four bytes")) as usize;
    zstd::decode_all(&bytes[16 + header..bytes.len() - 40]).expect("sections")
}

#[tokio::test]
async fn keys_are_exchanged_under_load_and_a_kill_in_the_midst_loses_nothing() {
    let mut daemon = Daemon::start(sealed(&Provider::echo().await).await).await;
    let mut tasks = Vec::new();
    for at in 0..40 {
        tasks.push(submit(&daemon, &format!("{PLANTED} {at}"), ["acme", "other"][at % 2], None).await);
    }
    all_sealed(&daemon.client).await;
    for round in 1..4 {
        let rotated = daemon.ctl(&["--json", "keys", "rotate"]).await;
        assert_eq!(rotated.code, Some(0), "{}", rotated.err);
        assert_eq!(rotated.json()["keys"]["generation"], json!(round));
        for at in 0..6 {
            tasks.push(submit(&daemon, &format!("{PLANTED} {round} {at}"), "acme", None).await);
        }
        if round < 3 {
            daemon.kill9();
            daemon.start_again().await;
        }
        let told = all_sealed(&daemon.client).await;
        let keys = told.keys.expect("keys");
        assert_eq!(
            (keys.current, keys.replaced, told.unreadable),
            (3, 0, 0),
            "the host's, and one for each tenant's ann"
        );
        assert_eq!(keys.destroyed, 3 * round);
    }
    for task in &tasks {
        assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
    }
    let (_, audit) = daemon.get("/factory/audit").await;
    let rotations = audit["items"].as_array().expect("entries").iter().filter(|entry| entry["action"] == "rotate_keys");
    assert_eq!(rotations.count(), 3);
    assert_eq!(holding(&daemon.workshop.path("data"), "heron"), <[String; 0]>::default());
}

#[tokio::test]
async fn the_master_key_is_exchanged_without_a_restart() {
    let mut daemon = Daemon::start(sealed(&Provider::echo().await).await).await;
    let task = submit(&daemon, PLANTED, "acme", None).await;
    let next = with_master(&daemon.workshop, "next.key").await;
    let before = "[encryption]\nmaster_key_file = \"master.key\"\n";
    daemon.workshop.edit_settings(|text| text.replace(before, &next));
    daemon.signal(Signal::HUP);
    let wraps = async || state(&daemon.client).await.keys.expect("keys").wraps;
    until("the keys are wrapped anew", async || (wraps().await == 1).then_some(())).await;
    assert_eq!(submit(&daemon, "more", "third", None).await.state, TaskState::Succeeded);
    fs::remove_file(daemon.workshop.path("master.key")).expect("the one before is not needed any more");
    assert_eq!(daemon.stop().await.code(), Some(0));
    daemon.start_again().await;
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);

    // The same at a start.
    assert_eq!(daemon.stop().await.code(), Some(0));
    let last = with_master(&daemon.workshop, "last.key").await;
    let both = format!("{last}previous_master_key_file = \"next.key\"\n");
    daemon.workshop.edit_settings(|text| text.replace(&next, &both));
    daemon.start_again().await;
    assert_eq!(state(&daemon.client).await.keys.expect("keys").wraps, 2);
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
    assert_eq!(daemon.stop().await.code(), Some(0));
    daemon.workshop.edit_settings(|text| text.replace(&both, &next));
    let refused = factoryd(&daemon.workshop, &[]).await;
    assert!(refused.code == Some(1) && refused.err.contains("does not fit"), "{}", refused.err);
}

#[tokio::test]
async fn a_credential_of_systemd_is_the_master_key_where_no_file_is_named() {
    let workshop = Workshop::with(&Provider::echo().await, "").worker(json!({}));
    fs::create_dir(workshop.path("credentials")).expect("made");
    drop(with_master(&workshop, "credentials/factoryd.master-key").await);
    let directory = workshop.path("credentials").display().to_string();
    let daemon = Daemon::start_in(workshop, &[("CREDENTIALS_DIRECTORY", &directory)]).await;
    submit(&daemon, PLANTED, "acme", None).await;
    assert_eq!(holding(&daemon.workshop.path("data"), "heron"), <[String; 0]>::default());
    assert!(state(&daemon.client).await.keys.is_some());
}

#[tokio::test]
async fn a_master_key_is_made_once_and_never_written_over() {
    let workshop = Workshop::new("");
    drop(with_master(&workshop, "master.key").await);
    let path = workshop.path("master.key");
    let made = fs::read(&path).expect("a key");
    let again = factoryctl(&workshop.socket(), &["--json", "keys", "master", &path.display().to_string()], "").await;
    assert_eq!((again.code, &again.json()["code"]), (Some(1), &json!("master_key_not_written")), "{}", again.err);
    assert_eq!(fs::read(&path).expect("a key"), made);
}
