//! An answer under an inbound filter is told while it is written, and nothing of what is to be hidden in it ever.

use agent_factory::client::EventStream;
use agent_factory::protocol::event::Event;
use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Answer, Asked, Cut, Daemon, Fault, Gate, Provider, Reply, Workshop, raw, within};

const MAIL: &str = "jean.dupont@example.fr";
const CARD: &str = "4111 1111 1111 1111";
const PROSE: &str = "The committee met in the spring and reviewed what was agreed before; nothing in it changes. ";

/// A key of a known form; written so that none stands in this file.
fn key() -> String {
    format!("ghp_{}", "aB3dE5fG7hJ9kL2mN4pQ6rS8tU".chars().cycle().take(36).collect::<String>())
}

fn over(inbound: &str) -> Value {
    json!({"dlp": {"outbound": "pseudonymise", "inbound": inbound}, "model": {"route": "free", "max_output_tokens": 4096}})
}

fn work(input: &str) -> SubmitTask {
    SubmitTask { template_name: Some("worker".into()), input: input.into(), ..SubmitTask::default() }
}

async fn next(stream: &mut EventStream) -> Option<Event> {
    within("an event", stream.next()).await.expect("an event")
}

/// The words of the stream's next piece of the answer; none where there is no more of it.
async fn heard(stream: &mut EventStream) -> Option<String> {
    while let Some(event) = next(stream).await {
        if event.kind == "delta" {
            return Some(event.details["text"].as_str().expect("words").to_owned());
        }
    }
    None
}

/// Submits work, listens to its end, and gives what was heard and the task.
async fn listened(daemon: &Daemon, input: &str) -> (Vec<String>, Task) {
    let mut stream = daemon.client.submit_streaming(&work(input), None).await.expect("a stream");
    let id = next(&mut stream).await.and_then(|event| event.task_id).expect("a task");
    let mut words = Vec::new();
    while let Some(more) = heard(&mut stream).await {
        words.push(more);
    }
    let task = daemon.client.task(&id, std::time::Duration::ZERO).await.expect("a task");
    (words, task)
}

/// Whether a part of a value stands in a text that tells more than its first letters.
fn tells(text: &str, value: &str) -> bool {
    let parts: Vec<char> = value.chars().collect();
    parts.windows(6).any(|part| text.contains(&part.iter().collect::<String>()))
}

#[tokio::test]
async fn what_is_found_is_hidden_however_the_answer_is_cut() {
    let answer =
        format!("{PROSE}{PROSE}Write to {MAIL}, pay with {CARD}, log in with {}.\n{PROSE}{PROSE}{PROSE}", key());
    let said = answer.clone();
    let provider = Provider::start(move |asked: &Asked| {
        let characters = asked.prompt().trim().parse().expect("a number");
        Answer::text(said.clone()).in_pieces_of(characters).into()
    })
    .await;
    let masked =
        answer.replace(MAIL, "<EMAIL_ADDRESS>").replace(CARD, "<CREDIT_CARD>").replace(&key(), "<GITHUB_TOKEN>");
    for inbound in ["mask", "pseudonymise", "hash"] {
        let daemon = Daemon::start(Workshop::with(&provider, "").worker(over(inbound))).await;
        for characters in [1, 2, 3, 7, 40] {
            let (words, task) = listened(&daemon, &characters.to_string()).await;
            let told = words.concat();
            assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
            assert_eq!(task.output.as_str(), Some(told.as_str()), "what was told is what is on record");
            assert!(words.len() > 3, "it was told in pieces: {words:?}");
            for value in [MAIL, CARD, &key()] {
                assert!(!tells(&told, value), "{inbound} by {characters}: {told}");
            }
            if inbound == "mask" {
                assert_eq!(told, masked);
            }
        }
    }
}

#[tokio::test]
async fn first_words_are_heard_before_the_last_are_written() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| {
        Answer::text(format!("{}{MAIL} {PROSE}", PROSE.repeat(6))).in_pieces_of(5).held_after(80, &held).into()
    })
    .await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(over("mask"))).await;
    let mut stream = daemon.client.submit_streaming(&work("go"), None).await.expect("a stream");
    let mut told = heard(&mut stream).await.expect("the first words");
    assert!(!told.is_empty() && PROSE.repeat(6).starts_with(&told), "{told}");
    gate.open();
    while let Some(more) = heard(&mut stream).await {
        told.push_str(&more);
    }
    assert_eq!(told, format!("{}<EMAIL_ADDRESS> {PROSE}", PROSE.repeat(6)));
}

#[tokio::test]
async fn what_is_blocked_ends_the_stream_while_the_provider_writes_on() {
    // The gate stays closed: the answer never comes to its end.
    let gate = Gate::closed();
    let provider = Provider::start(move |_| {
        Answer::text(format!("{PROSE}{PROSE}{PROSE}{MAIL} {}", PROSE.repeat(40)))
            .in_pieces_of(5)
            .held_after(300, &gate)
            .into()
    })
    .await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(over("block"))).await;
    let (words, task) = listened(&daemon, "go").await;
    assert_eq!(task.error.as_ref().map(|error| error.code.as_str()), Some("dlp_blocked"), "{task:?}");
    let told = words.concat();
    assert!(!told.is_empty() && PROSE.repeat(3).starts_with(&told), "{told}");
    assert!(!daemon.workshop.log().contains(MAIL));
    let (_, page) = daemon.get("/factory/audit?limit=1000").await;
    let entries = page["items"].as_array().expect("entries");
    let blocked = entries.iter().filter(|entry| entry["action"] == json!("dlp_block"));
    let blocked: Vec<_> = blocked.filter(|entry| entry["subject"] == json!(task.task_id)).collect();
    assert_eq!(blocked.len(), 1, "{page}");
    assert!(!page.to_string().contains(MAIL));
}

#[tokio::test]
async fn the_owners_own_data_comes_back_and_the_providers_is_hidden() {
    let own = "marie@example.org";
    let provider = Provider::start(|asked: &Asked| {
        let answer = format!("{PROSE}You wrote {}; others write to {MAIL}. {PROSE}{PROSE}{PROSE}", asked.prompt());
        Answer::text(answer).in_pieces_of(3).into()
    })
    .await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(over("mask"))).await;
    let (words, task) = listened(&daemon, own).await;
    assert!(!provider.asked()[0].prompt().contains(own), "it left as a pseudonym");
    let told = words.concat();
    assert!(told.contains("You wrote marie@example.org; others write to <EMAIL_ADDRESS>. "), "{told}");
    assert_eq!(task.output.as_str(), Some(told.as_str()));
}

#[tokio::test]
async fn the_front_door_tells_a_filtered_answer_as_it_comes() {
    let provider =
        Provider::start(|_| Answer::text(format!("{PROSE}{MAIL} {PROSE}{PROSE}{PROSE}")).in_pieces_of(4).into()).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(over("mask"))).await;
    let body = json!({"model": "worker", "stream": true, "messages": [{"role": "user", "content": "go"}]}).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: factory\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&daemon.workshop.socket(), request.as_bytes()).await;
    let chunks = answer.body.split("\n\n").filter_map(|event| event.split_once("data: ").map(|(_, data)| data));
    let chunks: Vec<Value> = chunks.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let words: Vec<&str> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .filter(|w| !w.is_empty())
        .collect();
    assert_eq!(words.concat(), format!("{PROSE}<EMAIL_ADDRESS> {PROSE}{PROSE}{PROSE}"));
    assert!(words.len() > 2, "{words:?}");
}

/// What may be the beginning of an address is forgotten where an answer breaks off, and written again by who goes on.
#[tokio::test]
async fn an_answer_that_breaks_off_in_the_middle_of_an_address_tells_nothing_of_it() {
    let script = |asked: &Asked| -> Reply {
        if asked.model() == "priced" {
            let begun = format!("{}Write to jean.dupo", PROSE.repeat(4));
            let pieces = begun.len().div_ceil(5) + 1;
            return Answer::text(begun + "nt@example.fr").in_pieces_of(5).with(Fault::Cut(Cut::Closed, pieces)).into();
        }
        Answer::text(format!("and that is all. {PROSE}")).into()
    };
    let provider = Provider::start(script).await;
    let mut over = over("mask");
    over["model"]["route"] = json!("both");
    let daemon = Daemon::start(Workshop::with(&provider, "both = [\"mock/priced\", \"mock/free\"]").worker(over)).await;
    let (words, task) = listened(&daemon, "go").await;
    let told = words.concat();
    assert_eq!((task.state, task.output.as_str()), (TaskState::Succeeded, Some(told.as_str())), "{task:?}");
    assert!(told.starts_with(PROSE) && told.contains("and that is all.") && !told.contains("jean"), "{told}");
    let said = provider.asked()[1].body["messages"].to_string();
    assert!(said.contains("committee") && !said.contains("jean"), "{said}");
}
