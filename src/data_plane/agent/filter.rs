//! What leaves the host and what comes back passes here, on its way to and from models and tools.

use std::sync::Arc;
use std::time::Duration;

use super::environment::Environment;
use super::pause::transient;
use crate::data_plane::dlp::{self, Consent, Protected, Vault};
use crate::domain::name::Tenant;
use crate::domain::private::Text;
use crate::domain::protection::Rules;
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

/// As [`filter`], for one text of a step that has started: it waits until the filter has room.
pub(crate) async fn filter_patiently(
    environment: &Environment,
    text: &Text,
    rules: &Rules,
    tenant: &Tenant,
) -> Result<Protected, dlp::Error> {
    loop {
        match filter(environment, vec![text.clone()], (rules, &Arc::default()), tenant).await {
            Err(error) if transient(&error).is_some() => {
                tokio::time::sleep(transient(&error).unwrap_or_default()).await;
            }
            filtered => return filtered,
        }
    }
}

/// What a provider or a tool wrote passes the inbound filter before pseudonyms become the owner's data again.
pub(crate) async fn check(
    environment: &Environment,
    order: &Order,
    vault: &Vault,
    text: &Text,
) -> Result<Text, dlp::Error> {
    let rules = &order.protection.inbound;
    let text = if rules.lets_all_pass() {
        text.clone()
    } else {
        // The answer is paid for: it waits until the filter has room.
        let protected = filter_patiently(environment, text, rules, &order.tenant).await?;
        protected.texts.into_iter().next().unwrap_or_default()
    };
    Ok(vault.restore(&text))
}
