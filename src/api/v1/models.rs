//! Templates as the models that clients list: those that the caller may use.
//!
//! One shape serves both APIs' clients, which read past what they do not know.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::edge::json;
use crate::api::body::{Parameters, Segment};
use crate::api::error::{Answer, ApiError};
use crate::api::gate::Caller;
use crate::api::router::Shared;
use crate::control_plane::template::{Listing, Summary};
use crate::domain::failure::Class;
use crate::domain::name::TemplateName;
use crate::protocol::page::PAGE_ITEMS_MAX;

/// `?limit&after_id` of Anthropic's list; OpenAI's has no pages, and is whole where nothing is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct ModelsQuery {
    /// How many, 1 to 1,000; all where it is not given.
    limit: Option<usize>,
    /// The last of the page before.
    after_id: Option<String>,
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    created: i64,
    created_at: String,
    owned_by: &'static str,
    display_name: &'a str,
    description: Option<&'a str>,
}

/// Lists the templates that the caller may use, as both OpenAI's and Anthropic's clients read it.
#[utoipa::path(get, path = "/v1/models", tag = "models", params(ModelsQuery),
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = serde_json::Value), (status = "5XX", body = serde_json::Value)))]
pub(in crate::api) async fn list(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(query): Parameters<ModelsQuery>,
) -> Answer<Response> {
    let limit = match query.limit {
        Some(limit) if !(1..=PAGE_ITEMS_MAX).contains(&limit) => {
            let why = format!("limit is not between 1 and {PAGE_ITEMS_MAX}");
            return Err(ApiError::malformed(why).about("limit"));
        }
        limit => limit.unwrap_or(usize::MAX),
    };
    let unreadable = |_| ApiError::malformed("after_id is no name of a template").about("after_id");
    let after: Option<TemplateName> = query.after_id.map(|after| after.parse()).transpose().map_err(unreadable)?;
    let listings = rooms.templates.list();
    let begin = after.map_or(0, |after| listings.partition_point(|listing| listing.name <= after));
    let mut usable = Vec::new();
    let mut has_more = false;
    for listing in listings.iter().skip(begin) {
        let Some(template) = &listing.template else { continue };
        if !rooms.admission.may_use_by_name(&caller.0, &listing.name).await {
            continue;
        }
        if usable.len() >= limit {
            has_more = true;
            break;
        }
        usable.push((listing, template));
    }
    let data: Vec<Model<'_>> = usable.iter().map(|(listing, template)| model(listing, template)).collect();
    let (first_id, last_id) = (data.first().map(|first| first.id), data.last().map(|last| last.id));
    Ok(answer(json(&Models { object: "list", data, has_more, first_id, last_id })))
}

/// Shows a template that the caller may use, as both OpenAI's and Anthropic's clients read it.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "models", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = serde_json::Value), (status = "5XX", body = serde_json::Value)))]
pub(in crate::api) async fn show(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
) -> Answer<Response> {
    let name: TemplateName = name.parse().map_err(|_| unknown())?;
    let listing = rooms.templates.listing(&name).ok_or_else(unknown)?;
    let template = listing.template.as_ref().ok_or_else(unknown)?;
    if !rooms.admission.may_use_by_name(&caller.0, &name).await {
        return Err(unknown());
    }
    Ok(answer(json(&model(&listing, template))))
}

fn model<'a>(listing: &'a Listing, template: &'a Summary) -> Model<'a> {
    Model {
        id: listing.name.as_str(),
        object: "model",
        kind: "model",
        created: template.published_at.micros().div_euclid(1_000_000),
        created_at: template.published_at.to_string(),
        owned_by: "agent-factory",
        display_name: listing.name.as_str(),
        description: template.description.as_deref(),
    }
}

fn answer(body: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Whoever may not use a template is told that it is not there.
pub(super) fn unknown() -> ApiError {
    ApiError::new(Class::NotFound, "template_not_found", "there is no such template; /v1/models lists those that are")
        .about("model")
}
