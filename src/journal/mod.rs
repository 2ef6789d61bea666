//! Records, replay, projections: the durable story of every task and agent.
//!
//! ```text
//! Submitted ─> StepStarted ─> StepFinished ─> … ─> Ended ─> FeedbackGiven*
//!                    └──────> StepFailed ─(retry, failover)─> StepStarted …
//!                                                         Ended(failed) ─> RetryRequested ─> StepStarted …
//! ```
//!
//! A task's records are numbered without gaps and written by one writer at a time. The projection ([`state::Task`]) is the
//! fold of its records; the one in memory changes only after its records are durable, so that nobody hears of what a crash
//! could take back. Beside the story, [`Journal::interject`] writes what others say about it: a request to cancel, a
//! decision, a signal, a retry. Of an agent's task a snapshot is written from time to time, with the records that make it due,
//! so that a replay begins there.

pub mod agents;
mod beginning;
pub mod codec;
mod confirming;
pub mod dialogue;
pub mod doubts;
pub mod erasing;
mod error;
pub mod events;
mod following;
mod handle;
mod latches;
mod listing;
pub mod notice;
mod open;
pub mod order;
pub mod outbox;
pub mod ownership;
pub mod policy;
mod protection;
mod reading;
pub mod reconciled;
pub mod record;
mod refusal;
pub mod release;
pub mod retention;
mod retrying;
mod snapshot;
pub mod state;
pub mod stats;
mod step;
pub mod tally;
mod telling;
#[cfg(test)]
pub(crate) mod tests;

pub use beginning::Beginning;
pub use error::Error;
pub use handle::{FEEDBACK_RECORDS_MAX, Journal, RECORDS_MAX};
pub use listing::TaskPage;
pub use open::Custody;
pub use refusal::Refusal;

use crate::store::Record;

/// Encodes a record's body.
#[expect(clippy::expect_used, reason = "a vector takes every byte, and no codec of ours refuses a value")]
pub fn encode<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("CBOR can be written to a vector")
}

/// Decodes a record's body.
///
/// # Errors
/// This version cannot read it.
pub fn decode<T>(record: &Record, whose: &dyn std::fmt::Display, sequence: u64) -> Result<T, Error>
where
    T: for<'b> minicbor::Decode<'b, ()>,
{
    minicbor::decode(&record.body).map_err(|fault| Error::Undecodable {
        task: whose.to_string(),
        sequence,
        reason: fault.to_string(),
    })
}
