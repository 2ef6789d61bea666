//! `/factory/export`: everything of somebody, as JSON lines.
//!
//! ```text
//! {"format":"agent-factory/export/v1","tenant":…,"user":…,"exported_at":…}
//! {"task":{…,"input":…}} {"record":{…}}*        for each task; its records in order, with their texts
//! {"agent":{…}} {"memory":{…}}                   for each registered agent
//! {"budget":{…}} {"audit":{…}}*
//! {"end":{"tasks":…,…,"sha256":…}}
//! ```
//! INVARIANT: an export without its last line is not whole, and the connection breaks off rather than end without it.

mod lines;
mod texts;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde::Deserialize;

use self::lines::Export;
use super::body::Parameters;
use super::erasures::selected;
use super::error::Answer;
use super::gate::Caller;
use super::rooms::Rooms;
use super::router::Shared;
use crate::control_plane::access;
use crate::control_plane::audit::Entry;
use crate::data_plane::erasure::scope;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::protocol::problem::Problem;

const JSON_LINES: &str = "application/jsonl; charset=utf-8";

/// Whose data: at least one of the two.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// The tenant.
    tenant: Option<String>,
    /// The user; in every tenant where none is named.
    user: Option<String>,
}

/// Writes out everything of a tenant, of a user, or of a user of a tenant, as JSON lines; the last line says that it is whole. An admin
/// may have anybody's, everybody else their own.
#[utoipa::path(get, path = "/factory/export", tag = "data protection", params(Whose),
    responses((status = 200, content_type = "application/jsonl", body = String), (status = "4XX", body = Problem),
        (status = "5XX", body = Problem)))]
pub(super) async fn export(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(whose): Parameters<Whose>,
) -> Answer<Response> {
    let asked = selected(whose.tenant.as_ref(), whose.user.as_ref())?;
    let now = Timestamp::now();
    let subject = scope(&asked);
    let whose = match access::exportable(&caller.0, asked) {
        Ok(whose) => whose,
        Err(refusal) => {
            let entry =
                Entry::refused(now, (&*caller.0).into(), "export_data", refusal.code(), &refusal.detail()).on(subject);
            rooms.audit.record(entry).await?;
            return Err(refusal.into());
        }
    };
    rooms.audit.record(Entry::allowed(now, (&*caller.0).into(), "export_data").on(scope(&whose))).await?;
    let body = Body::from_stream(chunks(Arc::clone(&rooms), Export::new(rooms, whose, now)));
    Ok(([(header::CONTENT_TYPE, JSON_LINES)], body).into_response())
}

/// The lines, some at a time. An error in place of the rest breaks the connection off, so that nobody takes a part for the whole.
fn chunks(rooms: Arc<Rooms>, export: Export) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some(export), move |export| {
        let rooms = Arc::clone(&rooms);
        async move {
            let mut export = export?;
            let next = tokio::select! {
                next = export.next() => next.map_err(|error| {
                    tracing::error!(%error, "an export of somebody's data was broken off");
                    io::Error::other(error.to_string())
                }),
                () = rooms.drained() => Err(io::Error::other("the daemon is stopping")),
            };
            match next {
                Ok(None) => None,
                Ok(Some(text)) => Some((Ok(Bytes::from(text)), Some(export))),
                Err(error) => Some((Err(error), None)),
            }
        }
    })
}
