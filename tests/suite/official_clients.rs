//! The official clients of OpenAI and Anthropic, unchanged, with the daemon where the vendors' APIs would be.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Answer, Asked, Counts, Daemon, Provider, Reply, Reported, ToolCall, Workshop};
use crate::tools;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/conversations.py");
const USED: Counts = Counts { input: 100, output: 20, cached: 40, reasoning: 0 };

/// What clients that want a key are given where none is looked at.
const UNUSED: &str = "of no meaning over the socket";
/// So few requests, and a minute until there is another.
const RATE: &str = "[api]\nrequests_per_minute = 1\nburst = 5\n";

/// Does what a model would, as far as these conversations go.
fn model(asked: &Asked) -> Reply {
    let last = asked.body["messages"].as_array().and_then(|said| said.last()).expect("a message").clone();
    let answer = |text: String| Answer::text(text).reporting(Reported::Exactly(USED));
    if last["role"] == "tool" {
        return answer(format!("It is {}", words(&last["content"]))).into();
    }
    if let Some(picture) =
        last["content"].as_array().and_then(|parts| parts.iter().find(|part| part["type"] == "image_url"))
    {
        return answer(format!("a picture: {}", picture["image_url"]["url"].as_str().expect("a URL"))).into();
    }
    if asked.body["response_format"]["type"] == "json_schema" {
        return answer(r#"{"name": "Ada", "age": 36}"#.to_owned()).into();
    }
    let prompt = words(&last["content"]);
    if prompt == "reject" {
        return Reply::Status(400, None);
    }
    if let Some(words) = prompt.strip_prefix("stream ") {
        return answer(words.to_owned()).into();
    }
    if prompt.starts_with("weather") && asked.body["tools"][0]["function"]["name"] == "get_weather" {
        let call = ToolCall { id: "call_1", name: "get_weather", arguments: json!({"city": "Lyon"}) };
        return answer(String::new()).calling(vec![call]).into();
    }
    answer(format!("echo: {prompt}")).into()
}

fn words(content: &Value) -> String {
    match content {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// The interpreter with the clients: `.ci/run` makes it.
fn python() -> Option<PathBuf> {
    let made = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients-venv/bin/python"));
    let python = std::env::var_os("FACTORY_TESTS_CLIENTS_PYTHON").map_or(made, PathBuf::from);
    let what = "the front door against the official OpenAI and Anthropic clients";
    tools::python_at(&python, "openai, anthropic", "tests/clients/requirements.txt in target/clients-venv", what)
        .then_some(python)
}

async fn converse(python: &std::path::Path, scenarios: &'static str, address: String, token: &'static str) {
    let mut command = Command::new(python);
    command.args([SCRIPT, scenarios, &address, token]).env_clear();
    let output = tokio::task::spawn_blocking(move || command.output().expect("python starts")).await.expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenarios}: {told}");
}

fn workshop(provider: &Provider, more: &str) -> Workshop {
    let workshop = Workshop::with(provider, more).worker(json!({"dlp": {"outbound": "allow"}}));
    let pauper = json!({"model": {"route": "priced", "max_output_tokens": 64}, "budget": {"per_task_usd": "0.000001"}});
    workshop.template("pauper", pauper);
    workshop
}

#[tokio::test]
async fn the_official_clients_converse_over_the_socket() {
    let Some(python) = python() else { return };
    let provider = Provider::start(model).await;
    let daemon = Daemon::start(workshop(&provider, "")).await;
    let socket = daemon.workshop.socket().to_str().expect("text").to_owned();
    let all = "plain,several_turns,streamed,tools,structured,pictures,models";
    converse(&python, all, socket.clone(), UNUSED).await;
    let calls = provider.count();
    converse(&python, "refusals", socket, UNUSED).await;
    let rejected = provider.asked().iter().skip(calls).filter(|asked| asked.raw.contains("reject")).count();
    assert_eq!(rejected, 4, "no client asked again for what had failed for good");
    let several: Vec<Asked> = provider.asked().into_iter().filter(|asked| asked.raw.contains("Two?")).collect();
    for asked in &several {
        let said: Vec<(&str, String)> = asked.body["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|message| (message["role"].as_str().expect("a role"), words(&message["content"])))
            .collect();
        let expected = [("system", "Answer.\n\nBe brief."), ("user", "One?"), ("assistant", "1"), ("user", "Two?")];
        assert_eq!(said, expected.map(|(role, text)| (role, text.to_owned())));
        assert_eq!(
            (&asked.body["temperature"], &asked.body["top_p"], &asked.body["stop"]),
            (&json!(0.5), &json!(0.9), &json!(["END"]))
        );
        assert_eq!(asked.body["max_tokens"], 9);
    }
    assert_eq!(several.len(), 2);
}

#[tokio::test]
async fn the_official_clients_converse_over_tcp_with_a_token() {
    let Some(python) = python() else { return };
    let provider = Provider::start(model).await;
    let workshop = workshop(&provider, "[api]\ntcp = \"127.0.0.1:0\"\ntokens_file = \"tokens.toml\"\n");
    let digest = hex::encode(Sha256::digest("friend"));
    workshop
        .write("tokens.toml", &format!("[[token]]\nsha256 = \"{digest}\"\nname = \"friend\"\nrole = \"submitter\"\n"));
    let daemon = Daemon::start(workshop).await;
    let address = format!("127.0.0.1:{}", daemon.tcp_port());
    converse(&python, "plain,streamed,tools,models", address.clone(), "friend").await;
    converse(&python, "strangers", address, "foe").await;
}

#[tokio::test]
async fn the_official_clients_know_a_rate_limit_when_they_meet_one() {
    let Some(python) = python() else { return };
    let provider = Provider::start(model).await;
    let daemon = Daemon::start(workshop(&provider, RATE)).await;
    let socket = daemon.workshop.socket().to_str().expect("text").to_owned();
    converse(&python, "hurried", socket, UNUSED).await;
}
