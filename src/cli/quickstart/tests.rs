//! The quickstart without a daemon; with one it is a test of the suite.

use super::*;
use crate::control_plane::policy::Policy;
use crate::control_plane::template::{TrustStore, signing};
use crate::domain::clock::Timestamp;

#[test]
fn the_workshop_has_signed_valid_templates_and_goes_without_a_trace() {
    let workshop = Workshop::prepare(SHIPPED, "").expect("a workshop");
    let path = workshop.path().to_owned();
    let trust = TrustStore::read(Some(&path.join("keys")), None);
    let templates = path.join("templates");
    let files = std::fs::read_dir(&templates).expect("templates").map(|entry| entry.expect("a file").path());
    let documents: Vec<_> = files.filter(|file| file.extension().is_some_and(|kind| kind == "json")).collect();
    assert_eq!(documents.len(), SHIPPED.len());
    for file in documents {
        signing::verify_file(&file, &trust, Timestamp::now()).expect("signed");
        signing::validate_file(&file, &signing::Layout::around(&file, None), &Policy::shipped()).expect("valid");
    }
    workshop.remove().expect("removed");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_program_that_is_no_daemon_fails_with_a_reason() {
    let output = Output::new(true);
    for program in ["/bin/false", "/no/such/program"] {
        let error = perform(Path::new(program), output).await.expect_err("no daemon");
        assert_eq!(error.exit(), Exit::Failed, "{error}");
    }
}
