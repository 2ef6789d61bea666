//! `factoryctl dlp scan`: personal data and secrets in a text.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::exit::{Error, Exit};
use super::input;
use super::output::{Paint, Tone};
use super::session::Session;
use super::table::{Table, plain};
use super::words;
use crate::protocol::dlp::{ScanAnswer, ScanRequest};

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
