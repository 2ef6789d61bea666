//! `/factory/templates/{name}`: its versions, and going back.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, PageQuery, Parameters, Segment, id, parse};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use super::{render, templates};
use crate::control_plane::audit::Entry;
use crate::control_plane::template::{DIGEST_DIGITS_MIN, Error, Event, Listing, PublishedVersion, Target};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::domain::name::TemplateName;
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;
use crate::protocol::template::{RollBack, Template, TemplatePublication, TemplateVersion};

/// The most times that a content is told to have come into force.
const EVENTS_MAX: usize = 100;
/// The digits of a whole digest.
const DIGEST_DIGITS: usize = 64;

/// Lists the published contents of a template, the newest first.
#[utoipa::path(get, path = "/factory/templates/{name}/versions", tag = "templates",
    params(("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<TemplateVersion>), (status = "4XX", body = Problem),
        (status = "5XX", body = Problem)))]
pub(super) async fn list(
    State(rooms): State<Shared>,
    Segment(name): Segment,
    Parameters(page): Parameters<PageQuery>,
) -> Answer<Json<Page<TemplateVersion>>> {
    let name: TemplateName = id("template", &name)?;
    let limit = page.limit()?;
    let versions = rooms.templates.versions(&name).await?;
    if versions.is_empty() && rooms.templates.listing(&name).is_none() {
        return Err(ApiError::not_found("template"));
    }
    let begin = match &page.after {
        None => 0,
        Some(after) => {
            let last = versions.iter().position(|version| version.digest.to_string() == *after);
            last.map(|last| last.saturating_add(1))
                .ok_or_else(|| ApiError::malformed("after is no digest of a page"))?
        }
    };
    let items: Vec<TemplateVersion> = versions.iter().skip(begin).take(limit).map(version).collect();
    let more = versions.len() > begin.saturating_add(items.len());
    let next = items.last().filter(|_| more).map(|last| last.digest.clone());
    Ok(Json(Page { items, next }))
}

/// Goes back to an earlier version. It serves until that is lifted, whatever is edited, also across restarts.
#[utoipa::path(post, path = "/factory/templates/{name}/rollback", tag = "templates", params(("name" = String, Path)),
    request_body = RollBack,
    responses((status = 200, body = Template), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn roll_back(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
    JsonBody(wanted): JsonBody<RollBack>,
) -> Answer<Json<Template>> {
    let name: TemplateName = id("template", &name)?;
    let target = target(wanted)?;
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "rollback_template").on(&name);
    let entry = Entry { reason: Some(format!("to {target}").into()), ..entry };
    let outcome = rooms.templates.roll_back(&name, target, entry.clone()).await;
    answer(&rooms, outcome, entry).await
}

/// Serves what the file says again, if it is good; else the version that was gone back to goes on.
#[utoipa::path(delete, path = "/factory/templates/{name}/rollback", tag = "templates",
    params(("name" = String, Path)),
    responses((status = 200, body = Template), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn lift(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(name): Segment,
) -> Answer<Json<Template>> {
    let name: TemplateName = id("template", &name)?;
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "lift_rollback").on(&name);
    let outcome = rooms.templates.lift(&name, entry.clone()).await;
    answer(&rooms, outcome, entry).await
}

/// A refusal by a rule is a decision too: it is in the audit log before it is told.
async fn answer(rooms: &Shared, outcome: Result<Listing, Error>, entry: Entry) -> Answer<Json<Template>> {
    match outcome {
        Ok(listing) => Ok(Json(templates::rendered(&listing))),
        Err(refused @ Error::RollbackRefused { .. }) => {
            let told = Entry::refused(entry.at, entry.who, &entry.action, refused.code(), &refused.detail());
            let told = Entry { subject: entry.subject, ..told };
            rooms.audit.record(told).await?;
            Err(refused.into())
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Which version is meant: exactly one of its number and the beginning of its digest.
fn target(wanted: RollBack) -> Answer<Target> {
    match (wanted.version, wanted.digest) {
        (Some(version), None) => Ok(Target::Version(parse("version", &version)?)),
        (None, Some(digest)) => digits(digest).map(Target::Digest),
        (None, None) | (Some(_), Some(_)) => Err(ApiError::malformed("give either version or digest")),
    }
}

fn digits(digest: String) -> Answer<String> {
    let hexadecimal = digest.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if hexadecimal && (DIGEST_DIGITS_MIN..=DIGEST_DIGITS).contains(&digest.len()) {
        return Ok(digest);
    }
    Err(ApiError::malformed(format!(
        "digest: not {DIGEST_DIGITS_MIN} to {DIGEST_DIGITS} lower-case hexadecimal digits"
    )))
}

fn version(version: &PublishedVersion) -> TemplateVersion {
    let first = version.events.last();
    TemplateVersion {
        version: version.version.to_string(),
        digest: version.digest.to_string(),
        own_digest: Some(version.own.to_string()),
        published_at: version.published_at.to_string(),
        signature: version.signer.as_ref().map(render::signature),
        current: version.current,
        cause: first.map(|event| event.cause.as_str().to_owned()),
        by: first.and_then(|event| event.by.told()),
        policy_digest: first.map(|event| event.policy.to_string()),
        publications: version.events.iter().take(EVENTS_MAX).map(publication).collect(),
    }
}

fn publication(event: &Event) -> TemplatePublication {
    TemplatePublication {
        at: event.at.to_string(),
        cause: event.cause.as_str().to_owned(),
        by: event.by.told(),
        policy_digest: event.policy.to_string(),
    }
}
