//! `factoryctl backup` and `factoryctl restore`: everything durable in one file, taken while the daemon runs, and back.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use agent_factory::protocol::task::TaskState;
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::harness::{Daemon, Ended, Provider, Workshop, factoryctl};

async fn offline(workshop: &Workshop, arguments: &[&str]) -> Ended {
    let settings = workshop.settings().display().to_string();
    factoryctl(&workshop.socket(), &[&["--json", "restore"], arguments, &["--config", &settings]].concat(), "").await
}

fn text(path: std::path::PathBuf) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn what_was_backed_up_is_there_again_after_a_restore() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let early = daemon.run("worker", "Write to ada.byron@example.org.").await;
    let archive = text(daemon.workshop.path("b.zst"));
    let taken = daemon.ctl(&["--json", "backup", &archive]).await;
    assert_eq!(taken.code, Some(0), "{}", taken.err);
    let told = taken.json();
    let bytes = fs::read(&archive).expect("an archive");
    assert_eq!(told["bytes"], json!(bytes.len()));
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(told["sha256"], json!(digest));
    assert!(told["position"].as_u64() > Some(0) && told["entries"].as_u64() > Some(0), "{told}");
    assert_eq!(fs::metadata(&archive).expect("an archive").permissions().mode() & 0o777, 0o600);
    assert!(!daemon.workshop.path("b.zst.partial").exists());
    let (status, audit) = daemon.get("/factory/audit").await;
    let entries = audit["items"].as_array().expect("entries");
    assert!(status == 200 && entries.iter().any(|entry| entry["action"] == "take_backup"), "{audit}");

    let late = daemon.run("worker", "later").await;
    let refused = offline(&daemon.workshop, &[&archive]).await;
    assert_eq!((refused.code, &refused.json()["code"]), (Some(3), &json!("data_directory_in_use")), "{}", refused.err);

    assert_eq!(daemon.stop().await.code(), Some(0));
    let key = fs::read(daemon.workshop.path("data/dlp.key")).expect("a key");
    // Nothing but `data_dir` is read of the settings: neither a provider's key nor settings without mistakes are needed.
    let good = fs::read_to_string(daemon.workshop.settings()).expect("settings");
    daemon
        .workshop
        .edit_settings(|text| format!("{text}\n[providers.gone]\nkind = \"openai\"\napi_key_env = \"NOT_SET\"\n"));
    let restored = offline(&daemon.workshop, &[&archive]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    let told = restored.json();
    assert_eq!((&told["position"], &told["sha256"]), (&taken.json()["position"], &json!(digest)));
    let kept = told["kept"].as_str().expect("the old directory").to_owned();
    assert!(fs::metadata(&kept).expect("it is kept").is_dir(), "{kept}");
    daemon.workshop.edit_settings(|_| good);

    daemon.start_again().await;
    assert_eq!(daemon.finished(&early.task_id).await.output, early.output);
    assert_eq!(daemon.get(&format!("/factory/tasks/{}", late.task_id)).await.0, 404);
    assert_eq!(fs::read(daemon.workshop.path("data/dlp.key")).expect("a key"), key, "pseudonyms stay the same");
    assert_eq!(daemon.run("worker", "again").await.state, TaskState::Succeeded);
    assert_eq!(daemon.get("/health").await.1["status"], "healthy");

    // The directory that was kept is a whole one.
    assert_eq!(daemon.stop().await.code(), Some(0));
    daemon.workshop.edit_settings(|text| text.replace("data_dir = \"data\"", &format!("data_dir = {kept:?}")));
    daemon.start_again().await;
    assert_eq!(daemon.finished(&late.task_id).await.output, late.output);
}

#[tokio::test]
async fn a_backup_that_is_refused_touches_nothing_that_is_there() {
    let workshop = Workshop::with(&Provider::echo().await, "").worker(json!({}));
    let (file, partial) = (workshop.path("b.zst"), workshop.path("b.zst.partial"));
    fs::write(&partial, "what another one has written so far").expect("written");
    let arguments = ["--json", "backup", &text(file.clone())].map(str::to_owned);
    let arguments = arguments.each_ref().map(String::as_str);
    let refused = factoryctl(&workshop.socket(), &arguments, "").await;
    assert_eq!(refused.code, Some(4), "nobody is there: {}", refused.err);
    assert!(partial.exists());

    let daemon = Daemon::start(workshop).await;
    let other = fs::File::open(&partial).expect("a file");
    flock(&other, FlockOperation::LockExclusive).expect("locked");
    fs::write(&file, "the last backup").expect("written");
    let refused = daemon.ctl(&arguments).await;
    assert_eq!((refused.code, &refused.json()["code"]), (Some(1), &json!("backup_not_written")), "{}", refused.err);
    assert!(refused.err.contains("another backup is written to it"), "{}", refused.err);
    assert!(partial.exists());
    assert_eq!(fs::read_to_string(&file).expect("a file"), "the last backup");
    drop(other);

    let pipe = daemon.workshop.path("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
    for place in [pipe.clone(), daemon.workshop.directory().to_owned()] {
        let refused = daemon.ctl(&["backup", &text(place)]).await;
        assert!(refused.code == Some(2) && refused.err.contains("is no file"), "{}", refused.err);
    }
    assert!(fs::metadata(&pipe).expect("it is there").file_type().is_fifo());
    let link = daemon.workshop.path("latest");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    assert_eq!(daemon.ctl(&["backup", &text(link.clone())]).await.code, Some(0));
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert!(fs::read(&file).expect("a file").starts_with(b"AGFBAKUP") && !partial.exists());
}

#[tokio::test]
async fn a_backup_that_is_no_backup_is_refused_and_nothing_is_touched() {
    let mut daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let task = daemon.run("worker", "hello").await;
    let archive = daemon.workshop.path("b.zst");
    assert_eq!(daemon.ctl(&["backup", &text(archive.clone())]).await.code, Some(0));
    assert_eq!(daemon.stop().await.code(), Some(0));
    let whole = fs::read(&archive).expect("an archive");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    let newer = [&whole[..8], &[0, 0, 0, 9], &whole[12..]].concat();
    for (bytes, code) in [
        (whole[..whole.len() / 2].to_vec(), "backup_cut_short"),
        (changed, "backup_damaged"),
        (newer, "backup_newer"),
        (b"a letter to ada".to_vec(), "backup_foreign"),
    ] {
        fs::write(&archive, bytes).expect("written");
        let refused = offline(&daemon.workshop, &[&text(archive.clone())]).await;
        assert_eq!((refused.code, &refused.json()["code"]), (Some(3), &json!(code)), "{}", refused.err);
    }
    daemon.start_again().await;
    assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
    let beside = fs::read_dir(daemon.workshop.directory()).expect("a directory");
    let names: Vec<_> = beside.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    assert!(!names.iter().any(|name| name.starts_with("data.")), "{names:?}");
}
