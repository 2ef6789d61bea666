//! What a request brings: a text, perhaps a question about it, and what to put first.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::asked::{Asked, asked, part};
use super::segment;
use crate::data_plane::provider::exchange::{Message, Part, Request, Role};
use crate::domain::private::Text;

/// How much of the text is read, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// How much of the system prompt tells what to put first, in bytes.
const FOCUS_BYTES_MAX: usize = 2 * 1024;

/// What the answer puts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    Summary,
    Findings,
    Figures,
}

/// What a request brings.
#[derive(Debug)]
pub(super) struct Material<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) asked: Asked<'a>,
    pub(super) focus: Focus,
    /// How many bytes of the text were too many to read.
    pub(super) left_out: usize,
}

/// Reads a request. The last thing that the user said counts; where that only asks, what came before is the text.
pub(super) fn read(request: &Request) -> Material<'_> {
    let users = request.messages.iter().rev().filter(|message| message.role == Role::User);
    let mut said = users.map(words);
    let last = said.next().unwrap_or_default();
    let (text, asked) = match fields(last) {
        Some(fields) => from_fields(fields),
        None => {
            let (text, asked) = part(last);
            (Cow::Borrowed(text), asked)
        }
    };
    let focus = focus(request.system.expose());
    if !text.trim().is_empty() || asked == Asked::Nothing {
        return bounded(Material { text, asked, focus, left_out: 0 });
    }
    let mut earlier: Vec<&str> = said.collect();
    earlier.reverse();
    let earlier = earlier.join("\n\n");
    if earlier.trim().is_empty() {
        return bounded(Material { text: last.into(), asked: Asked::Unanswerable, focus, left_out: 0 });
    }
    bounded(Material { text: earlier.into(), asked, focus, left_out: 0 })
}

/// The last text of a message, which is what it asks; a picture or a tool's result before it is not read.
fn words(message: &Message) -> &str {
    message.parts.iter().rev().find_map(Part::text).map(Text::expose).unwrap_or_default()
}

fn bounded(mut material: Material<'_>) -> Material<'_> {
    let kept = segment::prefix(&material.text, TEXT_BYTES_MAX).len();
    material.left_out = material.text.len().saturating_sub(kept);
    match &mut material.text {
        Cow::Borrowed(text) => *text = text.get(..kept).unwrap_or_default(),
        Cow::Owned(text) => text.truncate(kept),
    }
    material
}

/// An input that was an object reaches models as compact JSON.
fn fields(text: &str) -> Option<Map<String, Value>> {
    let text = text.trim();
    let object = text.len() <= TEXT_BYTES_MAX && text.starts_with('{') && text.ends_with('}');
    if object { serde_json::from_str(text).ok() } else { None }
}

fn from_fields(fields: Map<String, Value>) -> (Cow<'static, str>, Asked<'static>) {
    const ASKING: &[&str] = &["question", "query", "instruction", "instructions", "task", "prompt"];
    let (mut text, mut request) = (String::new(), Asked::Nothing);
    for (name, value) in fields {
        match value {
            Value::String(words) if request == Asked::Nothing && ASKING.contains(&name.as_str()) => {
                let question = matches!(asked(&words), Asked::Question(_));
                request = if question { Asked::Question(words.into()) } else { Asked::Instruction(words.into()) };
            }
            Value::String(words) => text.extend([words.as_str(), "\n\n"]),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                text.extend([name.as_str(), ": ", other.to_string().as_str(), "\n\n"]);
            }
        }
    }
    (text.into(), request)
}

/// What the system prompt asks for first: whichever group of words comes up most in it.
fn focus(system: &str) -> Focus {
    const FINDINGS: &[&str] =
        &["review", "security", "audit", "vulnerab", "defect", "sécurité", "relecture", "faille", "revue"];
    const FIGURES: &[&str] = &["analyst", "figure", "number", "amount", "statistic", "chiffre", "montant", "analyste"];
    const SUMMARY: &[&str] = &["document", "summar", "report", "synthès", "résum", "rapport"];
    let system = segment::prefix(system, FOCUS_BYTES_MAX).to_lowercase();
    let hits = |words: &[&str]| words.iter().map(|word| system.matches(word).count()).fold(0, usize::saturating_add);
    let (findings, figures, summary) = (hits(FINDINGS), hits(FIGURES), hits(SUMMARY));
    if findings > figures && findings > summary {
        Focus::Findings
    } else if figures > summary {
        Focus::Figures
    } else {
        Focus::Summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(system: &str, said: &[&str]) -> Request {
        let said = said.iter().map(|text| Message::said(Role::User, *text));
        Request::new(system.into(), said.collect(), 100, String::new())
    }

    #[test]
    fn a_question_alone_is_about_what_came_before() {
        let turns = request("", &["It rains in Paris.", "Where does it rain?"]);
        let material = read(&turns);
        assert_eq!(material.text, "It rains in Paris.");
        assert_eq!(material.asked, Asked::Question("Where does it rain?".into()));
        assert_eq!(read(&request("", &["Where does it rain?"])).asked, Asked::Unanswerable);
    }

    #[test]
    fn objects_are_read_by_their_fields() {
        let object = request("", &[r#"{"question":"Who?","document":"Ann did.","year":2024}"#]);
        let material = read(&object);
        assert_eq!(material.asked, Asked::Question("Who?".into()));
        assert!(material.text.contains("Ann did.") && material.text.contains("year: 2024"), "{}", material.text);
    }

    #[test]
    fn the_system_prompt_sets_the_focus() {
        let table = [
            ("You review code and report security defects.", Focus::Findings),
            ("You are an analyst: give amounts and figures.", Focus::Figures),
            ("You summarise documents.", Focus::Summary),
            ("", Focus::Summary),
        ];
        for (system, expected) in table {
            assert_eq!(focus(system), expected, "{system}");
        }
    }

    #[test]
    fn the_text_is_bounded() {
        let long = "é".repeat(TEXT_BYTES_MAX);
        let material = request("", &[&long]);
        let material = read(&material);
        assert_eq!((material.text.len(), material.left_out), (TEXT_BYTES_MAX, TEXT_BYTES_MAX));
    }
}
