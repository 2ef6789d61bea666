//! What a bench asks for, and what counts as an answer.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::client::{self, Answer, Call};
use crate::domain::failure::Failure;
use crate::protocol::agent::CreateAgent;
use crate::protocol::problem::Problem;
use crate::protocol::task::{SubmitTask, TaskState};

/// How long a task may take before it counts as an error.
const TASK_TIME_MAX: Duration = Duration::from_secs(30);
/// What each task works on: small, so that the daemon is measured and not the text.
const TASK_INPUT: &str = "The harbour was rebuilt in 1954. It handles 3,200 ships a year and employs 410 people.";

/// What is being asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Agents,
    Tasks,
    /// A conversation, asked for as OpenAI's clients do.
    Chat,
}

impl Work {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Tasks => "tasks",
            Self::Chat => "gateway",
        }
    }

    /// The request that every connection repeats, written once.
    pub(super) fn call(self, template: &str) -> Result<Call, client::Error> {
        match self {
            Self::Agents => {
                let agent = CreateAgent { template_name: template.into(), name: None, tenant: None, user: None };
                Call::post("/factory/agents").json(&agent)
            }
            Self::Tasks => {
                let task = SubmitTask {
                    template_name: Some(template.into()),
                    input: TASK_INPUT.into(),
                    ..SubmitTask::default()
                };
                Call::post("/factory/tasks").waiting(TASK_TIME_MAX).json(&task)
            }
            Self::Chat => {
                let said = json!({"model": template, "messages": [{"role": "user", "content": TASK_INPUT}]});
                Call::post("/v1/chat/completions").json(&said)
            }
        }
    }

    /// How many steps it took, where the answer is what was asked for; else the code of what went wrong.
    pub(super) fn judge(self, answer: Result<Answer, client::Error>) -> Result<u32, String> {
        let answer = answer.map_err(|error| error.code().to_owned())?;
        match (answer.status(), self) {
            (200, Self::Agents) => Ok(0),
            (200, Self::Tasks) => judge_task(answer.body()),
            (200, Self::Chat) => judge_chat(answer.body()),
            (202, _) => Err("not_ended_in_time".into()),
            (status, _) => Err(code_of(answer.body()).unwrap_or_else(|| format!("status_{status}"))),
        }
    }
}

/// Reads no more of a task than how it ended.
fn judge_task(body: &[u8]) -> Result<u32, String> {
    #[derive(Deserialize)]
    struct Ended {
        state: TaskState,
        steps_total: u32,
        error: Option<Why>,
    }
    #[derive(Deserialize)]
    struct Why {
        code: String,
    }
    match serde_json::from_slice::<Ended>(body) {
        Ok(Ended { state: TaskState::Succeeded, steps_total, .. }) => Ok(steps_total),
        Ok(Ended { error, .. }) => Err(error.map_or_else(|| "task_not_succeeded".into(), |why| why.code)),
        Err(_) => Err("daemon_not_understood".into()),
    }
}

/// Reads no more of a completion than that somebody said something.
fn judge_chat(body: &[u8]) -> Result<u32, String> {
    #[derive(Deserialize)]
    struct Completion {
        choices: Vec<Choice>,
    }
    #[derive(Deserialize)]
    struct Choice {
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        content: Option<String>,
    }
    let said = serde_json::from_slice::<Completion>(body).map_err(|_| "daemon_not_understood".to_owned())?;
    let words = said.choices.first().and_then(|choice| choice.message.content.as_deref()).unwrap_or_default();
    if words.is_empty() { Err("answer_empty".into()) } else { Ok(0) }
}

/// The code of a refusal: a problem's, or that of an error in OpenAI's shape.
fn code_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Coded,
    }
    #[derive(Deserialize)]
    struct Coded {
        code: String,
    }
    let problem = serde_json::from_slice::<Problem>(body).map(|problem| problem.code);
    problem.or_else(|_| serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error.code)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_succeeded_tasks_count() {
        assert_eq!(judge_task(br#"{"state":"succeeded","steps_total":3,"output":"x"}"#), Ok(3));
        assert_eq!(
            judge_task(br#"{"state":"failed","steps_total":1,"error":{"code":"no_route","message":"m"}}"#),
            Err("no_route".into())
        );
        assert_eq!(judge_task(br#"{"state":"running","steps_total":1}"#), Err("task_not_succeeded".into()));
        assert_eq!(judge_task(b"?"), Err("daemon_not_understood".into()));
    }

    #[test]
    fn only_completions_that_say_something_count() {
        let saying =
            |content: &str| format!(r#"{{"id":"x","choices":[{{"index":0,"message":{{"content":{content}}}}}]}}"#);
        assert_eq!(judge_chat(saying("\"yes\"").as_bytes()), Ok(0));
        for nothing in ["null", "\"\""] {
            assert_eq!(judge_chat(saying(nothing).as_bytes()), Err("answer_empty".into()));
        }
        assert_eq!(judge_chat(br#"{"choices":[]}"#), Err("answer_empty".into()));
        assert_eq!(judge_chat(b"{}"), Err("daemon_not_understood".into()));
    }

    #[test]
    fn refusals_are_told_apart_in_both_shapes() {
        let openai = br#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"budget_exceeded"}}"#;
        assert_eq!(code_of(openai), Some("budget_exceeded".into()));
        let problem = br#"{"type":"about:blank","title":"t","status":429,"detail":"d","code":"overloaded"}"#;
        assert_eq!(code_of(problem), Some("overloaded".into()));
        assert_eq!(code_of(b"<html>"), None);
    }
}
