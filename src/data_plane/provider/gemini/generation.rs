//! How a `generateContent` answer is to be made.

use serde::Serialize;
use serde_json::value::RawValue;

use super::signature::Generation;
use crate::data_plane::provider::calling;
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Format, Part, Request, Sampling};
use crate::journal::dialogue::Image;

/// The most texts at which an answer can be told to end.
const STOP_SEQUENCES_MAX: usize = 5;
const JSON: &str = "application/json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'a> {
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_resolution: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Thinking {
    ThinkingBudget(u32),
    ThinkingLevel(&'static str),
}

/// All of it.
///
/// # Errors
/// [`Error::Unsupported`].
pub(super) fn config<'a>(model: &str, request: &'a Request) -> Result<GenerationConfig<'a>, Error> {
    let sampling = &request.sampling;
    let (response_mime_type, response_json_schema) = format(&request.format)?;
    Ok(GenerationConfig {
        max_output_tokens: request.max_output_tokens,
        temperature: within(sampling.temperature, 0.0, 2.0, "a temperature outside 0 to 2")?,
        top_p: within(sampling.top_p, 0.0, 1.0, "a top_p outside 0 to 1")?,
        top_k: sampling.top_k,
        stop_sequences: stops(sampling)?,
        seed: sampling
            .seed
            .map(i32::try_from)
            .transpose()
            .map_err(|_| Error::Unsupported { what: "so large a seed" })?,
        presence_penalty: within(sampling.presence_penalty, -2.0, 2.0, "a presence penalty outside -2 to 2")?,
        frequency_penalty: within(sampling.frequency_penalty, -2.0, 2.0, "a frequency penalty outside -2 to 2")?,
        response_mime_type,
        response_json_schema,
        thinking_config: thinking(model, sampling)?,
        media_resolution: media_resolution(request)?,
    })
}

fn within(value: Option<f64>, least: f64, most: f64, what: &'static str) -> Result<Option<f64>, Error> {
    match value {
        Some(value) if !(least..=most).contains(&value) => Err(Error::Unsupported { what }),
        value => Ok(value),
    }
}

fn stops(sampling: &Sampling) -> Result<&[String], Error> {
    match sampling.stop.len() {
        0..=STOP_SEQUENCES_MAX => Ok(&sampling.stop),
        _ => Err(Error::Unsupported { what: "more than five texts to stop at" }),
    }
}

/// A schema is always followed; its name has no place.
fn format(format: &Format) -> Result<(Option<&'static str>, Option<Box<RawValue>>), Error> {
    match format {
        Format::Text => Ok((None, None)),
        Format::Json => Ok((Some(JSON), None)),
        Format::Schema { schema, .. } => match calling::object(schema.expose()) {
            Some(schema) => Ok((Some(JSON), Some(schema))),
            None => Err(Error::Unsupported { what: "an answer's schema that is no JSON object" }),
        },
    }
}

/// Models until 2.5 take a number of tokens, later ones a word. The numbers are those that Google's own OpenAI endpoint puts for
/// the words.
fn thinking(model: &str, sampling: &Sampling) -> Result<Option<Thinking>, Error> {
    let Some(effort) = sampling.reasoning_effort.as_deref() else { return Ok(None) };
    let thinking = match (Generation::of(model), effort) {
        (Generation::Second, "none") => Thinking::ThinkingBudget(0),
        (Generation::Second, "minimal" | "low") => Thinking::ThinkingBudget(1_024),
        (Generation::Second, "medium") => Thinking::ThinkingBudget(8_192),
        (Generation::Second, "high") => Thinking::ThinkingBudget(24_576),
        (Generation::Later, "minimal") => Thinking::ThinkingLevel("minimal"),
        (Generation::Later, "low") => Thinking::ThinkingLevel("low"),
        (Generation::Later, "medium") => Thinking::ThinkingLevel("medium"),
        (Generation::Later, "high") => Thinking::ThinkingLevel("high"),
        (Generation::Second | Generation::Later, _) => {
            return Err(Error::Unsupported { what: "this reasoning effort" });
        }
    };
    Ok(Some(thinking))
}

/// How closely pictures are looked at is one setting for all of them.
fn media_resolution(request: &Request) -> Result<Option<&'static str>, Error> {
    let mut wished = request.messages.iter().flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::Image(Image { detail, .. }) => Some(detail.as_deref().unwrap_or("auto")),
        Part::Text(_) | Part::Call(_) | Part::Result(_) => None,
    });
    let first = wished.next().unwrap_or("auto");
    if wished.any(|other| other != first) {
        return Err(Error::Unsupported { what: "pictures at different details" });
    }
    match first {
        "auto" => Ok(None),
        "low" => Ok(Some("MEDIA_RESOLUTION_LOW")),
        "high" => Ok(Some("MEDIA_RESOLUTION_HIGH")),
        _ => Err(Error::Unsupported { what: "this detail of a picture" }),
    }
}
