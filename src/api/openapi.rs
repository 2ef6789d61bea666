//! `/openapi.json`: made from the handlers' own declarations.

use std::sync::OnceLock;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as Description, RefOr};
use utoipa::{Modify, OpenApi};

use super::error::PROBLEM_JSON;
use super::router::{self, Route};
use super::statuses::{self, Shape};
use super::{
    agents, audit, backup, budgets, chaos, compat, decisions, dlp, encryption, erasures, events, experiments, export,
    policy, spending, status, tasks, templates, tree, v1, versions,
};
use crate::protocol::problem::Problem;

/// Where clients of models are answered in words of their own.
const OF_MODELS: &str = "/v1/";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Agent Factory control API",
        description = "Agents, tasks, templates, budgets and their supervision on one host. A body is read as JSON, whatever \
            its Content-Type says. Every refusal and failure is a problem (RFC 9457), but below /v1, where it is an error as \
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
        audit::export,
        audit::checkpoint,
        audit::proof,
        audit::verify,
        audit::key,
        encryption::show,
        encryption::rotate,
        erasures::begin,
        erasures::list,
        erasures::show,
        export::export,
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
    modifiers(&Refusals)
)]
struct Document;

/// Says of every route how it is guarded and what it answers when it refuses or fails, which the handlers' declarations leave open:
/// each status that there is, and that a failure is a problem, but below `/v1`.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut Description) {
        for route in router::table() {
            let Some(operation) = operation(document, &route) else { continue };
            if route.permission.is_some() {
                operation.security = Some(GUARDS.map(|(name, _)| SecurityRequirement::new(name, NONE)).to_vec());
            }
            // The handlers' names are alike, and an operation's must be its own.
            operation.operation_id = Some(id(&route));
            explain(operation, &route);
        }
        let components = document.components.get_or_insert_default();
        for (name, scheme) in GUARDS {
            components.add_security_scheme(name, scheme());
        }
    }
}

/// How those who ask over TCP say who they are; over the socket the kernel does. The names of requirements and what they mean.
const GUARDS: [(&str, Scheme); 2] = [("token", token), ("certificate", certificate)];
/// Makes the description of one.
type Scheme = fn() -> SecurityScheme;
/// Neither has scopes.
const NONE: [&str; 0] = [];

fn token() -> SecurityScheme {
    SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))
}

fn certificate() -> SecurityScheme {
    let description = Some("a client certificate, where api.tls has a client_ca_file".to_owned());
    SecurityScheme::MutualTls { description, deprecated: None, extensions: None }
}

fn operation<'a>(document: &'a mut Description, route: &Route) -> Option<&'a mut Operation> {
    let item = document.paths.paths.get_mut(route.path)?;
    let known = [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
    ];
    known.into_iter().find(|(method, _)| *method == route.method).and_then(|(_, operation)| operation.as_mut())
}

/// The method and the path in one word: `post_factory_tasks_id_cancel`.
fn id(route: &Route) -> String {
    let path = route.path.replace(['{', '}'], "");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [route.method.as_str().to_ascii_lowercase().as_str()].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

/// Whether a status is in a range.
type IsIn = fn(&StatusCode) -> bool;

/// Puts each status in the place of `4XX` and `5XX`.
fn explain(operation: &mut Operation, route: &Route) {
    let in_path =
        |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(it) if it.parameter_in == ParameterIn::Path);
    let has_query = !operation.parameters.iter().flatten().all(in_path);
    let has_body = operation.request_body.is_some();
    let (method, is_public) = (&route.method, route.permission.is_none());
    let statuses = statuses::of(Shape { method, path: route.path, is_public, has_query, has_body });
    let responses = &mut operation.responses.responses;
    let ranges: [(&str, IsIn); 2] = [("4XX", StatusCode::is_client_error), ("5XX", StatusCode::is_server_error)];
    for (range, is_in) in ranges {
        let Some(RefOr::T(declared)) = responses.remove(range) else { continue };
        for status in statuses.iter().filter(|status| is_in(status)) {
            let mut response = declared.clone();
            response.description = status.canonical_reason().unwrap_or_default().to_owned();
            if !route.path.starts_with(OF_MODELS)
                && let Some(content) = response.content.swap_remove("application/json")
            {
                response.content.insert(PROBLEM_JSON.to_owned(), content);
            }
            responses.entry(status.as_str().to_owned()).or_insert(RefOr::T(response));
        }
    }
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
    fn every_refusal_is_described_by_its_status_and_as_a_problem() {
        for ((method, path), description) in described() {
            for (status, response) in description["responses"].as_object().expect("responses") {
                let code: u16 = status.parse().expect("a status, not a range of them");
                if code >= 400 && code != 503 && !path.starts_with(OF_MODELS) {
                    let schema = &response["content"][PROBLEM_JSON]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/Problem", "{status} of {method} {path}");
                }
            }
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let names: BTreeSet<_> = described().values().map(|told| told["operationId"].to_string()).collect();
        assert_eq!(names.len(), described().len());
        assert!(names.contains("\"post_factory_tasks_id_cancel\""), "{names:?}");
    }

    #[test]
    fn what_is_guarded_says_how_and_answers_401_and_403() {
        for route in router::table() {
            let description = &described()[&(route.method.to_string(), route.path.to_owned())];
            let guarded = route.permission.is_some();
            assert_eq!(description.contains_key("security"), guarded, "{} {}", route.method, route.path);
            for status in ["401", "403"] {
                assert_eq!(description["responses"].get(status).is_some(), guarded, "{} {}", route.method, route.path);
            }
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
