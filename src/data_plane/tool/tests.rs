//! The room from outside: a real socket with a scripted tool behind it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Call, Error, OUTPUT_BYTES_MAX, Sent, Tools};
use crate::config::settings::{KeySource, Tool, ToolUrl};
use crate::domain::id::TaskId;
use crate::domain::name::ToolName;

/// Longer than anything takes; only a hanging test meets it.
const LONG: Duration = Duration::from_secs(20);

/// What the tool does with each call.
enum Act {
    Answer(u16, String),
    Cut,
    Silence,
}

/// A tool at an address of its own, and what it is sent.
async fn tool(act: Act) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (seen, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"}") {
                if stream.read_buf(&mut bytes).await.expect("read") == 0 {
                    break;
                }
            }
            // The test may have seen enough.
            seen.send(String::from_utf8_lossy(&bytes).into_owned()).ok();
            let answer = match &act {
                Act::Answer(status, body) => {
                    format!("HTTP/1.1 {status} Told\r\nretry-after: 3\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                }
                Act::Cut => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned(),
                Act::Silence => std::future::pending().await,
            };
            // The client may hang up before it has read everything.
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (url, received)
}

fn name() -> ToolName {
    "publish".parse().expect("a name")
}

fn tools(url: &str, timeout: Duration) -> Tools {
    tools_of(url, timeout, 1)
}

fn tools_of(url: &str, timeout: Duration, slots: usize) -> Tools {
    let settings = Tool {
        url: ToolUrl::Http(url.to_owned()),
        api_key: KeySource::None,
        timeout,
        idempotent: false,
        max_concurrency: NonZeroUsize::new(slots).expect("above zero"),
    };
    Tools::new(&BTreeMap::from([(name(), settings)]))
}

fn call() -> Call {
    Call {
        task: TaskId::generate(),
        step: "out[2]".to_owned(),
        idempotency_key: "task-7-3".to_owned(),
        input: "hello".into(),
    }
}

async fn invoked(act: Act, timeout: Duration) -> Result<String, Error> {
    let (url, _seen) = tool(act).await;
    let tools = tools(&url, timeout);
    let slot = tools.slot(&name()).await;
    tools.invoke(&slot, &call(), LONG).await.map(|output| output.expose().to_owned())
}

#[tokio::test]
async fn a_tool_is_posted_its_input_under_the_key_and_what_it_says_is_the_output() {
    let (url, mut seen) = tool(Act::Answer(201, "{\"done\":true}".to_owned())).await;
    let tools = tools(&url, LONG);
    let slot = tools.try_slot(&name()).expect("a slot");
    let call = call();
    let output = tools.invoke(&slot, &call, LONG).await.expect("an output");
    assert_eq!(output.expose(), "{\"done\":true}");
    let request = seen.recv().await.expect("a request");
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("idempotency-key: task-7-3\r\n"), "{request}");
    let body: serde_json::Value =
        serde_json::from_str(request.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    let expected = serde_json::json!({"input": "hello", "task_id": call.task.to_string(), "step": "out[2]"});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn what_a_tool_answers_has_its_error() {
    let answer = |status: u16, text: &str| Act::Answer(status, text.to_owned());
    let pause = Some(Duration::from_secs(3));
    let too_large = Error::Nonsense { what: "it is larger than an output may be" };
    let table = [
        (answer(404, "no"), Error::Refused { status: 404 }),
        (answer(307, ""), Error::Refused { status: 307 }),
        (answer(429, ""), Error::Busy { retry_after: pause }),
        (answer(503, "not now"), Error::Failed { status: 503 }),
        (Act::Answer(200, "x".repeat(OUTPUT_BYTES_MAX + 1)), too_large),
    ];
    for (act, expected) in table {
        assert_eq!(invoked(act, LONG).await, Err(expected));
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_made_says_so_and_one_that_was_not_does_too() {
    let cut = invoked(Act::Cut, LONG).await.expect_err("cut");
    assert!(matches!(cut, Error::Cut(_)), "{cut}");
    let late = invoked(Act::Silence, Duration::from_millis(50)).await.expect_err("late");
    assert_eq!((late.sent(), cut.sent()), (Sent::Perhaps, Sent::Perhaps));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let tools = tools(&nobody, LONG);
    let refused = tools.invoke(&tools.slot(&name()).await, &call(), LONG).await.expect_err("refused");
    assert!(matches!(refused, Error::Unreachable(_)) && refused.sent() == Sent::No, "{refused}");
    let other: ToolName = "other".parse().expect("a name");
    let unknown = tools.invoke(&tools.slot(&other).await, &call(), LONG).await.expect_err("unknown");
    assert_eq!(unknown, Error::Unknown(other));
}

/// INVARIANT T1.
#[tokio::test]
async fn no_more_slots_are_given_than_a_tool_bears() {
    let tools = tools("http://127.0.0.1:1", LONG);
    let slot = tools.try_slot(&name()).expect("a slot");
    assert!(tools.try_slot(&name()).is_none());
    let next = tokio::spawn({
        let tools = tools.clone();
        async move { tools.slot(&name()).await }
    });
    drop(slot);
    let slot = next.await.expect("the next one has it");
    assert!(tools.try_slot(&name()).is_none());
    drop(slot);
    assert!(tools.try_slot(&name()).is_some());
}

/// INVARIANT I86.
#[tokio::test]
async fn whoever_gives_way_has_half_of_the_slots_and_none_while_somebody_queues() {
    for (slots, behind) in [(1, 1), (2, 1), (3, 1), (8, 4)] {
        let tools = tools_of("http://127.0.0.1:1", LONG, slots);
        let held: Vec<_> = std::iter::from_fn(|| tools.try_slot_behind(&name())).collect();
        assert_eq!(held.len(), behind, "of {slots}");
        let ahead: Vec<_> = std::iter::from_fn(|| tools.try_slot(&name())).collect();
        assert_eq!(ahead.len(), slots - behind);
        let own = name();
        let mut queued = Box::pin(tools.slot(&own));
        assert!(futures::poll!(queued.as_mut()).is_pending());
        drop(held);
        if behind == 1 {
            assert!(tools.try_slot_behind(&name()).is_none(), "the one that was free is for who queues");
        }
        assert!(futures::poll!(queued.as_mut()).is_ready());
    }
    let other: ToolName = "other".parse().expect("a name");
    assert!(tools("http://127.0.0.1:1", LONG).try_slot_behind(&other).is_some(), "its call says that it is not there");
}
