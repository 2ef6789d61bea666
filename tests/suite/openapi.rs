//! The description of the API and the API are the same. That it names every route, `api::openapi` tests against the router's table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{Daemon, Workshop, raw};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];

async fn described(daemon: &Daemon) -> BTreeMap<String, BTreeSet<String>> {
    let (status, document) = daemon.get("/openapi.json").await;
    assert_eq!(status, 200);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let paths = document["paths"].as_object().expect("paths");
    let methods =
        |path: &Value| path.as_object().expect("methods").keys().map(|method| method.to_uppercase()).collect();
    paths.iter().map(|(path, known)| (path.clone(), methods(known))).collect()
}

#[tokio::test]
async fn exactly_the_described_methods_are_answered() {
    // With what the settings have to switch on.
    let daemon = Daemon::start(Workshop::new("[chaos]\nenabled = true\n")).await;
    for (path, methods) in described(&daemon).await {
        // A stream of all events has no end to wait for, and a backup's answer is no text; an ill-typed query ends it before it begins.
        let url = path.replace("{scope}", "planet").replace("{id}", "none").replace("{name}", "none");
        for method in METHODS {
            if matches!((path.as_str(), method), ("/factory/events", "GET") | ("/factory/backup", "POST")) {
                continue;
            }
            let request =
                format!("{method} {url} HTTP/1.1\r\nhost: factoryd\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            let answer = raw(&daemon.workshop.socket(), request.as_bytes()).await;
            let refused = answer.status == 405 || (answer.status == 404 && answer.code_at(&path) == "route_not_found");
            assert_eq!(!refused, methods.contains(method), "{method} {path}: {}", answer.status);
            assert!(answer.head.contains("factory-api-version: "), "{method} {path}");
            assert!(answer.status < 500, "{method} {path}: {}", answer.body);
            if answer.status >= 400 {
                assert!(!answer.code_at(&path).is_empty(), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_routes_of_the_contract_are_there() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let described = described(&daemon).await;
    for line in [
        "POST /v1/chat/completions",
        "POST /v1/messages",
        "POST /v1/messages/count_tokens",
        "GET /v1/models",
        "GET /v1/models/{id}",
        "POST /factory/agents",
        "GET /factory/agents",
        "GET /factory/agents/{id}",
        "DELETE /factory/agents/{id}",
        "POST /factory/agents/{id}/release",
        "POST /factory/tasks",
        "GET /factory/tasks",
        "GET /factory/tasks/{id}",
        "GET /factory/tasks/{id}/events",
        "POST /factory/tasks/{id}/cancel",
        "POST /factory/tasks/{id}/feedback",
        "GET /factory/templates",
        "GET /factory/templates/schema",
        "GET /factory/templates/{name}",
        "GET /factory/templates/{name}/versions",
        "GET /factory/templates/{name}/diff",
        "POST /factory/templates/{name}/rollback",
        "DELETE /factory/templates/{name}/rollback",
        "GET /factory/budgets",
        "GET /factory/budgets/{scope}",
        "PUT /factory/budgets/{scope}",
        "DELETE /factory/budgets/{scope}",
        "GET /factory/budgets/{scope}/history",
        "GET /factory/budgets/reservations",
        "GET /factory/budgets/doubts",
        "POST /factory/budgets/reconcile",
        "POST /factory/dlp/scan",
        "GET /factory/dlp/rules",
        "GET /factory/audit",
        "POST /factory/backup",
        "GET /factory/tree",
        "POST /factory/tree/release",
        "GET /factory/events",
        "GET /factory/metrics",
        "GET /metrics",
        "GET /health",
        "GET /ready",
        "GET /openapi.json",
        "POST /factory/create_agent",
        "POST /factory/execute_task",
    ] {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        assert!(described.get(path).is_some_and(|methods| methods.contains(method)), "{line}");
    }
}
