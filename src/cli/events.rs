//! `factoryctl events`: what happens in the daemon.

use std::time::Duration;

use clap::Args;

use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::words;
use crate::client::EventStream;
use crate::protocol::event::Event;

const EXAMPLES: &str = "\
Examples:
  factoryctl events -f
  factoryctl events --for 10s --json | jq -r .kind | sort | uniq -c

Events are news: what happened before the command is not among them (a task's whole journal:
factoryctl tasks events ID).";

/// The arguments.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Events {
    /// Goes on until it is interrupted.
    #[arg(long, short)]
    follow: bool,

    /// How long to listen.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "2s")]
    #[arg(conflicts_with = "follow")]
    duration: Duration,
}

impl Events {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let mut listening = session.client.events().await?;
        let showing = show_all(session, &mut listening);
        if self.follow {
            showing.await?;
            let ended = Error::failed("stream_ended", "the daemon ended the stream of events: it is stopping");
            return Err(ended);
        }
        tokio::time::timeout(self.duration, showing).await.unwrap_or(Ok(()))?;
        Ok(Exit::Done)
    }
}

/// Prints events, one a line, until there are no more.
pub(super) async fn show_all(session: &Session, listening: &mut EventStream) -> Result<(), Error> {
    while let Some(event) = listening.next().await? {
        session.output.show(&event, |paint| line(&event, paint))?;
    }
    Ok(())
}

/// One event on one line.
pub(super) fn line(event: &Event, paint: Paint) -> String {
    let mut text = paint.text(Tone::Faint, &words::time(&event.at));
    text.push_str("  ");
    text.push_str(&paint.text(tone(&event.kind), &event.kind));
    if let Some(task) = &event.task_id {
        text.push_str(&format!("  task={task}"));
    }
    for (name, value) in &event.details {
        // Control characters would let an event write over the terminal.
        let value = value.as_str().map_or_else(|| value.to_string(), |text| text.escape_debug().to_string());
        text.push_str(&format!("  {}={value}", paint.text(Tone::Faint, name)));
    }
    text
}

fn tone(kind: &str) -> Tone {
    match kind {
        "step_failed"
        | "template_refused"
        | "budget_exceeded"
        | "actor_quarantined"
        | "agent_quarantined"
        | "actor_stuck"
        | "provider_breaker_opened"
        | "provider_key_rejected" => Tone::Bad,
        "actor_restarted"
        | "cancel_requested"
        | "step_skipped"
        | "template_rolled_back"
        | "template_edit_held"
        | "experiment_variant_halted" => Tone::Warning,
        "step_finished" | "task_ended" | "template_published" => Tone::Good,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "kind": "step_failed", "at": "2026-11-20T10:00:00Z", "task_id": "t1", "code": "x\n\u{1b}[2J", "step": 1
        }))
        .expect("an event");
        assert_eq!(line(&event, Paint::Plain), r"2026-11-20 10:00:00  step_failed  task=t1  code=x\n\u{1b}[2J  step=1");
    }
}
