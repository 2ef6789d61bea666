//! What the routes of the contract answer when all is well.

use std::collections::BTreeSet;

use agent_factory::client::Call;
use serde_json::{Value, json};

use crate::harness::{Daemon, Provider, Workshop};

async fn daemon() -> Daemon {
    Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await
}

#[tokio::test]
async fn an_agent_is_made_shown_listed_and_stopped_for_good() {
    let mut daemon = daemon().await;
    let wanted = json!({"template_name": "worker", "name": "Ada", "tenant": "acme", "user": "bob"});
    let (status, made) = daemon.post("/factory/agents", &wanted).await;
    assert_eq!(status, 200, "{made}");
    for (member, value) in wanted.as_object().expect("an object") {
        assert_eq!(made[member], *value, "{made}");
    }
    assert_eq!((&made["template_version"], &made["restarts"]), (&json!("1.0.0"), &json!(0)), "{made}");
    let path = format!("/factory/agents/{}", made["agent_id"].as_str().expect("an id"));
    assert_eq!(daemon.get(&path).await.1["agent_id"], made["agent_id"]);

    daemon.kill9();
    daemon.start_again().await;
    let (status, page) = daemon.get("/factory/agents").await;
    assert_eq!(
        (status, &page["items"][0]["agent_id"], &page["next"]),
        (200, &made["agent_id"], &Value::Null),
        "{page}"
    );

    assert_eq!(daemon.ask(&Call::delete(&path)).await.0, 204);
    assert_eq!(daemon.get(&path).await.1["state"], "stopped");
    let work = json!({"agent_id": made["agent_id"], "input": "x", "tenant": "acme"});
    let (status, problem) = daemon.post("/factory/tasks", &work).await;
    assert_eq!((status, &problem["code"]), (409, &json!("agent_stopped")), "{problem}");
}

#[tokio::test]
async fn lists_are_read_page_by_page_without_gaps() {
    let daemon = daemon().await;
    let mut made = BTreeSet::new();
    for _ in 0..5 {
        let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
        made.insert(agent["agent_id"].as_str().expect("an id").to_owned());
        made.insert(daemon.run("worker", "x").await.task_id);
    }
    let mut seen = Vec::new();
    for (list, id) in [("agents", "agent_id"), ("tasks", "task_id")] {
        let mut next = String::new();
        loop {
            let (status, page) = daemon.get(&format!("/factory/{list}?limit=2{next}")).await;
            assert_eq!(status, 200, "{page}");
            let items = page["items"].as_array().expect("items");
            assert!(items.len() <= 2, "{page}");
            seen.extend(items.iter().map(|item| item[id].as_str().expect("an id").to_owned()));
            let Some(after) = page["next"].as_str() else { break };
            next = format!("&after={after}");
        }
    }
    assert_eq!(seen.len(), made.len(), "nothing twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made);
}

#[tokio::test]
async fn a_task_that_has_ended_is_judged_and_no_other() {
    let mut daemon = daemon().await;
    let task = daemon.run("worker", "hello").await;
    let path = format!("/factory/tasks/{}/feedback", task.task_id);
    let (status, judged) = daemon.post(&path, &json!({"score": 0.75, "comment": "good"})).await;
    assert_eq!((status, &judged["feedback"]), (200, &json!(0.75)), "{judged}");
    for wrong in [json!({"score": 1.5}), json!({"score": -0.1}), json!({"score": "good"}), json!({})] {
        let (status, problem) = daemon.post(&path, &wrong).await;
        assert_eq!((status, &problem["code"]), (400, &json!("malformed_request")), "{wrong}");
    }
    daemon.kill9();
    daemon.start_again().await;
    let (_, task) = daemon.get(&format!("/factory/tasks/{}", task.task_id)).await;
    assert_eq!(task["feedback"], json!(0.75));
    let (_, summary) = daemon.get("/factory/metrics").await;
    assert_eq!(summary["satisfaction"], json!(0.75), "{summary}");
}

#[tokio::test]
async fn a_scan_names_what_it_found_in_code_points_and_keeps_nothing() {
    let daemon = daemon().await;
    let before = daemon.holdings().await;
    let text = "é: jean.dupont@example.fr, IBAN FR7630006000011234567890189";
    let (status, answer) = daemon.post("/factory/dlp/scan", &json!({"text": text})).await;
    assert_eq!(status, 200, "{answer}");
    let points: Vec<char> = text.chars().collect();
    let place = |finding: &Value, end: &str| usize::try_from(finding[end].as_u64().expect("a place")).expect("a place");
    let found: BTreeSet<String> = answer["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| points[place(finding, "start")..place(finding, "end")].iter().collect())
        .collect();
    for value in ["jean.dupont@example.fr", "FR7630006000011234567890189"] {
        assert!(found.contains(value), "{found:?}");
        assert!(!answer["redacted"].as_str().expect("text").contains(value), "{answer}");
    }
    assert_eq!(daemon.holdings().await, before);
}

#[tokio::test]
async fn the_tree_shows_who_supervises_whom() {
    fn names(node: &Value, all: &mut BTreeSet<String>) {
        all.insert(node["name"].as_str().expect("a name").to_owned());
        node["children"].as_array().into_iter().flatten().for_each(|child| names(child, all));
    }
    let daemon = daemon().await;
    let (status, tree) = daemon.get("/factory/tree").await;
    assert_eq!((status, &tree["name"], &tree["kind"]), (200, &json!("root"), &json!("supervisor")), "{tree}");
    let mut all = BTreeSet::new();
    names(&tree, &mut all);
    for room in
        ["store", "audit", "access", "policy", "budget", "templates", "admission", "dlp", "providers", "api", "metrics"]
    {
        assert!(all.contains(room), "{room} is missing: {all:?}");
    }
}

#[tokio::test]
async fn decisions_are_in_the_audit_log_across_kill_9() {
    let mut daemon = daemon().await;
    daemon.run("worker", "hello").await;
    daemon.post("/factory/tasks", &json!({"template_name": "nobody", "input": "x"})).await;
    let (_, before) = daemon.get("/factory/audit").await;
    let entries: Vec<(&str, &str)> = before["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|entry| entry["role"] != "daemon")
        .filter_map(|entry| Some((entry["action"].as_str()?, entry["outcome"].as_str()?)))
        .collect();
    assert_eq!(entries, [("submit_task", "allowed"), ("submit_task", "refused")], "{before}");
    daemon.kill9();
    daemon.start_again().await;
    let (_, after) = daemon.get("/factory/audit").await;
    let (before, after) = (before["items"].as_array().expect("items"), after["items"].as_array().expect("items"));
    assert_eq!(after[..before.len()], before[..], "what was decided stays");
    assert!(after[before.len()..].iter().all(|entry| entry["role"] == "daemon"), "{after:?}");
}

#[tokio::test]
async fn of_two_who_stop_an_agent_at_the_same_moment_one_does() {
    let daemon = daemon().await;
    for _ in 0..5 {
        let (_, made) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
        let stop = Call::delete(format!("/factory/agents/{}", made["agent_id"].as_str().expect("an id")));
        let (one, other) = tokio::join!(daemon.ask(&stop), daemon.ask(&stop));
        let mut answers = [one, other];
        answers.sort_by_key(|(status, _)| *status);
        assert_eq!(answers.each_ref().map(|(status, _)| *status), [204, 409], "{answers:?}");
        assert_eq!(answers[1].1["code"], "agent_stopped");
    }
}

#[tokio::test]
async fn of_judgements_at_the_same_moment_as_many_are_kept_as_a_task_may_have() {
    let daemon = daemon().await;
    let task = daemon.run("worker", "hello").await;
    let path = format!("/factory/tasks/{}/feedback", task.task_id);
    let (judgement, refusal) = (json!({"score": 0.5}), json!("feedback_full"));
    let answers = futures::future::join_all((0..20).map(|_| daemon.post(&path, &judgement))).await;
    let (kept, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((kept.len(), refused.len()), (16, 4));
    assert!(refused.iter().all(|(status, problem)| (*status, &problem["code"]) == (422, &refusal)), "{refused:?}");
    let events = daemon.client.task_events(&task.task_id).await.expect("events").items;
    assert_eq!(events.len(), 4 + kept.len(), "submitted, started, finished, ended, and what was kept");
}
