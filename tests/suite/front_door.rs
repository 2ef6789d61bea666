//! `/v1`, byte by byte: what clients of models are told when they ask for what is not done, and what becomes of a task whose client
//! hangs up. Whole conversations are those of `official_clients`.

use agent_factory::protocol::task::{Task, TaskState};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::harness::{
    Answer, Cut, Daemon, Fault, Gate, Provider, RawAnswer, Reply, Workshop, raw, raw_over, until, within,
};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

fn request(line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{line} HTTP/1.1\r\nhost: factory\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

async fn post(daemon: &Daemon, path: &str, headers: &str, body: &Value) -> RawAnswer {
    raw(&daemon.workshop.socket(), request(&format!("POST {path}"), headers, &body.to_string()).as_bytes()).await
}

fn asking(text: &str, more: Value) -> Value {
    let mut body = json!({"model": "worker", "max_tokens": 64, "messages": [{"role": "user", "content": text}]});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

fn error(answer: &RawAnswer) -> Value {
    serde_json::from_str::<Value>(&answer.body).expect("JSON")["error"].clone()
}

/// The task that an answer says it is of.
fn task_of(answer: &RawAnswer) -> String {
    let line = answer.head.lines().find_map(|line| line.strip_prefix("factory-task-id: "));
    line.unwrap_or_else(|| panic!("no task in {}", answer.head)).to_owned()
}

async fn newest(daemon: &Daemon) -> Option<String> {
    let (_, page) = daemon.get("/factory/tasks").await;
    page["items"][0]["task_id"].as_str().map(ToOwned::to_owned)
}

async fn ended(daemon: &Daemon, id: &str) -> Task {
    until("the task's end", async || {
        let task = daemon.client.task(id, std::time::Duration::ZERO).await.expect("a task");
        task.state.has_ended().then_some(task)
    })
    .await
}

#[tokio::test]
async fn what_is_not_done_is_refused_by_its_name() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let said = |message: Value| json!({"messages": [message]});
    let user = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let openai = [
        (json!({"n": 2}), "n", "parameter_unsupported"),
        (json!({"logprobs": true}), "logprobs", "parameter_unsupported"),
        (json!({"logit_bias": {"50256": -100}}), "logit_bias", "parameter_unsupported"),
        (json!({"audio": {"voice": "alloy", "format": "wav"}}), "audio", "parameter_unsupported"),
        (json!({"modalities": ["text", "audio"]}), "modalities", "parameter_unsupported"),
        (json!({"prediction": {"type": "content", "content": "x"}}), "prediction", "parameter_unsupported"),
        (json!({"web_search_options": {}}), "web_search_options", "parameter_unsupported"),
        (json!({"store": true}), "store", "parameter_unsupported"),
        (json!({"service_tier": "flex"}), "service_tier", "parameter_unsupported"),
        (json!({"functions": []}), "functions", "parameter_unsupported"),
        (json!({"best_of": 3}), "best_of", "parameter_unsupported"),
        (json!({"tools": [{"type": "custom", "custom": {"name": "x"}}]}), "tools[0].type", "parameter_unsupported"),
        (said(json!({"role": "user", "content": "x", "name": "ann"})), "messages[0].name", "parameter_unsupported"),
        (
            user(json!({"type": "input_audio", "input_audio": {}})),
            "messages[0].content[0].type",
            "parameter_unsupported",
        ),
        (
            json!({"stream": true, "stream_options": {"include_obfuscation": true}}),
            "stream_options.include_obfuscation",
            "parameter_unsupported",
        ),
        (json!({"stream_options": {"include_usage": true}}), "stream_options", "malformed_request"),
        (json!({"temperature": 2.1}), "temperature", "malformed_request"),
        (json!({"temperature": "hot"}), "temperature", "malformed_request"),
        (json!({"max_tokens": 0}), "max_tokens", "malformed_request"),
        (json!({"max_tokens": -1}), "max_tokens", "malformed_request"),
        (json!({"max_completion_tokens": 1}), "max_tokens", "malformed_request"),
        (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop", "malformed_request"),
        (json!({"tool_choice": "required"}), "tool_choice", "malformed_request"),
        (json!({"reasoning_effort": "heroic"}), "reasoning_effort", "malformed_request"),
        (json!({"response_format": {"type": "json_schema"}}), "response_format", "malformed_request"),
        (json!({"messages": []}), "messages", "malformed_request"),
        (json!({"messages": "hello"}), "messages", "malformed_request"),
        (json!({"messages": null}), "messages", "malformed_request"),
        (said(json!({"role": "robot", "content": "x"})), "messages[0].role", "malformed_request"),
        (said(json!({"role": "tool", "tool_call_id": "c", "content": "x"})), "messages", "malformed_request"),
        (
            user(json!({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})),
            "messages[0].content[0].image_url.url",
            "malformed_request",
        ),
        (json!({"model": null}), "model", "malformed_request"),
    ];
    for (more, parameter, code) in openai {
        let answer = post(&daemon, CHAT, "", &asking("hello", more.clone())).await;
        let error = error(&answer);
        assert_eq!(
            (answer.status, &error["param"], &error["code"]),
            (400, &json!(parameter), &json!(code)),
            "{more}: {error}"
        );
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().expect("words").contains(parameter), "{error}");
    }
    let block = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let anthropic = [
        (json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}), "thinking", "parameter_unsupported"),
        (json!({"mcp_servers": [{"type": "url"}]}), "mcp_servers", "parameter_unsupported"),
        (json!({"container": "c"}), "container", "parameter_unsupported"),
        (json!({"n": 1}), "n", "parameter_unsupported"),
        (
            json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
            "tools[0].type",
            "parameter_unsupported",
        ),
        (
            block(json!({"type": "document", "source": {"type": "text"}})),
            "messages[0].content[0].type",
            "parameter_unsupported",
        ),
        (
            block(json!({"type": "tool_use", "id": "c", "name": "n", "input": {}})),
            "messages[0].content[0].type",
            "malformed_request",
        ),
        (json!({"max_tokens": null}), "max_tokens", "malformed_request"),
        (json!({"temperature": 1.5}), "temperature", "malformed_request"),
        (json!({"stop_sequences": [""]}), "stop_sequences", "malformed_request"),
        (json!({"tool_choice": {"type": "tool", "name": "none"}}), "tool_choice", "malformed_request"),
        (json!({"messages": [{"role": "system", "content": "x"}]}), "messages[0].role", "malformed_request"),
    ];
    for (more, parameter, code) in anthropic {
        let answer = post(&daemon, MESSAGES, "", &asking("hello", more.clone())).await;
        let error = error(&answer);
        assert_eq!(
            (answer.status, &error["param"], &error["code"]),
            (400, &json!(parameter), &json!(code)),
            "{more}: {error}"
        );
        assert_eq!(error["type"], "invalid_request_error");
    }
    let beta = post(&daemon, MESSAGES, "anthropic-beta: context-1m-2025-08-07\r\n", &asking("hello", json!({}))).await;
    assert_eq!((beta.status, &error(&beta)["param"]), (400, &json!("anthropic-beta")));
    assert_eq!(newest(&daemon).await, None, "none of them became a task");
}

#[tokio::test]
async fn parameters_that_ask_for_nothing_pass() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let nothing = json!({
        "n": 1, "logprobs": false, "top_logprobs": null, "logit_bias": {}, "audio": null, "modalities": ["text"], "prediction": null,
        "store": false, "service_tier": "auto", "functions": null, "verbosity": "medium", "stream": false, "stop": null,
        "response_format": {"type": "text"}, "tool_choice": "auto", "prompt_cache_key": "k", "seed": null, "tools": null,
    });
    let answer = post(&daemon, CHAT, "x-stainless-lang: python\r\n", &asking("hello", nothing)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let nothing = json!({"thinking": {"type": "disabled"}, "service_tier": "auto", "mcp_servers": [], "cache_control": {"type": "ephemeral"}});
    let answer = post(&daemon, &format!("{MESSAGES}?beta=true"), "", &asking("hello", nothing)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn every_edge_speaks_as_the_client_does() {
    let settings = "[api]\ntcp = \"127.0.0.1:0\"\nbody_bytes_max = 1000\n";
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, settings).worker(json!({}))).await;
    let long = format!("{{\"model\": \"{}\"}}", "x".repeat(1_000));
    let table = [
        (format!("POST {CHAT}"), "", "{", 400, "malformed_request", "invalid_request_error"),
        (format!("POST {CHAT}"), "", "[]", 400, "malformed_request", "invalid_request_error"),
        (format!("POST {CHAT}"), "", long.as_str(), 413, "body_too_large", "invalid_request_error"),
        (format!("GET {CHAT}"), "", "", 405, "method_not_allowed", "invalid_request_error"),
        ("POST /v1/embeddings".to_owned(), "", "{}", 404, "route_not_found", "invalid_request_error"),
        ("GET /v1/models/no%20body".to_owned(), "", "", 404, "template_not_found", "invalid_request_error"),
        (format!("POST {MESSAGES}"), "", "{", 400, "malformed_request", "invalid_request_error"),
        (format!("POST {MESSAGES}"), "", long.as_str(), 413, "body_too_large", "request_too_large"),
        (format!("GET {MESSAGES}"), "", "", 405, "method_not_allowed", "invalid_request_error"),
        (format!("POST {MESSAGES}/batches"), "", "{}", 404, "route_not_found", "not_found_error"),
        (
            "GET /v1/models/nobody".to_owned(),
            "anthropic-version: 2023-06-01\r\n",
            "",
            404,
            "template_not_found",
            "not_found_error",
        ),
    ];
    for (line, headers, body, status, code, kind) in table {
        let answer = raw(&daemon.workshop.socket(), request(&line, headers, body).as_bytes()).await;
        assert_eq!((answer.status, answer.code_of_v1().as_str()), (status, code), "{line}: {}", answer.body);
        let whole: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(whole["error"]["type"], kind, "{line}");
        let is_anthropic = whole["type"] == "error";
        assert_eq!(is_anthropic, line.contains("messages") || !headers.is_empty(), "{line}: {whole}");
        assert!(answer.head.contains("x-should-retry: false"), "{line}: {}", answer.head);
    }
    for (path, headers) in
        [(CHAT, ""), (MESSAGES, ""), (CHAT, "authorization: Bearer x\r\n"), (MESSAGES, "x-api-key: x\r\n")]
    {
        let stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
        let body = asking("hello", json!({})).to_string();
        let answer = raw_over(stream, request(&format!("POST {path}"), headers, &body).as_bytes()).await;
        let code = if headers.is_empty() { "token_missing" } else { "token_unknown" };
        assert_eq!((answer.status, answer.code_of_v1().as_str()), (401, code), "{path}");
        assert_eq!(error(&answer)["type"], "authentication_error");
    }
    let other = raw(&daemon.workshop.socket(), request("GET /v10/models", "", "").as_bytes()).await;
    assert_eq!(other.code(), "route_not_found", "what only begins alike is the control API's");
}

/// Sends a request and hangs up once the provider works for it; the task that it became.
async fn hung_up(daemon: &Daemon, provider: &Provider, path: &str, headers: &str, body: &Value) -> String {
    let before = newest(daemon).await;
    let calls = provider.count();
    let mut stream = UnixStream::connect(daemon.workshop.socket()).await.expect("a connection");
    stream.write_all(request(&format!("POST {path}"), headers, &body.to_string()).as_bytes()).await.expect("sent");
    provider.was_asked(calls + 1).await;
    drop(stream);
    let after = newest(daemon).await;
    assert_ne!(after, before);
    after.expect("a task")
}

#[tokio::test]
async fn who_hangs_up_cancels_the_task() {
    let provider = Provider::start(|_| Reply::Silence).await;
    let priced = json!({"model": {"route": "priced", "max_output_tokens": 64}});
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced)).await;
    for path in [CHAT, MESSAGES] {
        for stream in [false, true] {
            let id = hung_up(&daemon, &provider, path, "", &asking("hello", json!({"stream": stream}))).await;
            let task = ended(&daemon, &id).await;
            assert_eq!(task.state, TaskState::Cancelled, "{path} {stream}");
            assert_ne!(task.cost_usd, "0.00", "the call was begun, and is booked");
        }
    }
    let spent = daemon.settled("global").await.spent_usd;
    assert_ne!(spent, "0.00");
}

#[tokio::test]
async fn who_hangs_up_in_the_midst_of_a_stream_pays_for_what_arrived() {
    let provider = Provider::start(|_| Answer::text("one two three").with(Fault::Hang(3)).into()).await;
    let priced = json!({"model": {"route": "priced", "max_output_tokens": 64}, "dlp": {"outbound": "allow"}});
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced)).await;
    let mut stream = UnixStream::connect(daemon.workshop.socket()).await.expect("a connection");
    let body = asking("hello", json!({"stream": true})).to_string();
    stream.write_all(request(&format!("POST {CHAT}"), "", &body).as_bytes()).await.expect("sent");
    let mut heard = String::new();
    within("the first word", async {
        while !heard.contains("\"content\":\"one") {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).await.expect("it streams");
            assert_ne!(count, 0, "{heard}");
            heard.push_str(std::str::from_utf8(&piece[..count]).expect("text"));
        }
    })
    .await;
    drop(stream);
    let id = newest(&daemon).await.expect("a task");
    let task = ended(&daemon, &id).await;
    assert_eq!(task.state, TaskState::Cancelled);
    assert_ne!(task.cost_usd, "0.00");
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd);
}

#[tokio::test]
async fn who_gave_a_key_may_hang_up_and_come_back() {
    let gate = Gate::closed();
    let provider = {
        let gate = gate.clone();
        Provider::start(move |_| Reply::echo_behind(&gate)).await
    };
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let (body, key) = (asking("hello", json!({})), "idempotency-key: again\r\n");
    let id = hung_up(&daemon, &provider, CHAT, key, &body).await;
    gate.open();
    let answer = post(&daemon, CHAT, key, &body).await;
    assert_eq!((answer.status, task_of(&answer)), (200, id));
    assert!(answer.body.contains("echo: hello"), "{}", answer.body);
    assert_eq!(provider.count(), 1);
    let other = post(&daemon, CHAT, key, &asking("something else", json!({}))).await;
    assert_eq!((other.status, error(&other)["code"].as_str()), (409, Some("idempotency_key_reused")));
}

#[tokio::test]
async fn a_stream_that_fails_in_its_midst_says_so_in_the_clients_words() {
    let broken = |_: &_| Answer::text("one two three four").with(Fault::Cut(Cut::Closed, 3)).into();
    let provider = Provider::start(broken).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({"dlp": {"outbound": "allow"}}))).await;
    let answer = post(&daemon, CHAT, "", &asking("hello", json!({"stream": true}))).await;
    let last = answer.body.split("\n\n").filter_map(|event| event.split_once("data: ")).last();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (_, last) = last.expect("an event");
    assert!(last.contains("\"error\":{") && !answer.body.contains("[DONE]"), "{}", answer.body);
    let answer = post(&daemon, MESSAGES, "", &asking("hello", json!({"stream": true}))).await;
    assert!(answer.body.contains("event: error\ndata: {\"type\":\"error\""), "{}", answer.body);
    assert!(!answer.body.contains("message_stop"), "{}", answer.body);
}

#[tokio::test]
async fn an_orchestrator_takes_one_text() {
    let workshop = Workshop::with(&Provider::echo().await, "").worker(json!({}));
    let plan = json!({"steps": [{"id": "only", "template": "worker", "input": "do {{input}}"}], "aggregate": {"mode": "step", "step": "only"}});
    workshop.template("chief", json!({"kind": "orchestrator", "plan": plan}));
    let daemon = Daemon::start(workshop).await;
    let asked = |more: Value| {
        let mut body = asking("it", more);
        body["model"] = json!("chief");
        body
    };
    for path in [CHAT, MESSAGES] {
        let answer = post(&daemon, path, "", &asked(json!({}))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("echo: do it"), "{}", answer.body);
        let turns = json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]});
        let answer = post(&daemon, path, "", &asked(turns)).await;
        assert_eq!((answer.status, &error(&answer)["param"]), (400, &json!("messages")), "{}", answer.body);
        let answer = post(&daemon, path, "", &asked(json!({"temperature": 0.5}))).await;
        assert_eq!((answer.status, &error(&answer)["param"]), (400, &json!("temperature")), "{}", answer.body);
        let answer = post(&daemon, path, "", &asked(json!({"stream": true}))).await;
        assert!(answer.body.contains("echo: do it"), "{}", answer.body);
    }
}
