//! `/factory/dlp`.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, parse_some};
use super::error::Answer;
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::access;
use crate::data_plane::dlp::{self, Published, RuleOrigin};
use crate::domain::private::Text;
use crate::protocol::dlp::{Rule, Rules, ScanAnswer, ScanFinding, ScanRequest};
use crate::protocol::problem::Problem;

/// Finds personal data and secrets in a text. Nothing of the text is kept.
#[utoipa::path(post, path = "/factory/dlp/scan", tag = "dlp", request_body = ScanRequest,
    responses((status = 200, body = ScanAnswer), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn scan(
    State(rooms): State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<ScanRequest>,
) -> Answer<Json<ScanAnswer>> {
    let tenant = parse_some("tenant", wanted.tenant.as_ref())?;
    let (tenant, _) = access::resolve(&caller.0, tenant, None)?;
    let scanned = rooms.dlp.scan(Text::from(wanted.text), &tenant).await?;
    let findings = scanned.findings.iter().map(|finding| ScanFinding {
        kind: finding.kind.as_str().to_owned(),
        start: finding.start,
        end: finding.end,
        score: finding.score.as_f64(),
    });
    Ok(Json(ScanAnswer { findings: findings.collect(), redacted: scanned.redacted.expose().to_owned() }))
}

/// Shows the rules in force that are data, and why the operator's file is refused if it is.
#[utoipa::path(get, path = "/factory/dlp/rules", tag = "dlp",
    responses((status = 200, body = Rules), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn rules(State(rooms): State<Shared>) -> Json<Rules> {
    let published = rooms.dlp.rules();
    let Published { detectors, file, refused } = &*published;
    let status = match (file, refused.as_slice()) {
        (None, _) => "shipped",
        (Some(_), []) => "published",
        (Some(_), _) => "published_with_refused_edit",
    };
    let rule = |rule: &dlp::Rule| Rule {
        id: rule.id.clone(),
        kind: rule.kind.as_str().to_owned(),
        own: rule.origin == RuleOrigin::Own,
        score: rule.score.as_f64(),
        keywords: rule.keywords.clone(),
        source: (!rule.source.is_empty()).then(|| rule.source.clone()),
    };
    Json(Rules {
        status: status.to_owned(),
        digest: file.as_ref().map(|file| file.digest.clone()),
        since: file.as_ref().map(|file| file.since.to_string()),
        reasons: refused.clone(),
        disabled_rules: detectors.disabled_rules().map(str::to_owned).collect(),
        disabled_types: detectors.disabled_kinds().map(|kind| kind.as_str().to_owned()).collect(),
        allowed_types: detectors.allowed_kinds().map(|kind| kind.as_str().to_owned()).collect(),
        rules: detectors.rules().iter().map(|known| rule(known)).collect(),
    })
}
