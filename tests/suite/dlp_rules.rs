//! An operator's DLP rules: read while the daemon runs, refused whole, told in full; and texts too large to be examined.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use agent_factory::protocol::dlp::{Rules, ScanRequest};
use rustix::process::Signal;

use crate::harness::{Daemon, Workshop, factoryctl, factoryd, until, within};

const TABLE: &str = "[dlp]\nrules_file = \"dlp.toml\"\n";
const BADGE: &str = r#"
[[rule]]
id = "badge"
type = "CUSTOM_BADGE"
keywords = ["badge"]
pattern = '\bEMP-\d{6}\b'
allow = ["EMP-000000"]
"#;
/// A mistake in each line that has a value.
const BAD: &str = r#"disable = ["no-such-rule"]
colour = "red"
[[rule]]
id = "Bad Id"
type = "BADGE"
keywords = ["x"]
pattern = '(\w{1,999}){1,999}'
validator = "none-such"
score = 7
"#;

fn workshop(rules: &str) -> Workshop {
    let workshop = Workshop::new(TABLE);
    workshop.write("dlp.toml", rules);
    workshop
}

async fn found(daemon: &Daemon, text: &str) -> Vec<String> {
    let request = ScanRequest { text: text.to_owned(), tenant: None };
    let answer = daemon.client.scan(&request).await.expect("a scan");
    answer.findings.into_iter().map(|finding| finding.kind).collect()
}

async fn rules(daemon: &Daemon, what: &str, fits: impl Fn(&Rules) -> bool) -> Rules {
    until(what, async || daemon.client.dlp_rules().await.ok().filter(|rules| fits(rules))).await
}

#[tokio::test]
async fn own_rules_find_what_they_say_and_change_while_the_daemon_runs() {
    let daemon = Daemon::start(workshop(BADGE)).await;
    assert_eq!(found(&daemon, "badge EMP-123456, badge EMP-000000").await, ["CUSTOM_BADGE"]);
    let first = daemon.client.dlp_rules().await.expect("rules");
    assert_eq!((first.status.as_str(), first.rules.iter().filter(|rule| rule.own).count()), ("published", 1));
    let mut events = daemon.client.events().await.expect("events");

    let other = "disable = [\"EMAIL_ADDRESS\", \"openai-key\"]\n[[allow]]\ntype = \"IBAN_CODE\"\nvalues = [\"FR7630006000011234567890189\"]\n";
    daemon.workshop.write("dlp.toml", other);
    within("the news of the rules", async {
        while events.next().await.expect("an event").expect("an event").kind != "dlp_rules_published" {}
    })
    .await;
    let text = "badge EMP-123456, a@example.org, FR7630006000011234567890189, IBAN GB82 WEST 1234 5698 7654 32";
    assert_eq!(found(&daemon, text).await, ["IBAN_CODE"]);
    let second = daemon.client.dlp_rules().await.expect("rules");
    assert_eq!(
        (second.disabled_types, second.disabled_rules),
        (vec!["EMAIL_ADDRESS".to_owned()], vec!["openai-key".to_owned()])
    );
    assert_ne!(second.digest, first.digest);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_every_mistake_is_told() {
    let daemon = Daemon::start(workshop(BADGE)).await;
    let good = daemon.client.dlp_rules().await.expect("rules");
    daemon.workshop.write("dlp.toml", BAD);
    let refused = rules(&daemon, "the refusal", |rules| !rules.reasons.is_empty()).await;
    assert_eq!((refused.status.as_str(), &refused.digest), ("published_with_refused_edit", &good.digest));
    for mistake in [
        "1:12: disable",
        "colour",
        "4:6: rule[1].id",
        "rule[1].type",
        "rule[1].keywords",
        "rule[1].pattern",
        "rule[1].validator",
        "rule[1].score",
    ] {
        assert!(refused.reasons.iter().any(|reason| reason.contains(mistake)), "{mistake}: {:?}", refused.reasons);
    }
    assert_eq!(found(&daemon, "badge EMP-123456").await, ["CUSTOM_BADGE"]);
    let shown = daemon.ctl(&["dlp", "rules"]).await;
    assert!(shown.out.contains("refused:") && shown.out.contains("CUSTOM_BADGE"), "{}", shown.out);
    assert!(daemon.metrics().await.contains("factory_dlp_rules_refused 1"));

    daemon.workshop.write("dlp.toml", BADGE);
    rules(&daemon, "the good file", |rules| rules.reasons.is_empty()).await;
}

#[tokio::test]
async fn a_hang_up_has_the_rules_read() {
    let daemon = Daemon::start(workshop("")).await;
    assert_eq!(found(&daemon, "badge EMP-123456").await, <[String; 0]>::default());
    daemon.workshop.write("dlp.toml", BADGE);
    daemon.signal(Signal::HUP);
    until("the settings", async || daemon.workshop.log().contains("settings re-read").then_some(())).await;
    assert_eq!(found(&daemon, "badge EMP-123456").await, ["CUSTOM_BADGE"]);
}

#[tokio::test]
async fn with_a_bad_file_nothing_starts() {
    let bad = workshop(BAD);
    for arguments in [&["--check-config"][..], &[]] {
        let ended = factoryd(&bad, arguments).await;
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("dlp.toml:1:12: disable") && ended.err.contains("none-such"), "{}", ended.err);
    }
    assert!(!bad.path("data").exists(), "it has left something behind");

    let open = workshop(BADGE);
    fs::set_permissions(open.path("dlp.toml"), fs::Permissions::from_mode(0o666)).expect("set");
    let ended = factoryd(&open, &["--check-config"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("everybody"), "{}", ended.err);

    fs::remove_file(open.path("dlp.toml")).expect("removed");
    let ended = factoryd(&open, &["--check-config"]).await;
    assert!(ended.code == Some(2) && ended.err.contains("cannot be read"), "{}", ended.err);
}

#[tokio::test]
async fn a_file_is_checked_without_a_daemon() {
    let workshop = workshop(BADGE);
    let nowhere = workshop.path("nowhere.sock");
    let file = workshop.path("dlp.toml");
    let file = file.to_str().expect("a path");
    let good = factoryctl(&nowhere, &["dlp", "check", file, "--json"], "").await;
    assert_eq!(good.code, Some(0), "{}", good.err);
    assert!(good.out.contains("\"rules\""), "{}", good.out);
    fs::write(file, b"disable = [\"\xff\"]").expect("written");
    let bad = factoryctl(&nowhere, &["dlp", "check", file], "").await;
    assert_eq!(bad.code, Some(3), "{}", bad.err);
    assert!(bad.err.contains("not UTF-8 after byte"), "{}", bad.err);
}

#[tokio::test]
async fn a_text_of_100_megabytes_in_one_line_is_refused_with_its_code() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let text = "key a@b sk- 12 ".repeat(100 * 1024 * 1024 / 15);
    daemon.workshop.write("large.txt", &text);
    let large = daemon.workshop.path("large.txt");
    let ended = daemon.ctl(&["dlp", "scan", large.to_str().expect("a path"), "--json"]).await;
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(
        ended.err.contains("body_too_large") || ended.out.contains("body_too_large"),
        "{} {}",
        ended.err,
        ended.out
    );
    assert_eq!(found(&daemon, "a@example.org").await, ["EMAIL_ADDRESS"]);
}
