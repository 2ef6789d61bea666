//! What leaves the host and what comes back passes here, on its way to and from models and tools.

use std::sync::Arc;
use std::time::Duration;

use super::environment::Environment;
use super::pause::transient;
use super::prompt::Draft;
use crate::control_plane::admission::WorkOrder;
use crate::data_plane::dlp::{self, Consent, Protected, Vault};
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::{Protection, Rules};
use crate::journal::order::Order;

/// How often a text whose filter workers ended is filtered again.
const FILTER_REPEATS_MAX: u32 = 3;
/// The pause before that, in which the workers are started anew.
const FILTER_PAUSE: Duration = Duration::from_millis(100);

/// Passes texts through the filter. A text can lose its worker to somebody else's fault; one that loses it every time is taken to
/// be the fault, and does not pass. Beside the rules come the consents to what they would have a person asked about.
pub(crate) async fn filter(
    environment: &Environment,
    texts: Vec<Text>,
    (rules, consents): (&Rules, &Arc<[Consent]>),
    tenant: &Tenant,
) -> Result<Protected, dlp::Error> {
    let protect = |texts| environment.dlp.protect_with(texts, rules.clone(), Arc::clone(consents), tenant);
    for _ in 0..FILTER_REPEATS_MAX {
        match protect(texts.clone()).await {
            Err(dlp::Error::Failed { .. }) => tokio::time::sleep(FILTER_PAUSE).await,
            filtered => return filtered,
        }
    }
    protect(texts).await
}

/// As [`filter`], for texts of a step that has started: it waits until the filter has room.
pub(crate) async fn filter_patiently(
    environment: &Environment,
    texts: &[Text],
    rules: (&Rules, &Arc<[Consent]>),
    tenant: &Tenant,
) -> Result<Protected, dlp::Error> {
    loop {
        match filter(environment, texts.to_vec(), rules, tenant).await {
            Err(error) if transient(&error).is_some() => {
                tokio::time::sleep(transient(&error).unwrap_or_default()).await;
            }
            filtered => return filtered,
        }
    }
}

/// What leaves for the model. Pictures and names leave as they are or not at all.
pub(super) async fn outbound(
    environment: &Environment,
    order: &WorkOrder,
    draft: &mut Draft,
    protection: &Protection,
    consents: &Arc<[Consent]>,
) -> Result<Protected, dlp::Error> {
    let tenant = &order.order().tenant;
    if draft.has_images() && !protection.lets_images_pass() {
        return Err(dlp::Error::Image);
    }
    if let Some(fixed) = draft.fixed().filter(|_| !protection.outbound.lets_all_pass()) {
        filter(environment, vec![fixed], (&protection.outbound.or_block(), consents), tenant).await?;
    }
    filter(environment, draft.texts(), (&protection.outbound, consents), tenant).await
}

/// What a restored text must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing more than a text.
    Text,
    /// JSON, where it is JSON.
    Json,
}

/// How something that a provider or a tool wrote is made fit to be heard.
pub(crate) struct Fit<'a> {
    /// What is done with what is found in it.
    pub(crate) rules: &'a Rules,
    /// What it was told in pseudonyms.
    pub(crate) vault: &'a Vault,
    /// What it must stay.
    pub(crate) shape: Shape,
}

/// What a provider or a tool wrote passes the inbound filter before pseudonyms become the owner's data again.
pub(crate) async fn check(
    environment: &Environment,
    order: &Order,
    Fit { rules, vault, shape }: Fit<'_>,
    text: &Text,
) -> Result<Text, dlp::Error> {
    let text = if rules.lets_all_pass() {
        text.clone()
    } else {
        // The answer is paid for: it waits until the filter has room.
        let protected =
            filter_patiently(environment, std::slice::from_ref(text), (rules, &Arc::default()), &order.tenant).await?;
        protected.texts.into_iter().next().unwrap_or_default()
    };
    Ok(match shape {
        Shape::Text => vault.restore(&text),
        Shape::Json => vault.restore_json(&text),
    })
}

/// Names that a provider made up, of calls for instance: others refer to them, so that they pass as they are or not at all.
pub(super) async fn check_names(
    environment: &Environment,
    order: &Order,
    rules: &Rules,
    names: Vec<Text>,
) -> Result<(), dlp::Error> {
    if rules.lets_all_pass() || names.is_empty() {
        return Ok(());
    }
    filter_patiently(environment, &names, (&rules.or_block(), &Arc::default()), &order.tenant).await.map(drop)
}
