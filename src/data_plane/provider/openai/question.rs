//! The body of a Chat Completions request.

use serde::Serialize;

use crate::data_plane::provider::exchange::{Request, Role};

/// Under which name the limit on the output is sent. OpenAI's own service has replaced `max_tokens`, and its newer models
/// refuse the old name; every other server knows `max_tokens`, and many know nothing else. So the host decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitField {
    MaxTokens,
    MaxCompletionTokens,
}

impl LimitField {
    pub(super) fn of_host(host: &str) -> Self {
        if host == "api.openai.com" || host.ends_with(".openai.azure.com") {
            Self::MaxCompletionTokens
        } else {
            Self::MaxTokens
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    stream: bool,
}

#[derive(Serialize)]
struct Said {
    role: &'static str,
    content: String,
}

/// Writes the body.
pub(super) fn body(model: &str, request: &Request, limit: LimitField) -> Vec<u8> {
    let system =
        (!request.system.is_empty()).then(|| Said { role: "system", content: request.system.expose().to_owned() });
    let turns = request.messages.iter().map(|message| {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        Said { role, content: message.text().expose().to_owned() }
    });
    let only = |wanted| (limit == wanted).then_some(request.max_output_tokens);
    let body = Body {
        model,
        messages: system.into_iter().chain(turns).collect(),
        max_tokens: only(LimitField::MaxTokens),
        max_completion_tokens: only(LimitField::MaxCompletionTokens),
        temperature: request.sampling.temperature.filter(|value| value.is_finite()),
        stream: false,
    };
    // Writing text and numbers into memory cannot fail; an empty body would be rejected by the provider.
    serde_json::to_vec(&body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::provider::exchange::{Message, Sampling};

    fn request() -> Request {
        let messages = vec![
            Message::said(Role::User, "One?"),
            Message::said(Role::Assistant, "1"),
            Message::said(
                Role::User,
                "Two?
",
            ),
        ];
        let request = Request::new("Answer \"briefly\".".into(), messages, 64, "k".to_owned());
        Request { sampling: Sampling { temperature: Some(0.2), ..Sampling::default() }, ..request }
    }

    #[test]
    fn the_body_is_as_the_format_wants_it() {
        let text = String::from_utf8(body("qwen", &request(), LimitField::MaxTokens)).expect("text");
        assert_eq!(
            text,
            concat!(
                r#"{"model":"qwen","messages":[{"role":"system","content":"Answer \"briefly\"."},"#,
                r#"{"role":"user","content":"One?"},{"role":"assistant","content":"1"},"#,
                r#"{"role":"user","content":"Two?\n"}],"max_tokens":64,"temperature":0.2,"stream":false}"#
            )
        );
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        let bare = Request { system: "".into(), sampling: Sampling::default(), ..request() };
        let text = String::from_utf8(body("gpt", &bare, LimitField::of_host("api.openai.com"))).expect("text");
        assert!(
            !text.contains("system") && !text.contains("temperature") && !text.contains("\"max_tokens\""),
            "{text}"
        );
        assert!(text.contains("\"max_completion_tokens\":64"), "{text}");
    }
}
