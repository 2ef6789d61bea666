//! Asking a person before a tool is called with what the template wants asked about.

use super::unit::{Unit, UnitWork};
use crate::data_plane::agent::Environment;
use crate::data_plane::agent::filter::filter;
use crate::data_plane::agent::release::{ASK, CONSENT_NEEDED, consents, granted, question_of};
use crate::data_plane::dlp;
use crate::domain::clock::Timestamp;
use crate::domain::protection::Action;
use crate::journal::order::Order;
use crate::journal::state::Task;
use crate::store::Batch;

/// The units, with a question in the place of each tool's call that needs a person's leave, and the entries of the audit log for
/// that. Where this cannot be found out the call is begun, and the filter before it refuses what it must.
pub(super) async fn asking(
    environment: &Environment,
    task: &Task,
    order: &Order,
    units: Vec<Unit>,
) -> (Vec<Unit>, Batch) {
    let (protection, mut entries) = (environment.floor.under(&order.protection), Batch::new());
    if !protection.outbound.has(Action::Ask) {
        return (units, entries);
    }
    let (granted, mut asking) = (granted(task), Vec::with_capacity(units.len()));
    for unit in units {
        let release = match &unit.work {
            UnitWork::Tool { tool, input, .. } => {
                let consents = consents(&granted, tool.as_str());
                let rules = (&protection.outbound, &consents);
                match filter(environment, vec![input.clone()], rules, &order.tenant).await {
                    Err(dlp::Error::ConsentNeeded(question)) => question_of(&question, tool.as_str()),
                    Ok(_) | Err(_) => None,
                }
            }
            UnitWork::Delegate { .. }
            | UnitWork::Timer { .. }
            | UnitWork::Approval { .. }
            | UnitWork::Release { .. }
            | UnitWork::Signal { .. } => None,
        };
        asking.push(match release {
            None => unit,
            Some(release) => {
                let why = (CONSENT_NEEDED, release.question());
                let entry = environment.admission.on_record(order, ASK, (why.0, &why.1), Timestamp::now());
                entries = entries.and(entry);
                let work = UnitWork::Release { release: Box::new(release), within: protection.ask_within };
                Unit { work, ..unit }
            }
        });
    }
    (asking, entries)
}
