//! `/factory/templates`.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::body::{Parameters, Segment, id};
use super::error::{Answer, ApiError};
use super::render;
use super::router::Shared;
use super::versions::VersionQuery;
use crate::control_plane::template::{Kind, Listing, SCHEMA};
use crate::domain::name::TemplateName;
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;
use crate::protocol::template::{Template, TemplateRolledBack};

/// The media type of a JSON Schema (draft-bhutton-json-schema-01, section 14.1).
const SCHEMA_JSON: &str = "application/schema+json";

/// Lists templates by name.
#[utoipa::path(get, path = "/factory/templates", tag = "templates",
    responses((status = 200, body = Page<Template>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(State(rooms): State<Shared>) -> Json<Page<Template>> {
    let items = rooms.templates.list().iter().map(rendered).collect();
    Json(Page { items, next: None })
}

/// Serves the JSON Schema of template files, for editors and checkers.
#[utoipa::path(get, path = "/factory/templates/schema", tag = "templates",
    responses((status = 200, content_type = "application/schema+json", body = serde_json::Value),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn schema() -> Response {
    ([(CONTENT_TYPE, SCHEMA_JSON)], SCHEMA).into_response()
}

/// Shows a template with everything that it inherits: as it is served, or as it was published earlier.
#[utoipa::path(get, path = "/factory/templates/{name}", tag = "templates",
    params(("name" = String, Path), VersionQuery),
    responses((status = 200, body = Template), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(
    State(rooms): State<Shared>,
    Segment(name): Segment,
    Parameters(query): Parameters<VersionQuery>,
) -> Answer<Json<Template>> {
    let name: TemplateName = id("template", &name)?;
    if let Some(target) = query.target()? {
        let listing = rooms.templates.published(&name, target).await?;
        return Ok(Json(Template { resolved: listing.resolved()?, ..rendered(&listing) }));
    }
    let listing = rooms.templates.listing(&name).ok_or_else(|| ApiError::not_found("template"))?;
    Ok(Json(Template { resolved: listing.resolved()?, ..rendered(&listing) }))
}

/// A template as the API tells it, with all that it inherits.
pub(super) fn rendered(listing: &Listing) -> Template {
    let template = listing.template.as_ref();
    let version = template.map(|template| &template.version).or(listing.file_version.as_ref());
    Template {
        name: listing.name.to_string(),
        version: version.map(ToString::to_string).unwrap_or_default(),
        digest: template.map(|template| template.digest.to_string()).unwrap_or_default(),
        kind: template.map_or(Kind::Agent.as_str(), |template| template.kind).to_owned(),
        status: listing.status.as_str().to_owned(),
        environment: listing.environment.as_ref().map(ToString::to_string),
        description: template.and_then(|template| template.description.clone()),
        capabilities: template.map(|t| t.capabilities.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        signature: template.and_then(|template| template.signer.as_ref()).map(render::signature),
        published_at: template.map(|template| template.published_at.to_string()),
        reasons: listing.reasons.clone(),
        rolled_back: listing.rolled_back.as_ref().map(|mark| TemplateRolledBack {
            version: mark.version.to_string(),
            digest: mark.digest.to_string(),
            by: mark.by.to_string(),
            at: mark.at.to_string(),
            from: mark.from.as_ref().map(ToString::to_string),
        }),
        pending: listing.pending.as_ref().map(|pending| pending.version.to_string()),
        resolved: None,
    }
}
