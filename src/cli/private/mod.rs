//! A daemon of one's own: what the quickstart shows itself on, and what a bench measures where it is given none.
//!
//! ```text
//! workshop (directory, key, signed templates, settings) -> daemon (child process) -> work over its socket
//!     <- removed                                           <- SIGTERM, exit 0
//! ```
//!
//! The daemon is stopped and the directory removed however the work ends, also after Ctrl-C: whoever starts one listens for
//! an [`Interruption`] first.

mod daemon;
mod interruption;
mod workshop;

pub(super) use daemon::Daemon;
pub(super) use interruption::Interruption;
pub(super) use workshop::{SHIPPED, Workshop};
