//! `factoryctl run`: gives a text to an agent and prints its answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use super::events;
use super::exit::{Error, Exit};
use super::input;
use super::output::{Form, Paint, Tone};
use super::progress::Progress;
use super::session::Session;
use super::waiting::{self, Patience};
use super::words;
use crate::client::EventStream;
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::protocol::task::{SubmitTask, Task, TaskState, WaitingFor};

/// The kind of the event that brings more of an answer that is being written.
const DELTA: &str = "delta";

const EXAMPLES: &str = "\
Examples:
  factoryctl run documentaliste --file README.md
  factoryctl run documentaliste 'What does this sentence say?'
  git diff | factoryctl run code_reviewer -
  factoryctl run coordinateur --file report.md --stream --budget 0.50
  factoryctl run --capability review 'Is this clause fair?' --deadline 10m
  factoryctl run --agent agent-0193… 'And what did I ask before?'
  factoryctl run analyst --file sales.csv --detach --idempotency-key sales-2026-11

The answer goes to standard output, everything else to standard error.
A task goes on when nobody waits for it any more.";

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The template of the agent, or the orchestrator; left out with --agent and --capability.
    template: Option<String>,

    /// What to work on; `-` reads standard input.
    #[arg(conflicts_with = "file")]
    text: Option<String>,

    /// Gives it to this registered agent.
    #[arg(long, value_name = "ID", conflicts_with = "capability")]
    agent: Option<String>,

    /// Gives it to any worker with this capability.
    #[arg(long, value_name = "WORD")]
    capability: Option<String>,

    /// When the task fails if it has not ended: a time such as 2026-11-20T18:00:00Z, or from now on, such as 10m.
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    deadline: Option<Timestamp>,

    /// A file to work on.
    #[arg(long, short, value_name = "F")]
    file: Option<PathBuf>,

    /// Prints the task's identifier and does not wait.
    #[arg(long, conflicts_with_all = ["stream", "timeout"])]
    detach: bool,

    /// Prints the answer as it is written, and shows what happens while it happens.
    #[arg(long)]
    stream: bool,

    /// The most that the task may cost, in US dollars.
    #[arg(long, value_name = "USD", value_parser = usd)]
    budget: Option<Usd>,

    /// How long to wait for the end, such as 30s or 5m; the task goes on after that. Without it there is no limit.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// Makes the command safe to repeat: the same key gives the same task.
    #[arg(long, value_name = "K", value_parser = key)]
    idempotency_key: Option<String>,

    /// The tenant that the task is counted to.
    #[arg(long, value_name = "T")]
    tenant: Option<String>,

    /// The user whom the task serves.
    #[arg(long, value_name = "U")]
    user: Option<String>,
}

/// Reads an amount of dollars.
pub(super) fn usd(text: &str) -> Result<Usd, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Reads an instant, or a time from now on.
fn deadline(text: &str) -> Result<Timestamp, String> {
    let instant = text.parse::<Timestamp>().ok();
    let from_now = || humantime::parse_duration(text).ok().map(|left| Timestamp::now().after(left));
    instant.or_else(from_now).ok_or_else(|| "a time such as 2026-11-20T18:00:00Z, or 10m from now on".to_owned())
}

/// The longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 255;

fn key(text: &str) -> Result<String, String> {
    let fits = (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(format!("1 to {KEY_BYTES_MAX} visible ASCII characters")) }
}

impl Run {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let work = self.work()?;
        // Under a key of its own even a submission whose answer got lost is repeated safely.
        let key = self.idempotency_key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        if self.detach {
            let task = session.client.submit(&work, Some(&key), Duration::ZERO).await?;
            session.output.show(&task, |_| task.task_id.clone())?;
            return Ok(Exit::Done);
        }
        let patience = Patience::new(self.timeout);
        let mut printed = Printed::default();
        let task = if self.stream {
            stream(session, &work, &key, patience, &mut printed).await?
        } else {
            wait(session, &work, &key, patience).await?
        };
        report(session, &task, &printed)
    }

    /// The template and the text. Where the worker is named otherwise, the only word is the text.
    fn words(&self) -> Result<(Option<&str>, Option<&str>), Error> {
        let usage = |text: &str| Err(Error::Usage(text.into()));
        let named = self.agent.is_some() || self.capability.is_some();
        match (named, self.template.as_deref(), self.text.as_deref()) {
            (false, None, _) => usage("name a template, or a worker with --agent ID or --capability WORD"),
            (false, template, text) => Ok((template, text)),
            (true, Some(_), Some(_)) => usage("with --agent or --capability there is no template: give the text alone"),
            (true, Some(_), None) if self.file.is_some() => usage("give a text or --file FILE, not both"),
            (true, text, None) => Ok((None, text)),
            (true, None, Some(_)) => usage("give the text alone"),
        }
    }

    fn work(&self) -> Result<SubmitTask, Error> {
        let (template, text) = self.words()?;
        let text = match (&self.file, text) {
            (Some(path), _) => input::read(path)?,
            (None, Some("-")) => input::read(Path::new("-"))?,
            (None, Some(text)) => text.to_owned(),
            (None, None) => String::new(),
        };
        if text.trim().is_empty() {
            let nothing = "there is nothing to work on: give a text, --file FILE, or - for standard input";
            return Err(Error::Usage(nothing.into()));
        }
        Ok(SubmitTask {
            template_name: template.map(str::to_owned),
            agent_id: self.agent.clone(),
            capability: self.capability.clone(),
            deadline: self.deadline.map(|deadline| deadline.to_string()),
            input: Value::String(text),
            budget_usd: self.budget.map(|usd| usd.to_string()),
            tenant: self.tenant.clone(),
            user: self.user.clone(),
            ..SubmitTask::default()
        })
    }
}

/// Submits and waits. On a terminal the submission returns at once, so that the task's steps can be followed.
pub(super) async fn wait(session: &Session, work: &SubmitTask, key: &str, patience: Patience) -> Result<Task, Error> {
    let progress = Progress::start("working");
    let first = if progress.is_visible() { Duration::ZERO } else { patience.slice() };
    let task = session.client.submit(work, Some(key), first).await?;
    waiting::until_settled(&session.client, task, patience, &progress).await
}

/// What of the answer was printed while it came.
#[derive(Debug, Default)]
struct Printed(String);

impl Printed {
    /// Prints more of the answer.
    fn more(&mut self, session: &Session, text: &str) -> Result<(), Error> {
        self.0.push_str(text);
        session.output.raw(text.as_bytes())
    }

    /// Whether the cursor stands in the midst of a line.
    fn is_in_a_line(&self) -> bool {
        !self.0.is_empty() && !self.0.ends_with('\n')
    }

    /// What of the answer was not printed. All of it on lines of its own, where it is another than what came of it: then a task
    /// that was retried began anew.
    fn rest(&self, answer: &str) -> String {
        match answer.strip_prefix(self.0.as_str()) {
            // An empty rest still ends the line.
            Some("") if self.is_in_a_line() => "\n".to_owned(),
            Some(rest) => rest.to_owned(),
            None if self.is_in_a_line() => ["\n", answer].concat(),
            None => answer.to_owned(),
        }
    }
}

/// Submits and shows every event, and the answer as it is written; the task's end is asked for at the end, also where the stream
/// was cut.
async fn stream(
    session: &Session,
    work: &SubmitTask,
    key: &str,
    patience: Patience,
    printed: &mut Printed,
) -> Result<Task, Error> {
    let mut listening = session.client.submit_streaming(work, Some(key)).await?;
    let mut task_id = None;
    let shown = patience.with(show_events(session, &mut listening, &mut task_id, printed), |waited| {
        Error::StillRunning { task_id: String::new(), waited }
    });
    let result = shown.await;
    let Some(id) = task_id else {
        let nothing = || Error::failed("stream_empty", "the stream of events ended without naming its task");
        return Err(result.err().unwrap_or_else(nothing));
    };
    match result {
        Err(Error::StillRunning { waited, .. }) => Err(Error::StillRunning { task_id: id, waited }),
        Err(error @ Error::Output(_)) => Err(error),
        // A cut stream is no cut task.
        Ok(()) | Err(_) => {
            let task = session.client.task(&id, Duration::ZERO).await?;
            waiting::until_settled(&session.client, task, patience, &Progress::start("working")).await
        }
    }
}

async fn show_events(
    session: &Session,
    listening: &mut EventStream,
    task_id: &mut Option<String>,
    printed: &mut Printed,
) -> Result<(), Error> {
    while let Some(event) = listening.next().await? {
        if task_id.is_none() {
            task_id.clone_from(&event.task_id);
        }
        match session.output.form() {
            Form::Json => session.output.show(&event, |_| String::new())?,
            Form::Human => match event.details.get("text").and_then(Value::as_str).filter(|_| event.kind == DELTA) {
                Some(text) => printed.more(session, text)?,
                None => {
                    let gap = if printed.is_in_a_line() { "\n" } else { "" };
                    session.output.remark(|paint| format!("{gap}{}", events::line(&event, paint)));
                }
            },
        }
    }
    Ok(())
}

/// Prints the answer on standard output, and on standard error how it went.
fn report(session: &Session, task: &Task, printed: &Printed) -> Result<Exit, Error> {
    session.output.show(task, |_| printed.rest(&answer(task)))?;
    remark_summary(session, task);
    Ok(if task.state == TaskState::Succeeded { Exit::Done } else { Exit::Failed })
}

/// Says how a task went, to people, and of one that did not succeed to everybody.
pub(super) fn remark_summary(session: &Session, task: &Task) {
    if session.output.form() == Form::Human || task.state != TaskState::Succeeded {
        session.output.remark(|paint| summary(task, Timestamp::now(), paint));
    }
}

/// The answer as text; JSON answers are indented.
pub(super) fn answer(task: &Task) -> String {
    match (&task.output, task.output.as_str()) {
        (_, Some(text)) => text.to_owned(),
        (json, None) if json.is_null() => String::new(),
        (json, None) => format!("{json:#}"),
    }
}

/// One line on how a task went, and for one that did not succeed, why and what to do.
pub(super) fn summary(task: &Task, now: Timestamp, paint: Paint) -> String {
    let (tone, word) = words::task_state(task.state);
    let mut parts = vec![paint.text(tone, word)];
    parts.extend(words::task_duration(task, now).map(words::duration));
    parts.push(words::usd(&task.cost_usd));
    parts.push(words::count(task.steps.len(), "step"));
    parts.push(paint.text(Tone::Faint, &task.task_id));
    let mut text = parts.join(" · ");
    if let Some(error) = &task.error {
        text.push_str(&format!("\n{} {} ({})", paint.text(Tone::Bad, "error:"), error.message, error.code));
    }
    if let Some(waiting) = &task.waiting_for {
        text.push_str(&format!("\n{} {}", paint.text(Tone::Warning, "waiting:"), waiting_in_words(waiting)));
    }
    let id = &task.task_id;
    let advice = match task.state {
        TaskState::Queued | TaskState::Running | TaskState::Succeeded | TaskState::Cancelled => None,
        TaskState::Failed => Some(format!(
            "see its steps with `factoryctl tasks show {id}`; when the cause is mended, `factoryctl tasks retry {id}` goes on"
        )),
        TaskState::WaitingApproval => {
            Some(format!("a person must decide: `factoryctl tasks approve {id}` or `factoryctl tasks reject {id}`"))
        }
        TaskState::NeedsAttention => Some(format!(
            "a person must decide: `factoryctl tasks retry {id}` tries again, `approve` takes the step as done, `reject` as failed"
        )),
    };
    if let Some(advice) = advice {
        text.push_str(&format!("\n{} {advice}", paint.text(Tone::Faint, "what to do:")));
    }
    text
}

/// What a task waits for a person for: where, and what is asked or what happened.
fn waiting_in_words(waiting: &WaitingFor) -> String {
    let step = waiting.step.map(|number| match &waiting.name {
        Some(name) => format!("step {number} ({name})"),
        None => format!("step {number}"),
    });
    let until = waiting.until.as_deref().map(|until| format!("until {}", words::time(until)));
    let place = [step, until].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let what = waiting.question.as_deref().or(waiting.message.as_deref()).unwrap_or("a decision").trim();
    let code = waiting.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    // A question of several lines stands by itself.
    let gap = match (place.is_empty(), what.contains('\n')) {
        (true, _) => "",
        (false, true) => ":\n",
        (false, false) => ": ",
    };
    format!("{place}{gap}{what}{code}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    fn work(line: &[&str]) -> Result<SubmitTask, Error> {
        Line::try_parse_from(std::iter::once("run").chain(line.iter().copied())).expect("arguments").run.work()
    }

    #[test]
    fn of_an_answer_that_was_heard_the_rest_is_printed() {
        for (heard, answer, rest) in [
            ("", "all of it", "all of it"),
            ("all ", "all of it", "of it"),
            ("all of it", "all of it", "\n"),
            ("a line\n", "a line\n", ""),
            ("something ", "else", "\nelse"),
            ("something\n", "else", "else"),
            ("", "", ""),
        ] {
            assert_eq!(Printed(heard.to_owned()).rest(answer), rest, "{heard:?} {answer:?}");
        }
    }

    fn task(change: impl FnOnce(&mut serde_json::Value)) -> Task {
        let mut task = json!({
            "task_id": "t1", "agent_id": "a", "template_name": "x", "template_version": "1.0.0", "template_digest": "d",
            "state": "succeeded", "output": "Done.", "cost_usd": "0.03", "usage": {"input_tokens": 1, "output_tokens": 1},
            "steps": [], "tenant": "default",
            "created_at": "2026-11-20T10:00:00Z", "finished_at": "2026-11-20T10:00:01.500Z"
        });
        change(&mut task);
        serde_json::from_value(task).expect("a task")
    }

    #[test]
    fn arguments_become_the_submission() {
        let work = work(&["x", "hello", "--budget", "0.5", "--tenant", "acme"]).expect("work");
        assert_eq!((work.template_name.as_deref(), &work.input), (Some("x"), &json!("hello")));
        assert_eq!((work.budget_usd.as_deref(), work.tenant.as_deref()), (Some("0.50"), Some("acme")));
    }

    #[test]
    fn a_worker_is_named_by_template_agent_or_capability() {
        let by_agent = work(&["--agent", "agent-1", "hello"]).expect("work");
        assert_eq!((by_agent.template_name, by_agent.agent_id.as_deref()), (None, Some("agent-1")));
        assert_eq!(by_agent.input, json!("hello"));
        let by_capability =
            work(&["hello", "--capability", "review", "--deadline", "2026-11-20T18:00:00Z"]).expect("work");
        assert_eq!((by_capability.template_name, by_capability.capability.as_deref()), (None, Some("review")));
        assert_eq!(by_capability.deadline.as_deref(), Some("2026-11-20T18:00:00.000000Z"));
        for line in [&[][..], &["x", "hello", "--agent", "a"], &["hello", "--capability", "c", "--file", "/dev/null"]] {
            assert!(matches!(work(line), Err(Error::Usage(_))), "{line:?}");
        }
    }

    #[test]
    fn deadlines_are_instants_or_times_from_now_on() {
        let now = Timestamp::now();
        assert!(deadline("10m").expect("a deadline").since(now) >= Duration::from_secs(600));
        assert!(deadline("soon").is_err());
    }

    #[test]
    fn nothing_to_work_on_is_a_usage_error() {
        for line in [&["x"][..], &["x", " \n"], &["x", "--file", "/dev/null"]] {
            let error = work(line).expect_err("nothing");
            assert!(matches!(&error, Error::Usage(text) if text.contains("--file FILE")), "{error}");
        }
    }

    #[test]
    fn answers_are_text_or_indented_json() {
        assert_eq!(answer(&task(|_| {})), "Done.");
        assert_eq!(answer(&task(|t| t["output"] = json!(null))), "");
        assert_eq!(answer(&task(|t| t["output"] = json!({"a": 1}))), "{\n  \"a\": 1\n}");
    }

    #[test]
    fn a_summary_says_what_happened_and_what_to_do() {
        let now = Timestamp::now();
        assert_eq!(summary(&task(|_| {}), now, Paint::Plain), "succeeded · 1.5 s · $0.03 · 0 steps · t1");
        let failed = task(|t| {
            t["state"] = json!("failed");
            t["error"] = json!({"code": "provider_timeout", "message": "the model did not answer"});
        });
        let text = summary(&failed, now, Paint::Plain);
        assert!(
            text.contains("\nerror: the model did not answer (provider_timeout)\nwhat to do: see its steps"),
            "{text}"
        );
        let waiting = task(|t| t["state"] = json!("needs_attention"));
        assert!(summary(&waiting, now, Paint::Plain).contains("a person must decide"));
        let asking = task(|t| {
            t["state"] = json!("waiting_approval");
            t["waiting_for"] = json!({"kind": "approval", "step": 3, "name": "publish", "question": "Publish this?"});
        });
        let text = summary(&asking, now, Paint::Plain);
        assert!(
            text.contains("\nwaiting: step 3 (publish): Publish this?\nwhat to do: a person must decide"),
            "{text}"
        );
        assert!(text.contains("`factoryctl tasks approve t1`"), "{text}");
        let long = task(|t| {
            t["state"] = json!("waiting_approval");
            t["waiting_for"] =
                json!({"kind": "approval", "step": 3, "name": "publish", "question": "Publish this?\n# Report\n"});
        });
        let text = summary(&long, now, Paint::Plain);
        assert!(text.contains("\nwaiting: step 3 (publish):\nPublish this?\n# Report\nwhat to do"), "{text}");
    }
}
