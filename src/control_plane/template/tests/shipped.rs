//! The templates that are shipped.

use std::path::Path;

use super::super::signing::{Layout, validate_file};
use super::super::{Kind, Status};
use super::rig::{Rig, name};
use crate::control_plane::policy::Policy;

const SHIPPED: [&str; 6] = ["analyst", "base", "code_reviewer", "coordinateur", "documentaliste", "security_auditor"];

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")
}

#[test]
fn every_shipped_template_is_valid() {
    let mut found: Vec<String> = std::fs::read_dir(directory())
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_stem().expect("a stem").to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, SHIPPED);
    for name in SHIPPED {
        let validated = {
            let file = directory().join(format!("{name}.json"));
            validate_file(&file, &Layout::around(&file, None), &Policy::shipped())
        };
        assert!(validated.is_ok(), "{}", validated.expect_err("mistakes"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_templates_serve_and_find_one_another() {
    let rig = Rig::new();
    for name in SHIPPED {
        let text = std::fs::read_to_string(directory().join(format!("{name}.json"))).expect("read");
        rig.put(name, &serde_json::from_str(&text).expect("JSON"));
    }
    let running = rig.start().await;
    let listings = running.templates.list();
    assert!(listings.iter().all(|listing| listing.status == Status::Published), "{listings:?}");
    let coordinator = running.templates.get(&name("coordinateur")).expect("served");
    let Kind::Orchestrator(plan) = &coordinator.kind else { panic!("no orchestrator") };
    assert_eq!(plan.steps.len(), 4);
    let analysts = running.templates.by_capability(&"analysis".parse().expect("a capability"));
    assert_eq!(analysts.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["analyst"]);
    let served = listings.iter().map(|listing| running.templates.get(&listing.name).expect("served"));
    let prompts: std::collections::BTreeSet<String> =
        served.map(|template| template.system_prompt.expose().to_owned()).collect();
    assert_eq!(prompts.len(), SHIPPED.len(), "each is a different one");
    running.stop().await;
}
