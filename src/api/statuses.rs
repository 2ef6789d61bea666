//! Which statuses a route answers when it refuses or fails: what `/openapi.json` says in place of the `4XX` and `5XX` of the handlers'
//! declarations. A handler that answers another one declares it itself.

use axum::http::{Method, StatusCode};

/// What decides which statuses a route may answer with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    /// Whether anybody may ask.
    pub(super) is_public: bool,
    /// Whether it reads a query.
    pub(super) has_query: bool,
    /// Whether it reads a body.
    pub(super) has_body: bool,
}

/// Routes that run a task, and spend: a budget may refuse it, and it may be too large for any model.
const SPENDING: [&str; 5] =
    ["/factory/tasks", "/factory/tasks/{id}/retry", "/factory/execute_task", "/v1/chat/completions", "/v1/messages"];
/// Routes whose answer is that of the task, so that a provider's failure is theirs.
const OF_THE_TASK: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];

/// The statuses of refusals and failures, in order.
pub(super) fn of(shape: Shape<'_>) -> Vec<StatusCode> {
    use StatusCode as S;
    let Shape { method, path, is_public, has_query, has_body } = shape;
    if is_public {
        return Vec::new();
    }
    let changes = method != Method::GET;
    let spends = changes && SPENDING.contains(&path);
    let of_the_task = OF_THE_TASK.contains(&path);
    let known = [
        (S::BAD_REQUEST, has_query || has_body || path.contains('{')),
        (S::UNAUTHORIZED, true),
        (S::PAYMENT_REQUIRED, spends),
        (S::FORBIDDEN, true),
        (S::NOT_FOUND, path.contains('{') || changes),
        (S::CONFLICT, changes),
        (S::PAYLOAD_TOO_LARGE, has_body || spends),
        (S::UNPROCESSABLE_ENTITY, changes || path.contains('{')),
        (S::TOO_MANY_REQUESTS, true),
        (S::INTERNAL_SERVER_ERROR, true),
        (S::BAD_GATEWAY, of_the_task),
        (S::SERVICE_UNAVAILABLE, true),
    ];
    known.into_iter().filter_map(|(status, answered)| answered.then_some(status)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_there_where_something_can_bring_it_about() {
        let shape = |method, path| Shape { method, path, is_public: false, has_query: false, has_body: false };
        let told = |shape| of(shape).iter().map(StatusCode::as_u16).collect::<Vec<_>>();
        assert_eq!(told(shape(&Method::GET, "/factory/tree")), [401, 403, 429, 500, 503]);
        assert_eq!(told(Shape { has_query: true, ..shape(&Method::GET, "/x") }), [400, 401, 403, 429, 500, 503]);
        assert_eq!(told(shape(&Method::GET, "/x/{id}")), [400, 401, 403, 404, 422, 429, 500, 503]);
        let submit = Shape { has_body: true, ..shape(&Method::POST, "/factory/tasks") };
        assert_eq!(told(submit), [400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 503]);
        assert_eq!(
            told(Shape { has_query: true, ..shape(&Method::GET, "/factory/tasks") }),
            [400, 401, 403, 429, 500, 503]
        );
        assert_eq!(told(Shape { is_public: true, ..submit }), <[u16; 0]>::default());
    }
}
