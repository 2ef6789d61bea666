//! Asking a person before a tool is called with what the template wants asked about.

use super::unit::{Unit, UnitWork};
use crate::data_plane::agent::Environment;
use crate::data_plane::agent::filter::filter;
use crate::data_plane::agent::pause::transient;
use crate::data_plane::agent::release::{ASK, CONSENT_NEEDED, consents, granted, question_of};
use crate::data_plane::dlp;
use crate::domain::clock::Timestamp;
use crate::domain::protection::Action;
use crate::journal::order::Order;
use crate::journal::state::Task;
use crate::store::Batch;

/// Units that were looked at before they start.
pub(super) struct Looked {
    /// Those that may start, with a question in the place of each tool's call that needs a person's leave.
    pub(super) units: Vec<Unit>,
    /// The entries of the audit log for the questions.
    pub(super) entries: Batch,
    /// When to look again at others: the filter was too busy to tell, or away.
    pub(super) again: Option<Timestamp>,
}

/// Finds out which calls of tools need a person's leave. One of which the filter cannot tell for a while does not start: begun, it
/// could not be asked about any more. Where the filter fails otherwise the call is begun, and the filter before it refuses what it
/// must.
pub(super) async fn asking(environment: &Environment, task: &Task, order: &Order, units: Vec<Unit>) -> Looked {
    let (protection, mut entries) = (environment.floor.under(&order.protection), Batch::new());
    if !protection.outbound.has(Action::Ask) {
        return Looked { units, entries, again: None };
    }
    let (granted, mut asking, mut again) = (granted(task), Vec::with_capacity(units.len()), None);
    for unit in units {
        let release = match &unit.work {
            UnitWork::Tool { tool, input, .. } => {
                let consents = consents(&granted, tool.as_str());
                let rules = (&protection.outbound, &consents);
                match filter(environment, vec![input.clone()], rules, &order.tenant).await {
                    Err(dlp::Error::ConsentNeeded(question)) => question_of(&question, tool.as_str()),
                    Err(refusal) => match transient(&refusal) {
                        Some(pause) => {
                            again = again.into_iter().chain([Timestamp::now().after(pause)]).min();
                            continue;
                        }
                        None => None,
                    },
                    Ok(_) => None,
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
    Looked { units: asking, entries, again }
}
