//! The gate that every guarded route passes: who asks, not too often, and may they?

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::body;
use super::error::{Answer, ApiError};
use super::router::Shared;
use crate::control_plane::access::{self, Holder, Peer, Permission, Principal, TooOften};
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure};
use crate::domain::name::Tenant;
use crate::domain::private::Secret;

/// Where Anthropic's clients put their key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where a connection comes from; the listener puts it into every request.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// The Unix socket: the kernel says who.
    Peer(Peer),
    /// The TCP listener: a token says who; where it speaks TLS, a client certificate may, too.
    Tcp(Option<Arc<Holder>>),
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
    let origin = request.extensions().get::<Origin>().cloned();
    let token = token(request.headers());
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

async fn identify(rooms: &Shared, origin: Option<Origin>, token: Result<Option<Secret>, NoToken>) -> Answer<Principal> {
    let origin_unknown =
        || ApiError::new(Class::Internal, "origin_unknown", "the connection does not say where it comes from");
    let certificate = match origin.ok_or_else(origin_unknown)? {
        // Over the socket only peer credentials count; whatever keys a client library sends are ignored.
        Origin::Peer(peer) => return Ok(rooms.access.peer(peer).await?),
        Origin::Tcp(certificate) => certificate,
    };
    match (token.map_err(|NoToken| access::Error::TokenMalformed)?, certificate) {
        // A token decides, also beside a certificate: it is said with each request, and whoever holds the connection may only
        // carry it for somebody else. Falling back to the certificate would give a token that was taken away more than none.
        (Some(token), _) => Ok(rooms.access.token(token.expose(), Timestamp::now())?),
        (None, Some(holder)) => Ok(rooms.access.certificate(&holder)?),
        (None, None) => Ok(rooms.access.anonymous()?),
    }
}

/// A request has something where its token should be, and it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoToken;

/// The token of a request: a bearer token (RFC 6750, section 2.1), or the key that Anthropic's clients send. What is there and is
/// no token is never taken for a request without one, which may be let in where a wrong token is not.
fn token(headers: &HeaderMap) -> Result<Option<Secret>, NoToken> {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| NoToken),
            (Some(_), Some(_)) => Err(NoToken),
        }
    };
    let token = match one(&AUTHORIZATION)? {
        Some(value) => {
            let (scheme, token) = value.split_once(' ').ok_or(NoToken)?;
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(NoToken);
            }
            Some(token.trim_start_matches(' '))
        }
        None => one(&API_KEY)?,
    };
    match token {
        Some(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => Err(NoToken),
        token => Ok(token.map(Secret::new)),
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn told(headers: &[(&'static str, &[u8])]) -> Result<Option<String>, NoToken> {
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).expect("a value");
        let headers: HeaderMap =
            headers.iter().map(|(name, bytes)| (HeaderName::from_static(name), value(bytes))).collect();
        token(&headers).map(|token| token.map(|token| token.expose().to_owned()))
    }

    #[test]
    fn a_token_is_found_where_clients_put_it() {
        let is = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(told(&[]), Ok(None));
        assert_eq!(told(&[("authorization", b"Bearer abc")]), is("abc"));
        assert_eq!(told(&[("authorization", b"bEARER   a.b-c_d~e+f/g=")]), is("a.b-c_d~e+f/g="));
        assert_eq!(told(&[("x-api-key", b"abc")]), is("abc"));
        assert_eq!(told(&[("x-api-key", b"abc"), ("authorization", b"Bearer other")]), is("other"));
    }

    #[test]
    fn what_is_no_token_is_never_taken_for_no_token() {
        for value in
            [&b"Bearer"[..], b"Bearer ", b"Bearer a b", b"Bearer a\tb", b"Basic YTpi", b"abc", b"Bearer \xff", b"\xff"]
        {
            assert_eq!(told(&[("authorization", value)]), Err(NoToken), "{value:?}");
            assert_eq!(told(&[("authorization", value), ("x-api-key", b"abc")]), Err(NoToken), "{value:?}");
        }
        assert_eq!(told(&[("x-api-key", b"a b")]), Err(NoToken));
        assert_eq!(told(&[("x-api-key", b"a"), ("x-api-key", b"a")]), Err(NoToken));
        assert_eq!(told(&[("authorization", b"Bearer a"), ("authorization", b"Bearer a")]), Err(NoToken));
    }
}
