//! An answer that breaks off while it is written: the next model of the route goes on where it did, and whoever listens sees one
//! answer.

use agent_factory::protocol::task::TaskState;
use serde_json::{Value, json};

use crate::harness::{Answer, Asked, Cut, Daemon, Fault, Provider, Workshop, raw};

const BEGUN: &str = "One two three";
const REST: &str = "four five.";

/// The first model's answer breaks off after three words; the second is asked to go on.
fn script(asked: &Asked) -> crate::harness::Reply {
    match asked.model() {
        "priced" => Answer::text("One two three lost words").with(Fault::Cut(Cut::Closed, 4)).into(),
        _ => Answer::text(REST).into(),
    }
}

/// The words of a stream of Chat Completions, and whether it came to its end.
fn heard(body: &str) -> (String, bool) {
    let events = body.split("\n\n").filter_map(|event| event.split_once("data: ").map(|(_, data)| data));
    let (mut words, mut ended) = (String::new(), false);
    for event in events {
        match serde_json::from_str::<Value>(event) {
            Ok(chunk) => words.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default()),
            Err(_) => ended = event == "[DONE]",
        }
    }
    (words, ended)
}

/// INVARIANT I91.
#[tokio::test]
async fn an_answer_that_breaks_off_is_gone_on_from_by_the_next_model() {
    let provider = Provider::start(script).await;
    let route = "both = [\"mock/priced\", \"mock/free\"]";
    let over = json!({"dlp": {"outbound": "allow"}, "model": {"route": "both", "max_output_tokens": 64}});
    let daemon = Daemon::start(Workshop::with(&provider, route).worker(over)).await;
    let body =
        json!({"model": "worker", "stream": true, "messages": [{"role": "user", "content": "Count."}]}).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: factory\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&daemon.workshop.socket(), request.as_bytes()).await;
    let (words, ended) = heard(&answer.body);
    let (_, page) = daemon.get("/factory/tasks").await;
    let id = page["items"][0]["task_id"].as_str().expect("a task");
    let task = daemon.client.task(id, std::time::Duration::ZERO).await.expect("a task");
    assert_eq!((answer.status, task.state, ended), (200, TaskState::Succeeded, true), "{} {task:?}", answer.body);
    assert_eq!(task.output.as_str(), Some(words.as_str()), "what was told is what is on record");
    assert!(words.starts_with(BEGUN) && words.ends_with(REST), "{words}");

    let asked = provider.asked();
    assert_eq!(asked.len(), 2);
    let said = asked[1].body["messages"].as_array().expect("messages");
    let begun = said.iter().find(|message| message["role"] == "assistant").expect("the beginning");
    assert!(begun["content"].as_str().is_some_and(|begun| words.starts_with(begun)), "{begun}");
    assert_ne!(asked[0].idempotency_key, asked[1].idempotency_key, "it asks something else");

    let (broken, whole) = (&task.steps[0], &task.steps[1]);
    assert_eq!((broken.name.as_str(), whole.name.as_str()), ("mock/priced", "mock/free"));
    assert_eq!(broken.error.as_ref().map(|error| error.code.as_str()), Some("provider_cut"));
    assert_ne!(broken.cost_usd, "0.00", "what arrived is paid for");
}
