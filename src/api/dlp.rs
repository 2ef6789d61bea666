//! `/factory/dlp/scan`.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, parse_some};
use super::error::Answer;
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::access;
use crate::domain::private::Text;
use crate::protocol::dlp::{ScanAnswer, ScanFinding, ScanRequest};
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
