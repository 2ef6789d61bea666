//! `/factory/encryption`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::error::Answer;
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::protocol::encryption::{Encryption, Keys};
use crate::protocol::problem::Problem;
use crate::store::{self, Store};

/// Says how encryption at rest is, and how far records are that are being sealed anew.
#[utoipa::path(get, path = "/factory/encryption", tag = "store",
    responses((status = 200, body = Encryption), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>) -> Answer<Json<Encryption>> {
    Ok(Json(told(rooms.journal.store()).await?))
}

/// Gives every tenant and user, and the host, a new key, and has all records sealed with it in the background; the keys of before
/// are destroyed when that is done.
#[utoipa::path(post, path = "/factory/encryption/rotate", tag = "store",
    responses((status = 202, body = Encryption), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn rotate(State(rooms): State<Shared>, caller: Caller) -> Answer<(StatusCode, Json<Encryption>)> {
    let store = rooms.journal.store();
    rooms.audit.record(Entry::allowed(Timestamp::now(), (&*caller.0).into(), "rotate_keys")).await?;
    store.rotate_keys().await?;
    Ok((StatusCode::ACCEPTED, Json(told(store).await?)))
}

async fn told(store: &Store) -> Result<Encryption, store::Error> {
    let status = store.read(|store| store.encryption()).await?;
    let Some(status) = status else {
        return Ok(Encryption { state: "off".to_owned(), keys: None, looked_at: 0, resealed: 0, unreadable: 0 });
    };
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let keys = Keys {
        current: count(status.keys.current),
        replaced: count(status.keys.replaced),
        destroyed: count(status.keys.destroyed),
        damaged: count(status.keys.damaged),
        generation: status.keys.generation,
        wraps: status.keys.wraps,
    };
    Ok(Encryption {
        state: if status.is_pending { "sealing" } else { "sealed" }.to_owned(),
        keys: Some(keys),
        looked_at: status.looked_at,
        resealed: status.resealed,
        unreadable: status.unreadable,
    })
}
