//! What a model is asked: the template's words, what was said before, the order's input, and what of the answer there is. Pure.

use super::memory::Memory;
use crate::control_plane::admission::WorkOrder;
use crate::data_plane::provider::{Message, Part, Request, Role};
use crate::domain::private::Text;
use crate::journal::dialogue::{Dialogue, Sampling};

/// What asks a model to go on with an answer that broke off. The answer so far stands before it as the model's own.
const GO_ON: &str = "Your answer above was cut off. Continue it from exactly where it stops: repeat nothing, do not comment on \
                     the interruption, and begin with the very next character.";

/// What the present call builds on, beside the order.
#[derive(Debug, Clone, Default)]
pub(super) struct SoFar {
    /// The answer that is to be refined.
    pub(super) last_answer: Option<Text>,
    /// The beginning of the present answer, where one broke off.
    pub(super) arrived: Text,
}

/// A conversation whose texts have not been filtered yet.
pub(super) struct Draft(Dialogue);

impl Draft {
    /// The conversation that an order asks for.
    pub(super) fn of(order: &WorkOrder, memory: &Memory, so_far: SoFar) -> Self {
        let asked = order.order();
        let mut said = asked.dialogue.as_deref().cloned().unwrap_or_default();
        let mut messages = memory.messages();
        messages.append(&mut said.messages);
        if !asked.input.is_empty() || messages.is_empty() {
            messages.push(Message::said(Role::User, asked.input.clone()));
        }
        // Of all answers so far the last one is enough: a prompt does not grow with the number of passes.
        if let Some(answer) = so_far.last_answer {
            messages.push(Message::said(Role::Assistant, answer));
            messages.push(Message::said(Role::User, order.template().refine.prompt.clone()));
        }
        if !so_far.arrived.is_empty() {
            messages.push(Message::said(Role::Assistant, so_far.arrived));
            messages.push(Message::said(Role::User, GO_ON));
        }
        Self(Dialogue { messages, ..said })
    }

    /// Everything in it that must be filtered before it leaves.
    pub(super) fn texts(&mut self) -> Vec<Text> {
        self.0.written_mut().filter(|text| !text.is_empty()).map(|text| text.clone()).collect()
    }

    /// The request, with the filtered texts in the place of [`Self::texts`]. The template's own words are not filtered: they are
    /// signed. `written` tokens of the answer are there already.
    pub(super) fn filtered(mut self, texts: Vec<Text>, order: &WorkOrder, written: u32, key: String) -> Request {
        for (place, text) in self.0.written_mut().filter(|text| !text.is_empty()).zip(texts) {
            *place = text;
        }
        let (template, said) = (order.template(), self.0);
        let most = template.model.max_output_tokens.min(said.max_output_tokens.unwrap_or(u32::MAX));
        let temperature = said.sampling.temperature.or(template.model.temperature);
        Request {
            system: joined(&template.system_prompt, &said.system),
            messages: said.messages,
            tools: said.tools,
            choice: said.choice,
            format: said.format,
            sampling: Sampling { temperature, ..said.sampling },
            max_output_tokens: most.saturating_sub(written).max(1),
            idempotency_key: key,
        }
    }
}

/// Everything in a request that costs input tokens, pictures left out.
pub(super) fn counted(request: &Request) -> Vec<Text> {
    let written = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Call(call) => Some([&call.name, call.arguments.expose()].concat().into()),
        Part::Result(result) => Some(result.content.clone()),
        Part::Image(_) => None,
    };
    let messages = request.messages.iter().flat_map(|message| &message.parts).filter_map(written);
    let tools = request
        .tools
        .iter()
        .map(|tool| Text::from([&tool.name, tool.description.expose(), tool.parameters.expose()].concat()));
    let schema = match &request.format {
        crate::journal::dialogue::Format::Schema { schema, .. } => Some(schema.clone()),
        crate::journal::dialogue::Format::Text | crate::journal::dialogue::Format::Json => None,
    };
    std::iter::once(request.system.clone()).chain(messages).chain(tools).chain(schema).collect()
}

fn joined(template: &Text, client: &Text) -> Text {
    match (template.is_empty(), client.is_empty()) {
        (_, true) => template.clone(),
        (true, false) => client.clone(),
        (false, false) => [template.expose(), "\n\n", client.expose()].concat().into(),
    }
}
