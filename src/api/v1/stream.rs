//! An answer as it is written: what is heard of it, then what its records have beyond that, then its end.
//!
//! The response's head is held back until there is something to say, so that a failure before the first word is a plain answer
//! with a status of its own; but no longer than [`HEARTBEAT`], after which a failure is an event like all others.
//!
//! INVARIANT: all texts of a stream in order are the task's output.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;

use super::edge::{TASK_ID, insert};
use super::outcome::Outcome;
use super::running::Running;
use crate::api::error::{ApiError, Told};
use crate::data_plane::agent::live::Listener;
use crate::domain::id::TaskId;
use crate::journal::state::Task as Known;

/// How often a silent stream says that it is alive, and how long one may wait for its first word before its head is sent.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The words in which an API says a stream. All append what they say.
pub(super) trait Words: Send + 'static {
    /// The task has begun.
    fn begin(&mut self, task: TaskId, out: &mut String);
    /// More of the text.
    fn text(&mut self, text: &str, out: &mut String);
    /// The end; `rest` is the part of the text that was not said.
    fn end(&mut self, outcome: &Outcome<'_>, rest: &str, out: &mut String);
    /// A failure in the midst of it.
    fn fail(&mut self, told: &Told, out: &mut String);
    /// Nothing new.
    fn alive(&self, out: &mut String);
}

/// What happens next to an answer that is being written.
enum Next {
    Text(String),
    Ended(Arc<Known>),
    Failed(ApiError),
    Silence,
}

struct Telling<W> {
    running: Running,
    listener: Listener,
    words: W,
    /// What is to be said before anything else.
    first: Option<Next>,
    over: bool,
}

/// Streams the answer of a task.
pub(super) async fn answer<W: Words>(running: Running, words: W) -> Response {
    let (task, listener) = (running.task(), running.listen());
    let mut telling = Telling { running, listener, words, first: None, over: false };
    let first = telling.next().await;
    let first = match first {
        Next::Ended(known) => match Outcome::of(&known) {
            Ok(_) => Next::Ended(known),
            Err(error) => return error.into_response(),
        },
        Next::Failed(error) => return error.into_response(),
        first @ (Next::Text(_) | Next::Silence) => first,
    };
    telling.first = Some(first);
    let mut begun = String::new();
    telling.words.begin(task, &mut begun);
    let frames = stream::unfold((Some(begun), telling), |(begun, mut telling)| async move {
        if telling.over {
            return None;
        }
        let mut frame = begun.unwrap_or_default();
        telling.tell(&mut frame).await;
        Some((Ok::<_, Infallible>(Bytes::from(frame)), (None, telling)))
    });
    let mut response = (StatusCode::OK, Body::from_stream(frames)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    insert(&mut response, TASK_ID, &task.to_string());
    response
}

impl<W: Words> Telling<W> {
    async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            text = self.listener.more() => Next::Text(text),
            ended = self.running.ended() => match ended {
                Ok(known) => Next::Ended(known),
                Err(error) => Next::Failed(error),
            },
            () = tokio::time::sleep(HEARTBEAT) => Next::Silence,
        }
    }

    /// Appends what happens next.
    async fn tell(&mut self, frame: &mut String) {
        let next = match self.first.take() {
            Some(first) => first,
            None => self.next().await,
        };
        match next {
            Next::Text(text) => self.words.text(&text, frame),
            Next::Silence => self.words.alive(frame),
            Next::Ended(known) => {
                self.over = true;
                match Outcome::of(&known) {
                    Ok(outcome) => {
                        let rest = outcome.text.get(self.listener.heard()..).unwrap_or_default();
                        self.words.end(&outcome, rest, frame);
                    }
                    Err(error) => self.words.fail(&error.told(), frame),
                }
            }
            Next::Failed(error) => {
                self.over = true;
                self.words.fail(&error.told(), frame);
            }
        }
    }
}
