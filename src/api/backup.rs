//! `/factory/backup`.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};

use super::error::Answer;
use super::gate::Caller;
use super::rooms::Rooms;
use super::router::Shared;
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::journal::events::{Event, Events};
use crate::protocol::problem::Problem;
use crate::store;
use crate::store::backup::{Chunks, Totals};
use crate::telemetry::names;

/// Takes a backup of everything durable, while the daemon runs; the answer is the archive. One that ends before the connection's
/// own end mark is not whole: `factoryctl backup` notices.
#[utoipa::path(post, path = "/factory/backup", tag = "store",
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = "4XX", body = Problem),
        (status = "5XX", body = Problem)))]
pub(super) async fn take(State(rooms): State<Shared>, caller: Caller) -> Answer<Response> {
    let now = Timestamp::now();
    let events = rooms.journal.events().clone();
    let chunks = rooms.journal.store().backup(now, move |outcome| report(&events, outcome))?;
    // Nothing has left yet; if this fails, nothing does.
    rooms.audit.record(Entry::allowed(now, (&*caller.0).into(), "take_backup")).await?;
    let body = Body::from_stream(archive(rooms, chunks));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// The archive's bytes. An error in place of the rest breaks the connection off, so that nobody takes a part for the whole.
fn archive(rooms: Arc<Rooms>, chunks: Chunks) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some(chunks), move |chunks| {
        let rooms = Arc::clone(&rooms);
        async move {
            let mut chunks = chunks?;
            let next = tokio::select! {
                next = chunks.next() => next?,
                () = rooms.drained() => Err(io::Error::other("the daemon is stopping")),
            };
            let goes_on = next.is_ok();
            Some((next, goes_on.then_some(chunks)))
        }
    })
}

/// How a backup ended is news, counted, and in the log.
fn report(events: &Events, outcome: &Result<Totals, store::Error>) {
    let (event, word) = match outcome {
        Ok(totals) => {
            tracing::info!(position = totals.position, entries = totals.entries, "a backup was taken");
            (Event::new("backup_taken").with("position", totals.position).with("entries", totals.entries), "taken")
        }
        Err(error) => {
            tracing::warn!(%error, "a backup was not taken");
            (Event::new("backup_failed").with("code", error.code()), "failed")
        }
    };
    metrics::counter!(names::BACKUPS_TOTAL, "outcome" => word).increment(1);
    events.publish(event);
}
