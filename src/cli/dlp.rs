//! `factoryctl dlp`: personal data and secrets in a text, and the rules by which they are found.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::exit::{Error, Exit};
use super::input;
use super::output::{Paint, Tone};
use super::session::Session;
use super::table::{Table, plain};
use super::words;
use crate::data_plane::dlp::rules;
use crate::protocol::dlp::{Rules, ScanAnswer, ScanRequest};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Dlp {
    /// Shows what would be masked before a provider sees the text, and the text as it would be sent.
    #[command(after_help = "Examples:\n  factoryctl dlp scan letter.txt\n  git diff | factoryctl dlp scan - --json")]
    Scan {
        /// The file; `-` or nothing reads standard input.
        file: Option<PathBuf>,
        /// The tenant whose pseudonyms are used.
        #[arg(long, value_name = "T")]
        tenant: Option<String>,
    },
    /// Shows the rules in force that are data, and why the operator's file is refused if it is.
    #[command(
        after_help = "Examples:\n  factoryctl dlp rules\n  factoryctl dlp rules --json | jq '.rules[] | select(.own)'"
    )]
    Rules,
    /// Reads a file of DLP rules as the daemon would, and names every mistake. Needs no daemon.
    #[command(after_help = "Example:\n  factoryctl dlp check /etc/agent-factory/dlp.toml")]
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// What a file that is good comes to.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    digest: String,
    /// Its own rules.
    rules: usize,
    /// The rules that would be in force with it, the shipped ones included.
    in_force: usize,
    disabled_rules: Vec<String>,
    disabled_types: Vec<String>,
}

impl Dlp {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Scan { file, tenant } => {
                let text = input::read(file.as_deref().unwrap_or(Path::new("-")))?;
                let answer = session.client.scan(&ScanRequest { text, tenant }).await?;
                session.output.show(&answer, |paint| render(&answer, paint))?;
                Ok(Exit::Done)
            }
            Self::Rules => {
                let rules = session.client.dlp_rules().await?;
                session.output.show(&rules, |paint| listed(&rules, paint))?;
                Ok(Exit::Done)
            }
            Self::Check { file } => {
                let checked = check(&file)?;
                session.output.show(&checked, |_paint| told(&checked))?;
                Ok(Exit::Done)
            }
        }
    }
}

/// The findings without what was found: a scan is often shown to others.
fn render(answer: &ScanAnswer, paint: Paint) -> String {
    let mut table = Table::new(paint, &["TYPE", "FROM", "TO", "SCORE"]);
    for finding in &answer.findings {
        let (start, end) = (finding.start.to_string(), finding.end.to_string());
        table.row([
            (Tone::Warning, finding.kind.clone()),
            plain(start),
            plain(end),
            plain(format!("{:.2}", finding.score)),
        ]);
    }
    let found = words::count(answer.findings.len(), "finding");
    format!(
        "{}\n\n{}\n{}",
        table.render("nothing found"),
        paint.text(Tone::Faint, &format!("{found}; as it would be sent:")),
        answer.redacted
    )
}

/// Reads a file of rules; the first mistake is the error's own words, and all are its reasons.
fn check(file: &Path) -> Result<Checked, Error> {
    let loaded = rules::load(file).map_err(|refused| Error::Rules {
        file: file.to_owned(),
        reasons: refused.mistakes.iter().map(ToString::to_string).collect(),
    })?;
    Ok(Checked {
        file: file.display().to_string(),
        digest: loaded.digest,
        rules: loaded.own,
        in_force: loaded.detectors.rules().len(),
        disabled_rules: loaded.detectors.disabled_rules().map(str::to_owned).collect(),
        disabled_types: loaded.detectors.disabled_kinds().map(|kind| kind.to_string()).collect(),
    })
}

fn told(checked: &Checked) -> String {
    let own = words::count(checked.rules, "rule");
    let mut lines = vec![format!("{} is good: {own} of its own, {} in force with it", checked.file, checked.in_force)];
    for (what, names) in [("rules", &checked.disabled_rules), ("types", &checked.disabled_types)] {
        if !names.is_empty() {
            lines.push(format!("{what} switched off: {}", names.join(", ")));
        }
    }
    lines.push(format!("sha256 {}", checked.digest));
    lines.join("\n")
}

fn listed(rules: &Rules, paint: Paint) -> String {
    let mut table = Table::new(paint, &["RULE", "TYPE", "SCORE", "WHOSE"]);
    for rule in &rules.rules {
        let whose = if rule.own { (Tone::Good, "own".to_owned()) } else { plain("shipped") };
        table.row([plain(&rule.id), plain(&rule.kind), plain(format!("{:.2}", rule.score)), whose]);
    }
    let mut lines =
        vec![table.render("no rules"), String::new(), paint.text(words::tone_of(&rules.status), &rules.status)];
    lines.extend(rules.since.as_ref().map(|since| format!("since {}", words::time(since))));
    lines.extend(rules.digest.as_ref().map(|digest| paint.text(Tone::Faint, &format!("sha256 {digest}"))));
    for (what, names) in [("rules", &rules.disabled_rules), ("types", &rules.disabled_types)] {
        if !names.is_empty() {
            lines.push(format!("{what} switched off: {}", names.join(", ")));
        }
    }
    lines.extend(rules.reasons.iter().map(|reason| format!("{} {reason}", paint.text(Tone::Bad, "refused:"))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dlp::ScanFinding;

    #[test]
    fn a_scan_shows_places_and_the_masked_text() {
        let finding = ScanFinding { kind: "EMAIL_ADDRESS".into(), start: 3, end: 9, score: 1.0 };
        let answer = ScanAnswer { findings: vec![finding], redacted: "to <EMAIL_1>".into() };
        let text = render(&answer, Paint::Plain);
        assert!(text.contains("EMAIL_ADDRESS  3     9   1.00") && text.ends_with("to <EMAIL_1>"), "{text}");
    }
}
