//! `builtin/echo`: answers with what it was asked last, at once. What a task costs with it is what the daemon itself costs: for
//! measuring, and for trying a template without a model.

use std::time::Duration;

use super::exchange::{Completion, Message, Request, Stop};
use crate::domain::usage::Usage;

/// The model's name.
pub(super) const MODEL: &str = "echo";

pub(super) fn answer(request: &Request) -> Completion {
    Completion {
        text: request.messages.last().map(Message::text).unwrap_or_default(),
        calls: Vec::new(),
        usage: Some(Usage::default()),
        stop: Stop::End,
        model: MODEL.to_owned(),
        notes: Vec::new(),
        elapsed: Duration::ZERO,
    }
}
