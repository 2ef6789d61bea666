//! What a model is asked: the template's words, what was said before, the order's input, and what of the answer there is. Pure.

use super::memory::Memory;
use crate::control_plane::admission::WorkOrder;
use crate::control_plane::budget::tokens::Input;
use crate::data_plane::provider::{Message, Part, Request, Role};
use crate::domain::model::Abilities;
use crate::domain::private::Text;
use crate::journal::dialogue::{Dialogue, Format, Sampling, needs};

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
pub(super) struct Draft {
    said: Dialogue,
    goes_on: bool,
}

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
        let goes_on = !so_far.arrived.is_empty();
        if goes_on {
            messages.push(Message::said(Role::Assistant, so_far.arrived));
            messages.push(Message::said(Role::User, GO_ON));
        }
        Self { said: Dialogue { messages, ..said }, goes_on }
    }

    /// Whether it goes on with an answer that broke off.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Everything that is asked beside the template's own words, as bytes.
    pub(super) fn encoded(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "writing to memory is infallible, and so is encoding these fields")]
        minicbor::to_vec(&self.said).expect("encodes plain fields into memory")
    }

    /// Everything in it that must be filtered before it leaves: what persons, programs and models wrote, and where the answer is to
    /// stop.
    pub(super) fn texts(&mut self) -> Vec<Text> {
        let mut texts: Vec<Text> =
            self.said.written_mut().filter(|text| !text.is_empty()).map(|text| text.clone()).collect();
        texts.extend(self.said.sampling.stop.iter().map(|stop| Text::from(stop.as_str())));
        texts
    }

    /// Everything in it that leaves as it is or not at all, a line each: names, which answers refer to, and addresses of pictures.
    pub(super) fn fixed(&self) -> Option<Text> {
        let lines: Vec<&str> = self.said.named().collect();
        (!lines.is_empty()).then(|| lines.join("\n").into())
    }

    /// Whether there is a picture in it.
    pub(super) fn has_images(&self) -> bool {
        self.said.images() > 0
    }

    /// The request, with the filtered texts in the place of [`Self::texts`]. The template's own words are not filtered: they are
    /// signed. `written` tokens of the answer are there already.
    pub(super) fn filtered(mut self, texts: Vec<Text>, order: &WorkOrder, written: u32, key: String) -> Request {
        let mut texts = texts.into_iter();
        for (place, text) in self.said.written_mut().filter(|text| !text.is_empty()).zip(texts.by_ref()) {
            *place = text;
        }
        for (place, text) in self.said.sampling.stop.iter_mut().zip(texts) {
            text.expose().clone_into(place);
        }
        let (template, said) = (order.template(), self.said);
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

/// What of a request costs input tokens.
pub(super) fn input(request: &Request) -> Input {
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
        Format::Schema { schema, .. } => Some(schema.clone()),
        Format::Text | Format::Json => None,
    };
    let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
    Input {
        texts: std::iter::once(request.system.clone()).chain(messages).chain(tools).chain(schema).collect(),
        messages: count(request.messages.len()).saturating_add(1),
        tools: count(request.tools.len()),
        images: count(images(request)),
    }
}

/// What a model must be able to do for a request.
pub(super) fn abilities(request: &Request) -> Abilities {
    needs(!request.tools.is_empty(), images(request), &request.format)
}

fn images(request: &Request) -> usize {
    request.messages.iter().map(Message::images).fold(0, usize::saturating_add)
}

fn joined(template: &Text, client: &Text) -> Text {
    match (template.is_empty(), client.is_empty()) {
        (_, true) => template.clone(),
        (true, false) => client.clone(),
        (false, false) => [template.expose(), "\n\n", client.expose()].concat().into(),
    }
}
