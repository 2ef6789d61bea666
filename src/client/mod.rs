//! A typed client of the control API: what a Rust program imports to talk to `factoryd`, and all that `factoryctl` knows of it.
//!
//! ```text
//!  verb (tasks.rs, agents.rs, …) -> Call -> Client::exchange -> pool -> Connection (hyper) -> Unix socket,
//!                                               |                                      or TCP with TLS (Place)
//!                                               |  one retry, only where repeating is safe
//!                                               v
//!                                    Answer -> protocol type | Error
//! ```
//!
//! Whoever waits for an answer also drives its connection: no task is spawned, and dropping a call closes its connection.
//!
//! # Invariants
//! 1. A request is sent a second time only if it surely was not taken, or if repeating it changes nothing.
//! 2. Every body, wait and pool has a limit named in [`limits`].
//! 3. The client imports `protocol` and `domain` only, so that it can be used without the daemon.
//!
//! # Example
//! ```no_run
//! use std::time::Duration;
//!
//! use agent_factory::client::Client;
//! use agent_factory::protocol::task::SubmitTask;
//!
//! # async fn example() -> Result<(), agent_factory::client::Error> {
//! let client = Client::new("/run/factoryd/control.sock");
//! let work = SubmitTask {
//!     template_name: Some("documentaliste".into()),
//!     input: "What does this sentence say?".into(),
//!     ..SubmitTask::default()
//! };
//! let task = client.submit(&work, Some("order-1001"), Duration::from_secs(30)).await?;
//! println!("{:?} for {} USD: {}", task.state, task.cost_usd, task.output);
//! # Ok(())
//! # }
//! ```

mod agents;
mod audit;
mod backup;
mod budgets;
mod call;
mod connection;
mod daemon;
mod download;
mod encryption;
mod erasures;
mod error;
mod exchange;
pub mod limits;
mod place;
mod sse;
mod stream;
mod tasks;
mod templates;

pub use call::{Answer, Call};
pub use download::Download;
pub use error::Error;
pub use exchange::Client;
pub use place::{Credentials, Place, Remote};
pub use stream::EventStream;

#[cfg(test)]
mod tests;
