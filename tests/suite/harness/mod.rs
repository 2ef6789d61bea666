//! A daemon of its own for each test, a model provider that does what the test says, and ways to talk to both.
//!
//! ```text
//! Workshop (directory, key, signed templates, settings) -> Daemon (child process) -> Client, Raw, factoryctl
//!                                                              |
//!                                                              v
//!                                                          Provider (in the test's own process; with a meter)
//! ```
//!
//! Nothing here sleeps for a guessed time: [`until`] waits for a condition and fails after [`PATIENCE`].

mod authority;
mod clock;
mod daemon;
mod process;
mod provider;
mod raw;
mod waiting;
mod workshop;

pub(crate) use authority::{Authority, is_cut, write_secret};
pub(crate) use clock::Clock;
pub(crate) use daemon::{Daemon, code};
pub(crate) use process::{Ended, factoryctl, factoryctl_with, factoryd};
pub(crate) use provider::{
    Answer, Asked, Billed, COST, Counts, Cut, Fault, Format, Gate, Provider, Reply, Reported, Tariff, ToolCall,
};
pub(crate) use raw::{RawAnswer, raw, raw_over};
pub(crate) use waiting::{PATIENCE, joined, on_a_thread, until, within};
pub(crate) use workshop::{KEY_ID, Workshop};
