//! A stream as Messages says it: named events, block by block.

use super::answer;
use crate::api::error::Told;
use crate::api::v1::edge::{Dialect, json};
use crate::api::v1::outcome::Outcome;
use crate::api::v1::stream::Words;
use crate::domain::id::TaskId;
use crate::domain::usage::Usage;
use crate::journal::dialogue::ToolCall;

/// The stream's words.
pub(super) struct Events {
    model: String,
    task: Option<TaskId>,
    /// The number of the next block.
    next: usize,
    text_is_open: bool,
}

impl Events {
    pub(super) fn new(model: &str) -> Self {
        Self { model: model.to_owned(), task: None, next: 0, text_is_open: false }
    }

    fn event(name: &str, rest: &str, out: &mut String) {
        for part in ["event: ", name, "\ndata: {\"type\":\"", name, "\"", rest, "}\n\n"] {
            out.push_str(part);
        }
    }

    fn start_block(&self, block: &str, out: &mut String) {
        Self::event("content_block_start", &format!(r#","index":{},"content_block":{block}"#, self.next), out);
    }

    fn grow_block(&self, delta: &str, out: &mut String) {
        Self::event("content_block_delta", &format!(r#","index":{},"delta":{delta}"#, self.next), out);
    }

    fn stop_block(&mut self, out: &mut String) {
        Self::event("content_block_stop", &format!(r#","index":{}"#, self.next), out);
        self.next = self.next.saturating_add(1);
    }

    fn call(&mut self, call: &ToolCall, out: &mut String) {
        let (id, name) = (json(&call.id), json(&call.name));
        self.start_block(&format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{{}}}}"#), out);
        let input = json(&answer::input(call));
        self.grow_block(&format!(r#"{{"type":"input_json_delta","partial_json":{input}}}"#), out);
        self.stop_block(out);
    }
}

impl Words for Events {
    fn begin(&mut self, task: TaskId, out: &mut String) {
        self.task = Some(task);
        let (model, usage) = (json(&self.model), json(&answer::used(Usage::default())));
        let message = format!(
            r#","message":{{"id":"msg_{task}","type":"message","role":"assistant","model":{model},"content":[],"stop_reason":null,"stop_sequence":null,"usage":{usage}}}"#
        );
        Self::event("message_start", &message, out);
    }

    fn text(&mut self, text: &str, out: &mut String) {
        if !self.text_is_open {
            self.text_is_open = true;
            self.start_block(r#"{"type":"text","text":""}"#, out);
        }
        self.grow_block(&format!(r#"{{"type":"text_delta","text":{}}}"#, json(&text)), out);
    }

    fn end(&mut self, outcome: &Outcome<'_>, rest: &str, out: &mut String) {
        if !rest.is_empty() {
            self.text(rest, out);
        }
        if std::mem::take(&mut self.text_is_open) {
            self.stop_block(out);
        }
        for call in outcome.calls {
            self.call(call, out);
        }
        let (reason, sequence) = (answer::stop_reason(outcome.stop), json(&answer::stop_sequence(outcome)));
        let usage = json(&answer::used(outcome.task.usage()));
        let delta = format!(r#","delta":{{"stop_reason":"{reason}","stop_sequence":{sequence}}},"usage":{usage}"#);
        Self::event("message_delta", &delta, out);
        Self::event("message_stop", "", out);
    }

    fn fail(&mut self, told: &Told, out: &mut String) {
        let task = self.task.map(|task| task.to_string());
        for part in ["event: error\ndata: ", &Dialect::Anthropic.error(told, task.as_deref()), "\n\n"] {
            out.push_str(part);
        }
    }

    fn alive(&self, out: &mut String) {
        Self::event("ping", "", out);
    }
}
