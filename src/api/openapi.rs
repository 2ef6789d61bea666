//! `/openapi.json`: made from the handlers' own declarations.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi as Description, PathItem, RefOr};
use utoipa::{Modify, OpenApi};

use super::error::PROBLEM_JSON;
use super::{
    agents, audit, backup, budgets, chaos, compat, decisions, dlp, events, experiments, policy, spending, status,
    tasks, templates, tree, v1, versions,
};
use crate::protocol::problem::Problem;

/// Where clients of models are answered in words of their own.
const OF_MODELS: &str = "/v1/";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Agent Factory control API",
        description = "Agents, tasks, templates, budgets and their supervision on one host. A body is read as JSON, whatever \
            its Content-Type says. Every 4XX and 5XX is a problem (RFC 9457), but below /v1, where it is an error as \
            OpenAI's or Anthropic's API has it; a route that is asked with another method \
            answers 405 with Allow, and HEAD is answered wherever GET is."
    ),
    paths(
        agents::create,
        agents::list,
        agents::show,
        agents::stop,
        agents::release,
        tasks::submit,
        tasks::list,
        tasks::show,
        tasks::events,
        tasks::cancel,
        decisions::approve,
        decisions::reject,
        decisions::retry,
        decisions::signal,
        tasks::feedback,
        templates::list,
        templates::schema,
        templates::show,
        versions::list,
        versions::diff,
        versions::roll_back,
        versions::lift,
        experiments::start,
        experiments::show,
        experiments::end,
        policy::show,
        budgets::list,
        budgets::show,
        budgets::set,
        budgets::unset,
        spending::history,
        spending::reservations,
        spending::doubts,
        spending::reconcile,
        dlp::scan,
        dlp::rules,
        audit::list,
        backup::take,
        tree::show,
        chaos::kill,
        tree::release,
        events::follow,
        status::health,
        status::ready,
        status::prometheus,
        status::metrics,
        show,
        compat::create_agent,
        compat::execute_task,
        v1::openai::chat,
        v1::anthropic::messages,
        v1::anthropic::count,
        v1::models::list,
        v1::models::show,
    ),
    modifiers(&Problems)
)]
struct Document;

/// Gives every problem its media type, which the handlers' declarations leave to be JSON. Failures below `/v1` are no problems.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut Description) {
        let of_ours = document.paths.paths.iter_mut().filter(|(path, _)| !path.starts_with(OF_MODELS));
        let operations = of_ours.flat_map(|(_, path)| operations(path));
        for (status, response) in operations.flat_map(|operation| &mut operation.responses.responses) {
            if let ("4XX" | "5XX", RefOr::T(response)) = (status.as_str(), response)
                && let Some(content) = response.content.swap_remove("application/json")
            {
                response.content.insert(PROBLEM_JSON.to_owned(), content);
            }
        }
    }
}

/// The methods that the router knows.
fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.put, &mut path.post, &mut path.delete].into_iter().flatten()
}

/// Describes every route.
#[utoipa::path(get, path = "/openapi.json", tag = "status",
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = Problem)))]
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

/// The document, made when it is first asked for.
fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    // The document is plain data; serialising it has no way to fail.
    TEXT.get_or_init(|| Document::openapi().to_json().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Map, Value};

    use super::super::router;
    use super::*;

    /// What the document says of each method of each path.
    fn described() -> BTreeMap<(String, String), Map<String, Value>> {
        let document: Value = serde_json::from_str(text()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths").clone();
        let methods = |(path, item): (String, Value)| {
            let item = item.as_object().expect("an object").clone();
            item.into_iter().map(move |(method, operation)| {
                ((method.to_uppercase(), path.clone()), operation.as_object().expect("an operation").clone())
            })
        };
        paths.into_iter().flat_map(methods).collect()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let described: BTreeSet<_> = described().into_keys().collect();
        let served: Vec<_> =
            router::table().into_iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
        assert_eq!(served.len(), described.len());
        assert_eq!(served.into_iter().collect::<BTreeSet<_>>(), described);
    }

    #[test]
    fn only_what_says_how_the_daemon_is_and_what_it_serves_is_public() {
        let public = router::table().into_iter().filter(|route| route.permission.is_none());
        assert_eq!(public.map(|route| route.path).collect::<Vec<_>>(), ["/health", "/ready", "/openapi.json"]);
    }

    #[test]
    fn every_refusal_is_described_as_a_problem() {
        let ours = described().into_iter().filter(|((_, path), _)| !path.starts_with(OF_MODELS));
        for (operation, description) in ours {
            let schema = &description["responses"]["4XX"]["content"][PROBLEM_JSON]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{operation:?}");
        }
    }

    #[test]
    fn parameters_are_described_where_they_are_read() {
        for ((method, path), description) in described() {
            let parameters = description.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            for parameter in &parameters {
                let name = parameter["name"].as_str().expect("a name");
                let place = match name {
                    _ if path.contains(&format!("{{{name}}}")) => "path",
                    "Idempotency-Key" => "header",
                    _ => "query",
                };
                assert_eq!(parameter["in"], place, "{name} of {method} {path}");
            }
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{method} {path}");
        }
    }
}
