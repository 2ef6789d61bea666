//! `/factory/audit`: the log itself, and what proves it to others.

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};
use serde::Deserialize;

use super::body::Parameters;
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::rooms::Rooms;
use super::router::Shared;
use crate::control_plane::audit::export::Export;
use crate::control_plane::audit::{Audit, Entry, Error, Verified, merkle, readable, verifier_key};
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure};
use crate::protocol::audit::{AuditEntry, AuditKey, AuditProof, AuditVerified};
use crate::protocol::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Page};
use crate::protocol::problem::Problem;

/// The media type of an export: a JSON document on each line.
const JSON_LINES: &str = "application/jsonl";
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Which entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// How many entries, 1 to 1,000; 100 where it is not given.
    limit: Option<usize>,
    /// The sequence of the last entry that is known.
    after: Option<u64>,
    /// So many of the newest entries, 1 to 1,000; in place of the two others.
    last: Option<usize>,
}

/// Lists decisions in the order in which they were made: from behind `after`, or the newest.
#[utoipa::path(get, path = "/factory/audit", tag = "audit", params(Which),
    responses((status = 200, body = Page<AuditEntry>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(
    State(rooms): State<Shared>,
    Parameters(which): Parameters<Which>,
) -> Answer<Json<Page<AuditEntry>>> {
    let found = match (which.last, which.after, which.limit) {
        (Some(last), None, None) => rooms.audit.newest(bounded("last", last)?).await?,
        (Some(_), ..) => return Err(ApiError::malformed("last stands alone, without after and limit").about("last")),
        (None, after, limit) => {
            let limit = bounded("limit", limit.unwrap_or(PAGE_ITEMS_DEFAULT))?;
            let found = rooms.audit.tail(after.unwrap_or(0), limit).await?;
            let next = (found.len() == limit).then(|| found.last().map(|entry| entry.sequence.to_string())).flatten();
            return Ok(Json(Page { items: found.iter().map(readable).collect(), next }));
        }
    };
    Ok(Json(Page { items: found.iter().map(readable).collect(), next: None }))
}

fn bounded(name: &'static str, count: usize) -> Answer<usize> {
    let fits = (1..=PAGE_ITEMS_MAX).contains(&count);
    let told = || ApiError::malformed(format!("{name} is a number from 1 to {PAGE_ITEMS_MAX}")).about(name);
    if fits { Ok(count) } else { Err(told()) }
}

/// Exports the whole log in the form `agent-factory/audit/v1`: JSON lines, the last of them signed over all before it. One that was
/// broken off has no such line.
#[utoipa::path(get, path = "/factory/audit/export", tag = "audit",
    responses((status = 200, content_type = "application/jsonl", body = String), (status = "4XX", body = Problem),
        (status = "5XX", body = Problem)))]
pub(super) async fn export(State(rooms): State<Shared>, caller: Caller) -> Answer<Response> {
    let now = Timestamp::now();
    // Nothing has left yet; if this fails, nothing does. It is the export's own last entry.
    rooms.audit.record(Entry::allowed(now, (&*caller.0).into(), "export_audit")).await?;
    let export = rooms.audit.export(now).await?;
    Ok(([(header::CONTENT_TYPE, JSON_LINES)], Body::from_stream(lines(rooms, export))).into_response())
}

/// The lines, page by page. An error in place of the rest breaks the connection off, so that nobody takes a part for the whole.
fn lines(rooms: Arc<Rooms>, export: Export) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some(export), move |export| {
        let rooms = Arc::clone(&rooms);
        async move {
            let mut export = export?;
            let next = tokio::select! {
                next = export.next() => next.map_err(|error| {
                    tracing::error!(%error, "an export of the audit log was broken off");
                    io::Error::other(error)
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

/// Gives the last signed checkpoint: a note in the form of C2SP's tlog-checkpoint. Keep it elsewhere.
#[utoipa::path(get, path = "/factory/audit/checkpoint", tag = "audit",
    responses((status = 200, content_type = "text/plain", body = String), (status = "4XX", body = Problem),
        (status = "5XX", body = Problem)))]
pub(super) async fn checkpoint(State(rooms): State<Shared>) -> Answer<Response> {
    let latest = match rooms.audit.latest() {
        Some(latest) => latest,
        None => rooms.audit.checkpoint().await?,
    };
    Ok(([(header::CONTENT_TYPE, PLAIN_TEXT)], latest.note.to_string()).into_response())
}

/// Gives the public key that checkpoints, exports and receipts are verified with.
#[utoipa::path(get, path = "/factory/audit/key", tag = "audit",
    responses((status = 200, body = AuditKey), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn key(State(rooms): State<Shared>) -> Answer<Json<AuditKey>> {
    let key = rooms.audit.public_key();
    let unusable = |reason| ApiError::new(Class::Internal, "audit_key_unusable", reason);
    let public_key = key.to_pem().map_err(unusable)?;
    let verifier_key = verifier_key(&key);
    Ok(Json(AuditKey { log: key.log_id(), algorithm: "ed25519".to_owned(), public_key, verifier_key }))
}

/// Verifies the whole log as it is stored: every link, and every checkpoint. Takes as long as reading it does.
#[utoipa::path(get, path = "/factory/audit/verify", tag = "audit",
    responses((status = 200, body = AuditVerified), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn verify(State(rooms): State<Shared>) -> Answer<Json<AuditVerified>> {
    match rooms.audit.verify().await {
        Ok(verified) => Ok(Json(holds(&verified))),
        Err(error) if error.is_damage() => Ok(Json(fails(&error))),
        Err(error) => Err(error.into()),
    }
}

fn holds(verified: &Verified) -> AuditVerified {
    AuditVerified {
        holds: true,
        entries: Some(verified.entries),
        link: Some(hex::encode(verified.head)),
        root: Some(merkle::to_base64(&verified.root)),
        checkpoints: Some(verified.checkpoints),
        of_other_keys: Some(verified.of_other_keys),
        code: None,
        reason: None,
    }
}

fn fails(error: &Error) -> AuditVerified {
    AuditVerified {
        holds: false,
        entries: None,
        link: None,
        root: None,
        checkpoints: None,
        of_other_keys: None,
        code: Some(error.code().to_owned()),
        reason: Some(error.detail()),
    }
}

/// What is to be proved: one of the two.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// That this entry is in the log.
    entry: Option<u64>,
    /// That the log only grew since it had so many entries.
    from: Option<u64>,
}

/// Proves that an entry is under a checkpoint, or that a checkpoint continues an earlier one, in a few hashes.
#[utoipa::path(get, path = "/factory/audit/proof", tag = "audit", params(Wanted),
    responses((status = 200, body = AuditProof), (status = 404, content_type = "application/problem+json", body = Problem), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn proof(
    State(rooms): State<Shared>,
    Parameters(wanted): Parameters<Wanted>,
) -> Answer<Json<AuditProof>> {
    match (wanted.entry, wanted.from) {
        (Some(entry), None) => inclusion(&rooms.audit, entry).await,
        (None, Some(from)) => growth(&rooms.audit, from).await,
        (Some(_), Some(_)) | (None, None) => {
            Err(ApiError::malformed("name what is to be proved: entry, or from, one of the two"))
        }
    }
}

async fn inclusion(audit: &Audit, entry: u64) -> Answer<Json<AuditProof>> {
    let proof = audit.prove_entry(entry).await?;
    Ok(Json(AuditProof {
        checkpoint: proof.checkpoint.note.to_string(),
        entry: Some(readable(&proof.recorded)),
        record: Some(proof.record),
        from: None,
        from_root: None,
        hashes: proof.hashes.iter().map(merkle::to_base64).collect(),
    }))
}

async fn growth(audit: &Audit, from: u64) -> Answer<Json<AuditProof>> {
    let proof = audit.prove_growth(from).await?;
    Ok(Json(AuditProof {
        checkpoint: proof.checkpoint.note.to_string(),
        entry: None,
        record: None,
        from: Some(proof.from),
        from_root: Some(merkle::to_base64(&proof.root)),
        hashes: proof.hashes.iter().map(merkle::to_base64).collect(),
    }))
}
