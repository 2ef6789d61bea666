//! The gate that every guarded route passes: who asks, not too often, and may they?

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::body;
use super::error::{Answer, ApiError};
use super::router::Shared;
use crate::control_plane::access::{self, Peer, Permission, Principal, TooOften};
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure};
use crate::domain::name::Tenant;
use crate::domain::private::Secret;

/// Where Anthropic's clients put their key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where a connection comes from; the listener puts it into every request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// The Unix socket: the kernel says who.
    Peer(Peer),
    /// The TCP listener: a token says who.
    Tcp,
}

/// Who asks, once the gate has let them in.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Arc<Principal>);

impl Caller {
    /// Whether what belongs to a tenant may be seen. What is another tenant's does not exist.
    pub(super) fn owns(&self, tenant: &Tenant) -> bool {
        self.0.tenant.as_ref().is_none_or(|own| own == tenant)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let unguarded = || ApiError::new(Class::Internal, "caller_unknown", "the route does not say who asks");
        parts.extensions.get().cloned().ok_or_else(unguarded)
    }
}

/// Finds out who asks and whether they may, then lets the request through with its [`Caller`].
pub(super) async fn pass(
    State((rooms, permission)): State<(Shared, Permission)>,
    mut request: Request,
    next: Next,
) -> Response {
    let origin = request.extensions().get::<Origin>().copied();
    let token = token(&request);
    let uid = if let Some(Origin::Peer(peer)) = &origin { Some(peer.uid) } else { None };
    let principal = match identify(&rooms, origin, token).await {
        Ok(principal) => principal,
        Err(error) => {
            body::discard(request).await;
            return turn_away(&rooms, uid, error).await.into_response();
        }
    };
    // Before anything else is asked, so that refusals, which are audited, are bounded as well.
    if let Err(refusal) = rooms.access.admit(&principal) {
        body::discard(request).await;
        return slow_down(&rooms, &principal, permission, refusal).await.into_response();
    }
    if let Err(refusal) = access::authorise(&principal, permission, None) {
        body::discard(request).await;
        return refuse(&rooms, &principal, permission, refusal).await.into_response();
    }
    request.extensions_mut().insert(Caller(Arc::new(principal)));
    next.run(request).await
}

async fn identify(rooms: &Shared, origin: Option<Origin>, token: Option<Secret>) -> Answer<Principal> {
    match (origin, token) {
        // Over the socket only peer credentials count; whatever keys a client library sends are ignored.
        (Some(Origin::Peer(peer)), _) => Ok(rooms.access.peer(peer).await?),
        (Some(Origin::Tcp), Some(token)) => Ok(rooms.access.token(token.expose(), Timestamp::now())?),
        (Some(Origin::Tcp), None) => Ok(rooms.access.anonymous()?),
        (None, _) => {
            Err(ApiError::new(Class::Internal, "origin_unknown", "the connection does not say where it comes from"))
        }
    }
}

/// The token of a request: a bearer token, or the key that Anthropic's clients send.
fn token(request: &Request) -> Option<Secret> {
    let text = |name: &HeaderName| request.headers().get(name)?.to_str().ok();
    match text(&AUTHORIZATION) {
        Some(value) => {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
        }
        None => text(&API_KEY).map(|key| Secret::new(key.trim())),
    }
}

/// Somebody whom nobody knows is turned away; a failure to find out who asks is none of theirs.
async fn turn_away(rooms: &Shared, uid: Option<u32>, error: ApiError) -> ApiError {
    if !matches!(error.class(), Class::Unauthenticated | Class::Forbidden) {
        return error;
    }
    let Some(entry) = rooms.access.turned_away(uid, error.code(), Timestamp::now()) else { return error };
    match rooms.audit.record(entry).await {
        Ok(()) => error,
        Err(unrecorded) => unrecorded.into(),
    }
}

/// The audit log has one such refusal of a principal in a minute; the metric counts them all.
async fn slow_down(rooms: &Shared, principal: &Principal, permission: Permission, refusal: TooOften) -> ApiError {
    if refusal.unheard { refuse(rooms, principal, permission, refusal).await } else { refusal.into() }
}

async fn refuse(rooms: &Shared, principal: &Principal, permission: Permission, refusal: impl Failure) -> ApiError {
    let entry =
        Entry::refused(Timestamp::now(), principal.into(), permission.as_str(), refusal.code(), &refusal.detail());
    if let Err(error) = rooms.audit.record(entry).await {
        return error.into();
    }
    refusal.into()
}
