//! `/factory/templates/{name}`: its versions, and going back.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::body::{JsonBody, PageQuery, Parameters, Segment, id, parse};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use super::{render, templates};
use crate::control_plane::audit::Entry;
use crate::control_plane::template::experiment;
use crate::control_plane::template::{
    Compared, DIGEST_DIGITS_MIN, Difference, Error, Event, Listing, PublishedVersion, Side, Target,
};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure as _;
use crate::domain::name::{Digest, TemplateName, Version};
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;
use crate::protocol::template::{
    RollBack, Template, TemplateChange, TemplateDiff, TemplatePublication, TemplateSide, TemplateVersion,
};

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

/// `?version=` or `?digest=`: one of the two, or none.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// A version that was published, with the content that it had last.
    version: Option<String>,
    /// How the digest of a published content begins: 8 to 64 hexadecimal digits.
    digest: Option<String>,
}

impl VersionQuery {
    pub(super) fn target(self) -> Answer<Option<Target>> {
        match (self.version, self.digest) {
            (None, None) => Ok(None),
            (version, digest) => target(version, digest).map(Some),
        }
    }
}

/// `?from=&to=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// A version, a digest of at least 8 digits, `current`, `file` or `previous`; `previous` where it is not given.
    from: Option<String>,
    /// The same; `current` where it is not given.
    to: Option<String>,
}

/// Shows what is different between two contents of a template, each with all that it inherits.
#[utoipa::path(get, path = "/factory/templates/{name}/diff", tag = "templates",
    params(("name" = String, Path), DiffQuery),
    responses((status = 200, body = TemplateDiff), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn diff(
    State(rooms): State<Shared>,
    Segment(name): Segment,
    Parameters(query): Parameters<DiffQuery>,
) -> Answer<Json<TemplateDiff>> {
    let name: TemplateName = id("template", &name)?;
    let from = query.from.as_deref().map_or(Ok(Side::Previous), |text| side("from", text))?;
    let to = query.to.as_deref().map_or(Ok(Side::Current), |text| side("to", text))?;
    let Compared { from, to, differences } = rooms.templates.compare(&name, from, to).await?;
    let told = |(version, digest): (Version, Digest)| TemplateSide {
        version: version.to_string(),
        digest: digest.to_string(),
    };
    let changes = differences.into_iter().map(change).collect();
    Ok(Json(TemplateDiff { name: name.to_string(), from: told(from), to: told(to), changes }))
}

fn change(difference: Difference) -> TemplateChange {
    let Difference { pointer, from, to } = difference;
    let kind = match (&from, &to) {
        (None, _) => "added",
        (Some(_), None) => "removed",
        (Some(_), Some(_)) => "changed",
    };
    TemplateChange { pointer, kind: kind.to_owned(), from, to }
}

/// A word, a version, or how a digest begins. Versions have dots, and digests have none.
fn side(field: &str, text: &str) -> Answer<Side> {
    match text {
        "current" => Ok(Side::Current),
        "file" => Ok(Side::File),
        "previous" => Ok(Side::Previous),
        version if version.contains('.') => Ok(Side::Published(Target::Version(parse(field, version)?))),
        digest => digits(digest.to_owned()).map(|digits| Side::Published(Target::Digest(digits))),
    }
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
    let target = target(wanted.version, wanted.digest)?;
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "rollback_template").on(&name);
    let entry = Entry { reason: Some(format!("to {target}").into()), ..entry };
    let ended = Entry::allowed(now, (&*caller.0).into(), "end_experiment").on(&name);
    let own = name.clone();
    whole(&name, async move {
        let outcome = rooms.templates.roll_back(&own, target, entry.clone()).await;
        if outcome.is_ok() {
            rooms.experiments.yield_to_rollback(&own, caller.0.name.to_string(), ended).await;
        }
        answer(&rooms, outcome, entry).await
    })
    .await
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
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "lift_rollback").on(&name);
    let ended = Entry::allowed(now, (&*caller.0).into(), "end_experiment").on(&name);
    let own = name.clone();
    whole(&name, async move {
        rooms.experiments.end_before_lift(&own, caller.0.name.to_string(), ended).await?;
        let outcome = rooms.templates.lift(&own, entry.clone()).await;
        answer(&rooms, outcome, entry).await
    })
    .await
}

/// Does all of it, also where whoever asked goes away meanwhile: a rollback and the end of an experiment belong together.
async fn whole(
    name: &TemplateName,
    change: impl Future<Output = Answer<Json<Template>>> + Send + 'static,
) -> Answer<Json<Template>> {
    tokio::spawn(change).await.map_err(|_| experiment::Error::Interrupted(name.clone()))?
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
fn target(version: Option<String>, digest: Option<String>) -> Answer<Target> {
    match (version, digest) {
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
