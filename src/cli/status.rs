//! `factoryctl status`: whether the daemon is well, and what it is doing.

use std::time::Duration;

use serde::Serialize;

use super::exit::{Error, Exit};
use super::master_key;
use super::output::{Paint, Tone};
use super::session::Session;
use super::words;
use crate::protocol::encryption::Encryption;
use crate::protocol::status::{Health, Metrics, Ready};

/// The document of `status --json`.
#[derive(Debug, Serialize)]
struct Status {
    health: Health,
    ready: Ready,
    /// Missing where the caller may not see it, or the daemon cannot tell yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
    /// As `metrics`.
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<Encryption>,
}

pub(super) async fn perform(session: &Session) -> Result<Exit, Error> {
    let health = session.client.health().await?;
    let ready = session.client.ready().await?;
    let metrics = session.client.metrics().await.ok();
    let encryption = session.client.encryption().await.ok();
    let status = Status { health, ready, metrics, encryption };
    session.output.show(&status, |paint| render(&status, paint))?;
    let well = status.ready.ready && status.health.status == "healthy";
    Ok(if well { Exit::Done } else { Exit::Failed })
}

fn render(status: &Status, paint: Paint) -> String {
    let Status { health, ready, metrics, encryption } = status;
    let uptime = Duration::try_from_secs_f64(health.uptime_seconds).unwrap_or_default();
    let readiness = if ready.ready { (Tone::Good, "ready") } else { (Tone::Warning, "not ready") };
    let mut lines = vec![format!(
        "factoryd {} · {} · {} · up {}",
        health.version,
        paint.text(words::tone_of(&health.status), &health.status),
        paint.text(readiness.0, readiness.1),
        words::duration(uptime)
    )];
    lines.extend(ready.reasons.iter().chain(&health.codes).map(|reason| format!("  - {reason}")));
    if let Some(metrics) = metrics {
        let mut fact = |name: &str, value: String| {
            lines.push(format!("{} {value}", paint.text(Tone::Faint, &format!("{name:<10}"))))
        };
        fact("templates", metrics.templates_loaded.to_string());
        fact("agents", format!("{} registered, {} active", metrics.registered_agents, metrics.active_agents));
        let some = metrics.tasks.iter().filter(|(_, n)| **n > 0);
        let tasks: Vec<String> = some.map(|(state, n)| format!("{n} {state}")).collect();
        fact("tasks", if tasks.is_empty() { "none yet".into() } else { tasks.join(", ") });
        if let Some(rate) = metrics.success_rate {
            fact("success", format!("{:.1} %", rate * 100.0));
        }
        if let Some(cost) = metrics.cost_per_task {
            fact("cost/task", format!("${cost:.6}"));
        }
    }
    if let Some(encryption) = encryption {
        lines.push(format!("{} {}", paint.text(Tone::Faint, "encryption"), master_key::line(encryption, paint)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_not_ready_says_why() {
        let status = Status {
            health: Health {
                status: "degraded".into(),
                version: "0.1.0".into(),
                uptime_seconds: 61.0,
                codes: Vec::new(),
            },
            ready: Ready { ready: false, reasons: vec!["the store is read-only".into()] },
            metrics: Some(Metrics { templates_loaded: 6, ..Metrics::default() }),
            encryption: None,
        };
        let text = render(&status, Paint::Plain);
        assert!(
            text.starts_with("factoryd 0.1.0 · degraded · not ready · up 1 min 01 s\n  - the store is read-only\n"),
            "{text}"
        );
        assert!(text.contains("templates  6\n") && text.contains("none yet"), "{text}");
    }
}
