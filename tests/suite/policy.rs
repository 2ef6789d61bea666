//! Operators' rules: read while the daemon runs, last good, grants, who may use what, the digest in the audit log, and their tests.

use std::collections::BTreeSet;
use std::fs;

use agent_factory::protocol::policy::Policy;
use serde_json::{Value, json};

use crate::harness::{Daemon, Provider, Workshop, factoryctl, until, within};

const TABLE: &str = "[policy]\ndir = \"policy\"";
const NO_GOSSIP: &str = r#"package operator.template

deny contains {"rule": "gossip", "message": "no template may gossip"} if {
	some capability in input.template.capabilities
	capability == "gossip"
}
"#;
/// Rules that deny nothing.
const NOTHING: &str = "package operator.template\n\ndeny contains x if { x := 0; false }\n";
const FINANCE: &str = r#"package operator.template

deny_use contains {"rule": "finance", "message": sprintf("%s is not in finance", [input.principal.tenant])} if {
	input.template.name == "worker"
	input.principal.tenant != "finance"
}
"#;

fn workshop(provider: &Provider, files: &[(&str, &str)]) -> Workshop {
    let workshop = Workshop::with(provider, TABLE);
    fs::create_dir(workshop.path("policy")).expect("a directory");
    for (name, text) in files {
        workshop.write(&format!("policy/{name}"), text);
    }
    workshop
}

async fn policy(daemon: &Daemon, what: &str, fits: impl Fn(&Policy) -> bool) -> Policy {
    until(what, async || daemon.client.policy().await.ok().filter(|policy| fits(policy))).await
}

async fn becomes(daemon: &Daemon, name: &str, status: &str) -> Vec<String> {
    until(&format!("{name} {status}"), async || {
        let found = daemon.client.template(name).await.ok()?;
        (found.status == status).then_some(found.reasons)
    })
    .await
}

#[tokio::test]
async fn an_edited_policy_takes_templates_away_and_brings_them_back() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, &[]).worker(json!({}));
    workshop.template("talker", json!({"capabilities": ["gossip"]}));
    let daemon = Daemon::start(workshop).await;
    let first = daemon.client.policy().await.expect("a policy");
    assert_eq!((first.status.as_str(), first.files.len()), ("published", 0));
    let mut events = daemon.client.events().await.expect("events");

    daemon.workshop.write("policy/gossip.rego", NO_GOSSIP);
    let reasons = becomes(&daemon, "talker", "refused").await;
    assert_eq!(reasons, ["policy gossip: no template may gossip"]);
    within("the news of the policy", async {
        while events.next().await.expect("an event").expect("an event").kind != "policy_published" {}
    })
    .await;
    let second = daemon.client.policy().await.expect("a policy");
    assert_ne!(second.digest, first.digest);
    daemon.run("worker", "goes on").await;

    daemon
        .workshop
        .write("policy/gossip.rego", "package operator.template\n\ndeny contains x if { x := nothing(1) }\n");
    let bad = policy(&daemon, "the refusal", |policy| !policy.reasons.is_empty()).await;
    assert_eq!((bad.status.as_str(), &bad.digest), ("published_with_refused_edit", &second.digest));
    assert_eq!(bad.reasons, ["gossip.rego:3:27: there is no function nothing"]);
    let shown = daemon.ctl(&["policy", "show"]).await;
    assert!(shown.out.contains("there is no function nothing"), "{}", shown.out);

    daemon.workshop.write("policy/gossip.rego", NOTHING);
    assert_eq!(becomes(&daemon, "talker", "published").await, Vec::<String>::new());
    assert_eq!(policy(&daemon, "the new one", |policy| policy.reasons.is_empty()).await.status, "published");
}

#[tokio::test]
async fn an_emptied_directory_does_not_take_the_rules_away() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, &[("gossip.rego", NO_GOSSIP)]);
    workshop.template("talker", json!({"capabilities": ["gossip"]}));
    let mut daemon = Daemon::start(workshop).await;
    let good = daemon.client.policy().await.expect("a policy");
    fs::remove_file(daemon.workshop.path("policy/gossip.rego")).expect("removed");
    let gone = policy(&daemon, "the refusal", |policy| !policy.reasons.is_empty()).await;
    assert_eq!((gone.status.as_str(), &gone.digest), ("published_with_refused_edit", &good.digest));
    daemon.kill9();
    daemon.start_again().await;
    let now = daemon.client.policy().await.expect("a policy");
    assert_eq!((now.digest, now.reasons), (good.digest, gone.reasons));
    assert_eq!(daemon.client.template("talker").await.expect("a template").status, "refused");

    daemon.workshop.write("policy/none.rego", NOTHING);
    assert_eq!(becomes(&daemon, "talker", "published").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_with_a_bad_directory_goes_on_with_the_last_good_policy() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, &[("gossip.rego", NO_GOSSIP)]).worker(json!({}));
    workshop.template("talker", json!({"capabilities": ["gossip"]}));
    let mut daemon = Daemon::start(workshop).await;
    let good = daemon.client.policy().await.expect("a policy");
    daemon.kill9();
    fs::remove_dir_all(daemon.workshop.path("policy")).expect("removed");
    daemon.start_again().await;
    let now = daemon.client.policy().await.expect("a policy");
    assert_eq!((now.status.as_str(), &now.digest), ("published_with_refused_edit", &good.digest));
    assert_eq!(daemon.client.template("talker").await.expect("a template").status, "refused");
    daemon.run("worker", "goes on").await;
}

#[tokio::test]
async fn without_a_policy_that_can_be_used_nothing_runs() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(workshop(&provider, &[("a.rego", "nonsense")]).worker(json!({}))).await;
    assert_eq!(daemon.client.policy().await.expect("a policy").status, "refused");
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "x"})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("template_refused")));
    daemon.workshop.write("policy/a.rego", NO_GOSSIP);
    becomes(&daemon, "worker", "published").await;
    daemon.run("worker", "now").await;
}

#[tokio::test]
async fn a_dangerous_name_is_granted_by_name_to_whom_it_is_granted() {
    let provider = Provider::echo().await;
    let workshop = workshop(&provider, &[]);
    for name in ["web-1", "mail"] {
        workshop.template(name, json!({"tools": ["http_get"]}));
    }
    let daemon = Daemon::start(workshop).await;
    let reasons = becomes(&daemon, "web-1", "refused").await;
    assert!(reasons[0].contains("grant it by name under grants.tools in data.json"), "{reasons:?}");
    daemon.workshop.write("policy/data.json", r#"{"grants": {"tools": {"http_get": ["web-*"]}}}"#);
    becomes(&daemon, "web-1", "published").await;
    becomes(&daemon, "mail", "refused").await;
    let told = daemon.client.policy().await.expect("a policy");
    assert_eq!(told.grants["http_get"], ["web-*"]);
}

#[tokio::test]
async fn who_may_use_a_template_is_decided_at_admission_and_on_record() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(workshop(&provider, &[("use.rego", FINANCE)]).worker(json!({}))).await;
    let ask = |tenant: &str| json!({"template_name": "worker", "input": "x", "tenant": tenant});
    for _ in 0..2 {
        let (status, problem) = daemon.post("/factory/tasks", &ask("sales")).await;
        assert_eq!((status, &problem["code"]), (403, &json!("template_use_denied")), "{problem}");
        assert!(problem["detail"].as_str().expect("text").contains("sales is not in finance"), "{problem}");
    }
    let (status, _) = daemon.post("/factory/tasks?wait=20s", &ask("finance")).await;
    assert_eq!(status, 200);
    let (status, problem) =
        daemon.post("/factory/agents", &json!({"template_name": "worker", "tenant": "sales"})).await;
    assert_eq!((status, &problem["code"]), (403, &json!("template_use_denied")));
    let (_, audit) = daemon.get("/factory/audit").await;
    let codes: Vec<&Value> = audit["items"].as_array().expect("a list").iter().map(|entry| &entry["code"]).collect();
    assert_eq!(codes.iter().filter(|code| ***code == json!("template_use_denied")).count(), 3, "{audit}");
}

// INVARIANT I67
#[tokio::test]
async fn every_decision_of_every_route_names_its_policy() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(workshop(&provider, &[("gossip.rego", NO_GOSSIP)]).worker(json!({}))).await;
    let task = daemon.run("worker", "x").await.task_id;
    let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    let agent = agent["agent_id"].as_str().expect("an id").to_owned();
    let (_, described) = daemon.get("/openapi.json").await;
    for (path, methods) in described["paths"].as_object().expect("paths") {
        let path =
            path.replace("{id}", if path.contains("agents") { &agent } else { &task }).replace("{name}", "worker");
        let path = path.replace("{scope}", "tenant:a");
        for method in methods.as_object().expect("methods").keys() {
            if method == "post" {
                let _any = daemon.post(&path, &json!({"template_name": "nobody", "input": "x", "score": 1.0})).await;
            }
        }
    }
    let set = daemon.ctl(&["budgets", "set", "tenant:a", "1.00", "--window", "day"]).await;
    let stopped = daemon.ctl(&["agents", "stop", &agent]).await;
    let backup = daemon.ctl(&["backup", "copy"]).await;
    assert_eq!(
        (set.code, stopped.code, backup.code),
        (Some(0), Some(0), Some(0)),
        "{}{}{}",
        set.err,
        stopped.err,
        backup.err
    );
    let digest = daemon.client.policy().await.expect("a policy").digest;
    let (_, audit) = daemon.get("/factory/audit?limit=1000").await;
    let entries = audit["items"].as_array().expect("a list");
    let actions: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["action"].as_str()).collect();
    for wanted in ["submit_task", "create_agent", "set_budget", "stop_agent", "take_backup"] {
        assert!(actions.contains(wanted), "{wanted} is not among {actions:?}");
    }
    for entry in entries {
        assert_eq!(entry["policy_digest"], json!(digest), "{entry}");
    }
}

#[tokio::test]
async fn operators_try_their_rules_without_a_daemon() {
    let workshop = Workshop::new("").worker(json!({"capabilities": ["gossip"]}));
    fs::create_dir(workshop.path("policy")).expect("a directory");
    workshop.write("policy/gossip.rego", NO_GOSSIP);
    workshop.write("policy/use.rego", FINANCE);
    workshop.write(
        "policy/gossip_test.rego",
        "package operator.template_test\n\nimport data.operator.template\n\ntest_gossip if {\n\tcount(template.deny) == 1 with input as {\"template\": {\"capabilities\": [\"gossip\"]}}\n}\n\ntest_wrong if {\n\tcount(template.deny) == 1 with input as {\"template\": {\"capabilities\": []}}\n}\n",
    );
    let run = async |more: &[&str]| {
        let arguments: Vec<&str> = ["--json", "policy", "test", "policy"].iter().chain(more).copied().collect();
        factoryctl(&workshop.socket(), &arguments, "").await
    };
    let tested = run(&[]).await;
    assert_eq!(tested.code, Some(1), "{}", tested.err);
    let outcomes: Vec<(Value, Value)> = tested.json()["tests"]
        .as_array()
        .expect("tests")
        .iter()
        .map(|test| (test["place"].clone(), test["outcome"].clone()))
        .collect();
    assert_eq!(
        outcomes,
        [(json!("gossip_test.rego:5:1"), json!("passed")), (json!("gossip_test.rego:9:1"), json!("failed")),]
    );
    fs::remove_file(workshop.path("policy/gossip_test.rego")).expect("removed");
    let denied = run(&["--template", "templates/worker.json"]).await;
    assert_eq!(denied.code, Some(3));
    assert!(denied.out.contains("no template may gossip"), "{}", denied.out);
    workshop.template("worker", json!({}));
    let used =
        run(&["--template", "templates/worker.json", "--principal", r#"{"name": "ann", "tenant": "sales"}"#]).await;
    assert_eq!(used.code, Some(3), "{}", used.err);
    assert!(used.out.contains("sales is not in finance"), "{}", used.out);
    let arguments = ["templates", "validate", "templates/worker.json", "--policy", "policy"];
    let validated = factoryctl(&workshop.socket(), &arguments, "").await;
    assert_eq!(validated.code, Some(0));
    workshop.write("policy/bad.rego", "package somewhere.else\n\ndeny contains 1 if true\n");
    let bad = run(&[]).await;
    assert_eq!(bad.code, Some(3));
    assert_eq!(bad.json()["code"], json!("policy_invalid"));
    assert!(bad.err.contains("bad.rego:1:1: package somewhere.else is not looked at"), "{}", bad.err);
}
