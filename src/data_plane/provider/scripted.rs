//! A provider inside a test's own thread, where no socket carries paused time on: it answers as a script says.

use std::cell::RefCell;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::error::Error;
use super::exchange::{Completion, Deltas, Request};
use crate::domain::name::ModelRef;

/// What becomes of a call; dropped where its caller hangs up.
///
/// A script that is given somebody who listens may tell pieces; it then tells all of them.
pub(crate) type Script =
    Arc<dyn Fn(ModelRef, Request, Option<Deltas>) -> BoxFuture<'static, Result<Completion, Error>> + Send + Sync>;

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// The thread's providers answer by script as long as this is held.
pub(crate) struct Scripted;

impl Drop for Scripted {
    fn drop(&mut self) {
        drop(SCRIPT.take());
    }
}

/// Lets every provider that this thread makes from now on answer by `script`, `builtin` left out.
pub(crate) fn answer_by(script: Script) -> Scripted {
    SCRIPT.set(Some(script));
    Scripted
}

pub(super) fn script() -> Option<Script> {
    SCRIPT.with_borrow(Clone::clone)
}
