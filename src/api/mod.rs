//! The control API: HTTP/1.1 with JSON over the Unix socket and, where it is on, a TCP listener: in the clear on
//! loopback, with TLS anywhere.
//!
//! ```text
//! listener ─ peer, token or certificate ─> gate (who? may they?) ─> a handler per resource ─> rooms ─> answer, problem or events
//! ```
//!
//! A file per resource. `router` names every route with the permission that it needs; there is no other way to a handler.
//! `error` alone maps classes of failure to statuses. Handlers decide nothing: they parse, ask a room, and render.
//!
//! INVARIANT: whatever a handler answers about a resource, its tenant has been compared with the principal's.

mod agents;
mod audit;
mod backup;
mod body;
mod budgets;
mod chaos;
mod compat;
mod decisions;
mod dlp;
mod encryption;
mod erasures;
mod error;
mod events;
mod experiments;
mod export;
mod fault;
mod gate;
mod listener;
mod openapi;
mod policy;
mod render;
mod rooms;
mod router;
mod socket;
mod spending;
mod status;
mod statuses;
mod tasks;
mod templates;
#[cfg(test)]
mod tests;
mod tls;
mod tree;
mod v1;
mod versions;

pub use listener::{Listener, Sockets};
pub use rooms::{Readiness, Rooms};
pub use socket::{BindError, bind};
pub use tls::{Error as TlsError, Tls};
