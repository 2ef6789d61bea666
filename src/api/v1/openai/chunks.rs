//! A stream as Chat Completions says it: chunks with what is new, and a word at the end.

use serde::Serialize;

use super::answer::{self, Call};
use crate::api::error::Told;
use crate::api::v1::edge::{Dialect, json};
use crate::api::v1::outcome::{Outcome, Stop};
use crate::api::v1::stream::Words;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;

/// The stream's words.
pub(super) struct Chunks {
    /// What every chunk begins with.
    head: String,
    model: String,
    with_usage: bool,
}

/// What is new in a chunk.
#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Numbered<'a>; 1]>,
}

#[derive(Serialize)]
struct Numbered<'a> {
    index: usize,
    #[serde(flatten)]
    call: Call<'a>,
}

impl Chunks {
    pub(super) fn new(model: &str, with_usage: bool) -> Self {
        Self { head: String::new(), model: model.to_owned(), with_usage }
    }

    fn chunk(&self, delta: &Delta<'_>, finish_reason: Option<&str>, out: &mut String) {
        let (delta, reason) = (json(delta), json(&finish_reason));
        let usage = if self.with_usage { r#","usage":null"# } else { "" };
        let choice =
            [r#"[{"index":0,"delta":"#, &delta, r#","logprobs":null,"finish_reason":"#, &reason, "}]"].concat();
        self.line(&choice, usage, out);
    }

    fn line(&self, choices: &str, usage: &str, out: &mut String) {
        for part in ["data: ", &self.head, choices, usage, "}\n\n"] {
            out.push_str(part);
        }
    }
}

impl Words for Chunks {
    fn begin(&mut self, task: TaskId, out: &mut String) {
        let created = Timestamp::now().micros().div_euclid(1_000_000);
        let model = json(&self.model);
        self.head = format!(
            r#"{{"id":"chatcmpl-{task}","object":"chat.completion.chunk","created":{created},"model":{model},"choices":"#
        );
        self.chunk(&Delta { role: Some("assistant"), content: Some(""), ..Delta::default() }, None, out);
    }

    fn text(&mut self, text: &str, out: &mut String) {
        self.chunk(&Delta { content: Some(text), ..Delta::default() }, None, out);
    }

    fn end(&mut self, outcome: &Outcome<'_>, rest: &str, out: &mut String) {
        match (outcome.stop, rest) {
            (_, "") => {}
            (Stop::Declined, rest) if rest.len() == outcome.text.len() => {
                self.chunk(&Delta { refusal: Some(rest), ..Delta::default() }, None, out);
            }
            (_, rest) => self.text(rest, out),
        }
        for (index, call) in outcome.calls.iter().enumerate() {
            let tool_calls = Some([Numbered { index, call: answer::call(call) }]);
            self.chunk(&Delta { tool_calls, ..Delta::default() }, None, out);
        }
        self.chunk(&Delta::default(), Some(answer::finish_reason(outcome.stop)), out);
        if self.with_usage {
            let usage = [r#","usage":"#, &json(&answer::used(outcome.task.usage()))].concat();
            self.line("[]", &usage, out);
        }
        out.push_str("data: [DONE]\n\n");
    }

    fn fail(&mut self, told: &Told, out: &mut String) {
        for part in ["data: ", &Dialect::OpenAi.error(told, None), "\n\n"] {
            out.push_str(part);
        }
    }

    fn alive(&self, out: &mut String) {
        out.push_str(": alive\n\n");
    }
}
