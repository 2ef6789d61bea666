//! Requests that make no sense are problems with a code, and change nothing.

use serde_json::{Value, json};

use crate::harness::{Daemon, Provider, RawAnswer, Workshop, raw};

/// The largest body that the daemon of these tests reads: the default.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

async fn daemon() -> (Daemon, Provider) {
    let provider = Provider::echo().await;
    (Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await, provider)
}

/// A request whose connection ends with its answer.
fn request(line: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: factoryd\r\nconnection: close\r\ncontent-type: application/json\r\n{more}\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn post(daemon: &Daemon, body: &[u8]) -> RawAnswer {
    let length = format!("content-length: {}\r\n", body.len());
    raw(&daemon.workshop.socket(), &request("POST /factory/tasks", &length, body)).await
}

#[tokio::test]
async fn a_body_of_100_mb_is_too_large() {
    let (daemon, provider) = daemon().await;
    let before = daemon.holdings().await;
    let text = "x".repeat(100_000_000);
    let body = format!(r#"{{"template_name": "worker", "input": "{text}"}}"#);
    let announced = post(&daemon, body.as_bytes()).await;
    assert_eq!((announced.status, announced.code().as_str()), (413, "body_too_large"));

    let chunk = "x".repeat(BODY_BYTES_MAX + 1);
    let chunked = format!("{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len());
    let sent = request("POST /factory/tasks", "transfer-encoding: chunked\r\n", chunked.as_bytes());
    let unannounced = raw(&daemon.workshop.socket(), &sent).await;
    assert_eq!((unannounced.status, unannounced.code().as_str()), (413, "body_too_large"));
    assert_eq!((daemon.holdings().await, provider.count()), (before, 0));
}

#[tokio::test]
async fn bodies_that_are_not_what_is_expected_are_malformed() {
    let (daemon, provider) = daemon().await;
    let before = daemon.holdings().await;
    let deep =
        format!(r#"{{"template_name": "worker", "input": {}1{}}}"#, r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let arrays = "[".repeat(1_000_000);
    let table: [(&str, &[u8]); 13] = [
        ("not JSON", b"{not json"),
        ("nothing", b""),
        ("text after the document", br#"{"template_name": "worker", "input": "x"} and more"#),
        ("invalid UTF-8", b"{\"template_name\": \"worker\", \"input\": \"\xff\xfe\"}"),
        ("invalid UTF-8 in a name", b"{\"template_name\": \"w\xc3\x28rker\", \"input\": \"x\"}"),
        ("half a surrogate pair", br#"{"template_name": "worker", "input": "\ud800"}"#),
        ("deeply nested objects", deep.as_bytes()),
        ("deeply nested arrays", arrays.as_bytes()),
        ("no input", br#"{"template_name": "worker"}"#),
        ("nobody to do it", br#"{"input": "x"}"#),
        ("two who are to do it", br#"{"template_name": "worker", "capability": "work", "input": "x"}"#),
        ("an unknown field", br#"{"template_name": "worker", "input": "x", "inptu": "y"}"#),
        ("an input that is neither text nor an object", br#"{"template_name": "worker", "input": [1]}"#),
    ];
    for (what, body) in table {
        let answer = post(&daemon, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "malformed_request"), "{what}");
    }
    assert_eq!((daemon.holdings().await, provider.count()), (before, 0));
}

#[tokio::test]
async fn fields_with_impossible_values_are_malformed_or_refused() {
    let (daemon, provider) = daemon().await;
    let before = daemon.holdings().await;
    let table = [
        (json!({"budget_usd": "ten"}), 400, "malformed_request"),
        (json!({"budget_usd": 5}), 400, "malformed_request"),
        (json!({"deadline": "soon"}), 400, "malformed_request"),
        (json!({"deadline": "2001-01-01T00:00:00Z"}), 422, "deadline_passed"),
        (json!({"tenant": "no such name!"}), 400, "malformed_request"),
        (json!({"template_name": "nobody"}), 404, "template_not_found"),
        (json!({"template_name": "no such name!"}), 400, "malformed_request"),
    ];
    for (over, status, code) in table {
        let mut work = json!({"template_name": "worker", "input": "x"});
        work.as_object_mut().expect("an object").extend(over.as_object().expect("an object").clone());
        let (got, problem) = daemon.post("/factory/tasks", &work).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{over}: {problem}");
    }
    assert_eq!((daemon.holdings().await, provider.count()), (before, 0));
}

#[tokio::test]
async fn unknown_routes_methods_and_things_are_problems() {
    let (daemon, _provider) = daemon().await;
    let before = daemon.holdings().await;
    let table = [
        ("GET /nowhere", 404, "route_not_found"),
        ("GET /factory", 404, "route_not_found"),
        ("GET /factory/tasks/", 404, "route_not_found"),
        ("BREW /factory/tasks", 405, "method_not_allowed"),
        ("DELETE /factory/tasks", 405, "method_not_allowed"),
        ("PATCH /health", 405, "method_not_allowed"),
        ("GET /factory/tasks/no-such-task", 404, "not_found"),
        ("GET /factory/tasks/%ff%fe", 404, "not_found"),
        ("GET /factory/agents/no-such-agent", 404, "not_found"),
        ("GET /factory/templates/nobody", 404, "not_found"),
        ("GET /factory/budgets/planet", 404, "unknown_scope"),
        ("GET /factory/tasks?limit=0", 400, "malformed_request"),
        ("GET /factory/tasks?limit=many", 400, "malformed_request"),
        ("GET /factory/tasks?colour=red", 400, "malformed_request"),
    ];
    for (line, status, code) in table {
        let answer = raw(&daemon.workshop.socket(), &request(line, "", b"")).await;
        assert_eq!(answer.status, status, "{line}: {}", answer.body);
        assert_eq!(answer.code(), code, "{line}");
    }
    assert_eq!(daemon.holdings().await, before);
}

#[tokio::test]
async fn what_is_not_http_is_turned_away_and_others_are_served() {
    let (daemon, _provider) = daemon().await;
    let answer = raw(&daemon.workshop.socket(), b"\x16\x03\x01 this is no HTTP at all\r\n\r\n").await;
    assert_eq!(answer.status, 400);
    let long = format!("GET /{} HTTP/1.1\r\nhost: factoryd\r\n\r\n", "x".repeat(1_000_000));
    let answer = raw(&daemon.workshop.socket(), long.as_bytes()).await;
    assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
    assert_eq!(daemon.get("/ready").await.0, 200);
}

#[tokio::test]
async fn a_problem_says_what_happened_and_never_where_files_lie() {
    let (daemon, _provider) = daemon().await;
    let (status, problem) = daemon.get("/factory/templates/nobody").await;
    assert_eq!((status, &problem["status"]), (404, &json!(404)));
    for member in ["type", "title", "detail", "code"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
    }
    assert_eq!(problem["type"], "errors#not_found");
    let file = daemon.workshop.unsigned_template("rogue", json!({}));
    std::fs::write(&file, "{broken").expect("written");
    let refused = crate::harness::until("the refusal", async || {
        let (_, template) = daemon.get("/factory/templates/rogue").await;
        (template["status"] == "refused").then_some(template)
    })
    .await;
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "rogue", "input": "x"})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("template_refused")), "{problem}");
    let directory = daemon.workshop.directory().to_str().expect("text");
    for told in [&refused, &problem] as [&Value; 2] {
        assert!(!told.to_string().contains(directory), "{told}");
    }
}
