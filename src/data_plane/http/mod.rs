//! HTTP to what the settings name, for rooms that call something outside: providers and tools.
//!
//! ```text
//! provider ─┐   Endpoint::post ─> Answer ┐
//!           ├─>                          ├─ TCP, TLS or a Unix socket      Key: read anew at each use
//! tool ─────┘   Endpoint::open ─> Stream ┘
//!                                  └─ bytes ─> Events: server-sent events
//! ```
//!
//! Each room says in its own errors what a failure here means to it; this one only tells what was sent.
//!
//! INVARIANT: [`Error::Unreachable`] and [`Error::MissingKey`] say that nothing was sent.
//! INVARIANT: no key and nothing of a body is in an error.

mod endpoint;
mod error;
mod key;
mod patience;
mod sse;
mod stream;

pub(crate) use endpoint::{Answer, Endpoint, Headers, KeyHeader, Opened, Post};
pub(crate) use error::Error;
pub(crate) use key::Key;
pub(crate) use sse::{Events, Overlong};
pub(crate) use stream::Stream;
