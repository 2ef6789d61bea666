//! Request + principal -> [`WorkOrder`], which nothing else can build.
//!
//! ```text
//! Submission ─ draining? ─ may they? ─ sizes ─ used before? ─ places ─ template ─ route ─ worst case reserved ─> Ticket
//!      └───────────────────────────── no: Refusal, on record in the audit log ─────────────────────────────┘
//! ```
//!
//! A route's models that have no price, cannot do what the call needs, are too short for it or may cost more than the route allows
//! are passed over ([`route`]); what suits the first step is all that the work order knows of.
//!
//! INVARIANT: a refusal changes nothing but the audit log; an admission becomes durable with its task, its idempotency key and
//! its audit entry in one batch, or not at all.

mod actor;
mod closed;
mod handle;
mod on_record;
mod order;
mod placement;
pub mod policy;
mod readmission;
mod reconciling;
mod recover;
mod refusal;
mod repeat;
mod room;
pub mod route;
mod routing;
pub mod submission;
mod usage;

pub use closed::{Closed, Standing};
pub use handle::{Admission, Admitted, FreeAgent, Means, Quarantined, Readiness, Ticket, Unready};
pub use order::{WorkOrder, payer_of};
pub use readmission::Readmitted;
pub use refusal::Refusal;
pub use repeat::{KEY_LIFETIME, task_of as task_of_idempotency_key};
pub use room::OPEN_INPUT_BYTES_MAX;
pub use routing::Routes;
pub use submission::NewAgent;
