//! The source audit: whose the files are, who may write to them, and where links lead.

use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use agent_factory::protocol::template::Template;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop, until};

fn audited() -> Workshop {
    let workshop = Workshop::new("");
    workshop.edit_settings(|text| text.replace("[templates]", "[templates]\nsource_audit = true"));
    mode(&workshop.path("templates"), 0o755);
    mode(&workshop.path("keys"), 0o755);
    workshop
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
}

async fn becomes(daemon: &Daemon, name: &str, what: &str, fits: impl Fn(&Template) -> bool) -> Template {
    until(what, async || daemon.client.template(name).await.ok().filter(|template| fits(template))).await
}

async fn refused(daemon: &Daemon, name: &str, reason: &str) {
    let template = becomes(daemon, name, &format!("{name} is refused"), |template| !template.reasons.is_empty()).await;
    assert!(template.reasons[0].contains(reason), "{name}: {:?}", template.reasons);
}

#[tokio::test]
async fn each_kind_of_source_is_treated_as_documented() {
    let workshop = audited();
    let path = |name: &str| workshop.path(&format!("templates/{name}.json"));
    for name in ["good", "shared", "outside", "absolute", "signed_loosely", "linked"] {
        workshop.template(name, json!({}));
        mode(&path(name), 0o644);
    }
    mode(&path("shared"), 0o664);
    mode(&workshop.path("templates/signed_loosely.json.sig"), 0o646);
    // Out of the directory, relatively and absolutely; and inside of it, as container platforms do.
    for (name, target) in [("outside", "../elsewhere.json".into()), ("absolute", workshop.path("elsewhere.json"))] {
        std::fs::rename(path(name), workshop.path("elsewhere.json")).expect("moved");
        symlink(target, path(name)).expect("linked");
    }
    std::fs::create_dir(workshop.path("templates/..2026_11")).expect("made");
    mode(&workshop.path("templates/..2026_11"), 0o755);
    symlink("..2026_11", workshop.path("templates/..data")).expect("linked");
    for suffix in ["", ".sig"] {
        let file = format!("linked.json{suffix}");
        let (from, to) = (format!("templates/{file}"), format!("templates/..2026_11/{file}"));
        std::fs::rename(workshop.path(&from), workshop.path(&to)).expect("moved");
        symlink(format!("..data/{file}"), workshop.path(&from)).expect("linked");
    }
    symlink("loop.json", path("loop")).expect("linked");
    mknodat(CWD, path("pipe"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).expect("made");
    // A second name of a file changes neither its owner nor its mode.
    std::fs::hard_link(path("good"), workshop.path("another-name")).expect("linked");
    let foreign = rustix::process::geteuid().is_root();
    if foreign {
        workshop.template("foreign", json!({}));
        chown(path("foreign"), Some(12_345), None).expect("given away");
    }

    let daemon = Daemon::start(workshop).await;
    for name in ["good", "linked"] {
        becomes(&daemon, name, name, |template| template.status == "published").await;
    }
    for (name, reason) in [
        ("shared", "writable by others"),
        ("signed_loosely", "writable by others"),
        ("outside", "out of the templates directory"),
        ("absolute", "out of the templates directory"),
        ("loop", "symbolic links"),
        ("pipe", "not a regular file"),
    ] {
        refused(&daemon, name, reason).await;
    }
    if foreign {
        refused(&daemon, "foreign", "owned by user 12345").await;
    }
}

#[tokio::test]
async fn a_directory_that_others_may_write_to_gives_and_takes_nothing() {
    let workshop = audited().worker(json!({}));
    workshop.template("other", json!({}));
    let daemon = Daemon::start(workshop).await;
    let templates = daemon.workshop.path("templates");
    mode(&templates, 0o777);
    // Whoever else may write there can neither bring an edit nor take a template away.
    daemon.workshop.template("worker", json!({"version": "1.1.0"}));
    std::fs::remove_file(daemon.workshop.path("templates/other.json")).expect("removed");
    refused(&daemon, "worker", "writable by others").await;
    let kept = daemon.client.template("worker").await.expect("a template");
    assert_eq!((kept.status.as_str(), kept.version.as_str()), ("published_with_refused_edit", "1.0.0"));
    assert_eq!(daemon.client.template("other").await.expect("a template").version, "1.0.0");

    mode(&templates, 0o755);
    becomes(&daemon, "worker", "the edit, once the directory is in order", |template| template.version == "1.1.0")
        .await;
    until("what was removed goes", async || daemon.client.template("other").await.err()).await;
}

#[tokio::test]
async fn without_the_audit_links_may_lead_anywhere_and_pipes_are_refused_all_the_same() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "").worker(json!({}));
    for suffix in ["", ".sig"] {
        let (from, to) = (format!("templates/worker.json{suffix}"), format!("worker.json{suffix}"));
        std::fs::rename(workshop.path(&from), workshop.path(&to)).expect("moved");
        symlink(workshop.path(&to), workshop.path(&from)).expect("linked");
    }
    mode(&workshop.path("templates"), 0o777);
    let pipe = workshop.path("templates/pipe.json");
    mknodat(CWD, pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0).expect("made");
    let daemon = Daemon::start(workshop).await;
    assert_eq!(daemon.run("worker", "x").await.output, "echo: x");
    refused(&daemon, "pipe", "not a regular file").await;
}
