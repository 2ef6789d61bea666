//! A task's events: the whole journal, live and afterwards, and never a word of what was said.

use agent_factory::client::EventStream;
use agent_factory::protocol::event::Event;
use agent_factory::protocol::task::SubmitTask;
use serde_json::json;

use crate::harness::{Answer, Daemon, Gate, Provider, Reply, Workshop, code, within};

const PROMPT: &str = "the secret of the prompt";
const WHOLE: [&str; 4] = ["task_submitted", "step_started", "step_finished", "task_ended"];

fn work() -> SubmitTask {
    SubmitTask { template_name: Some("worker".into()), input: PROMPT.into(), ..SubmitTask::default() }
}

/// All that a stream has, records and pieces of the answer.
async fn everything(mut stream: EventStream) -> Vec<Event> {
    within("the end of the stream", async {
        let mut events = Vec::new();
        while let Some(event) = stream.next().await.expect("an event") {
            events.push(event);
        }
        events
    })
    .await
}

/// The records of a stream. What comes between them is a part of the answer, and only where it may.
async fn all(stream: EventStream) -> Vec<Event> {
    let (pieces, records): (Vec<_>, Vec<_>) =
        everything(stream).await.into_iter().partition(|event| event.kind == "delta");
    assert!(pieces.iter().all(|piece| piece.sequence.is_none() && piece.details["text"].is_string()), "{pieces:?}");
    records
}

fn is_whole(events: &[Event]) {
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, WHOLE);
    let numbers: Vec<Option<u64>> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3)]);
    assert!(events.iter().all(|event| event.task_id == events[0].task_id));
    assert_eq!(events[3].details["state"], json!("succeeded"));
    assert!(!serde_json::to_string(events).expect("JSON").contains(PROMPT));
}

#[tokio::test]
async fn a_submission_is_answered_with_its_events_until_the_end() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let live = all(daemon.client.submit_streaming(&work(), Some("k")).await.expect("a stream")).await;
    is_whole(&live);
    let id = live[0].task_id.clone().expect("an id");

    assert_eq!(all(daemon.client.follow_task(&id).await.expect("a stream")).await, live, "afterwards");
    assert_eq!(daemon.client.task_events(&id).await.expect("a page").items, live, "as a page");
    let repeated = all(daemon.client.submit_streaming(&work(), Some("k")).await.expect("a stream")).await;
    assert_eq!(repeated, live, "under the same key");
    daemon.kill9();
    daemon.start_again().await;
    assert_eq!(all(daemon.client.follow_task(&id).await.expect("a stream")).await, live, "after kill -9");
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn who_begins_to_listen_late_misses_nothing() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let task = daemon.submit("worker", PROMPT).await;
    provider.was_asked(1).await;
    let listening = daemon.client.follow_task(&task.task_id).await.expect("a stream");
    gate.open();
    is_whole(&all(listening).await);
}

#[tokio::test]
async fn a_listener_that_goes_away_takes_nothing_with_it() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let mut listening = daemon.client.submit_streaming(&work(), None).await.expect("a stream");
    let first = listening.next().await.expect("an event").expect("an event");
    provider.was_asked(1).await;
    drop(listening);
    gate.open();
    let task = daemon.finished(first.task_id.as_deref().expect("an id")).await;
    assert_eq!(task.output, format!("echo: {PROMPT}"));
}

#[tokio::test]
async fn the_daemons_events_tell_of_every_task() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let mut listening = daemon.client.events().await.expect("a stream");
    let task = daemon.run("worker", PROMPT).await;
    let mut seen = Vec::new();
    within("the end of the task among the news", async {
        while seen.last().is_none_or(|kind| kind != "task_ended") {
            let event = listening.next().await.expect("an event").expect("an event");
            if event.task_id.as_deref() == Some(&task.task_id) {
                seen.push(event.kind);
            }
        }
    })
    .await;
    assert_eq!(seen, WHOLE);
}

#[tokio::test]
async fn there_is_no_stream_of_what_does_not_exist() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let nobody = daemon.client.submit_streaming(&work(), None).await;
    assert_eq!(code(nobody), (404, "template_not_found".to_owned()));
    assert_eq!(code(daemon.client.follow_task("no-such-task").await), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn whoever_submits_and_listens_hears_the_answer_as_it_is_written() {
    let provider = Provider::start(|_| Answer::text("one two three four").into()).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let events = everything(daemon.client.submit_streaming(&work(), None).await.expect("a stream")).await;
    let pieces: Vec<&str> = events.iter().filter_map(|event| event.details.get("text")?.as_str()).collect();
    assert_eq!(pieces.concat(), "one two three four");
    assert_eq!(provider.asked()[0].body["stream"], true);
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let at = |kind: &str| kinds.iter().position(|other| *other == kind).expect("there");
    assert!(at("step_started") < at("delta") && at("delta") < at("step_finished"), "{kinds:?}");

    let ended = daemon.ctl(&["run", "worker", "hello", "--stream"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "one two three four\n"), "{}", ended.err);
    let plain = daemon.run("worker", "hello").await;
    assert_eq!(plain.output, json!("one two three four"));
    assert_eq!(provider.asked()[2].body["stream"], false, "who does not listen asks for the whole");
}
