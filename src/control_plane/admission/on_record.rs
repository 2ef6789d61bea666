//! What is decided about a task while it runs, for the audit log.

use super::handle::Admission;
use crate::control_plane::audit::{Entry, Who};
use crate::domain::clock::Timestamp;
use crate::journal::order::Order;
use crate::store::Batch;

/// The role of who asked for something through a task of theirs.
const TASK: &str = "task";

impl Admission {
    /// The entry of the audit log that something a task was about to do was refused, with a code and why in words that hold nothing
    /// sensitive. Commit it together with what follows from that.
    #[must_use]
    pub fn on_record(&self, order: &Order, action: &str, (code, why): (&str, &str), at: Timestamp) -> Batch {
        let tenant = Some(order.tenant.clone());
        let who = Who { name: order.principal.as_str().into(), role: TASK.into(), tenant, uid: None };
        self.means.audit.batch(Entry::refused(at, who, action, code, why).on(order.task))
    }
}
