//! `factoryctl audit`: who decided what, and whether the record of it still holds.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{Error, Exit};
use super::output::{Output, Paint, Tone};
use super::progress::Progress;
use super::session::Session;
use super::words;
use crate::control_plane::audit::export::{self, Expected, Report};
use crate::control_plane::audit::{NOTE_BYTES_MAX, PublicKey, merkle};
use crate::domain::failure::Failure as _;
use crate::protocol::audit::{AuditEntry, AuditVerified};
use crate::protocol::page::PAGE_ITEMS_MAX;

/// How often `tail -f` asks for new entries.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// The longest public key file, in bytes.
const KEY_BYTES_MAX: u64 = 8 * 1_024;

const VERIFY_EXAMPLES: &str = "\
Examples:
  factoryctl audit key > audit.pub.pem                       once, kept where the daemon cannot write
  factoryctl audit export > audit.jsonl
  factoryctl audit verify audit.jsonl --key audit.pub.pem
  factoryctl audit verify audit.jsonl --key audit.pub.pem --checkpoint last-month.note
  factoryctl audit export | factoryctl audit verify --key audit.pub.pem
  factoryctl audit verify --daemon                           the log as the daemon has it, read where it lies

Exit code 0: it holds. 1: it does not; what is wrong is told with its line.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// The newest decisions, and with -f those to come.
    #[command(
        after_help = "Examples:\n  factoryctl audit tail -n 50\n  factoryctl audit tail -f --json | jq -r .action"
    )]
    Tail(Tail),
    /// Decisions in their order.
    #[command(after_help = "Example:\n  factoryctl audit ls --after 1000 --limit 100 --json | jq '.items[].subject'")]
    Ls(Ls),
    /// Writes the whole log as JSON lines to standard output, signed.
    #[command(after_help = "Example:\n  factoryctl audit export > \"audit-$(date +%F).jsonl\"")]
    Export,
    /// Verifies an export. No daemon is needed.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Prints the last signed checkpoint: 32 bytes that stand for the whole log. Keep it elsewhere.
    #[command(after_help = "Example:\n  factoryctl audit checkpoint > \"audit-$(date +%F).note\"")]
    Checkpoint,
    /// Prints the public key that exports, checkpoints and receipts are verified with.
    #[command(after_help = "Example:\n  factoryctl audit key > audit.pub.pem")]
    Key,
}

/// The arguments of `tail`.
#[derive(Debug, Args)]
pub(super) struct Tail {
    /// How many.
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000))]
    lines: u64,
    /// Goes on until it is interrupted.
    #[arg(long, short)]
    follow: bool,
}

/// The arguments of `ls`.
#[derive(Debug, Args)]
pub(super) struct Ls {
    /// The sequence of the last entry that is known.
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000))]
    limit: u64,
}

/// The arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The export; standard input where it is `-` or left out.
    file: Option<PathBuf>,
    /// The public key of the log, kept from before. Without it the one that the export names is used, which proves only that the
    /// export is of one piece.
    #[arg(long, value_name = "PUB.pem")]
    key: Option<PathBuf>,
    /// A signed checkpoint of the log, kept from before: the export must continue it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Has the daemon verify the log as it is stored, instead.
    #[arg(long, conflicts_with_all = ["file", "key", "checkpoint"])]
    daemon: bool,
}

impl Audit {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Tail(tail) => tail.perform(session).await,
            Self::Ls(ls) => ls.perform(session).await,
            Self::Export => export(session).await,
            Self::Verify(verify) if verify.daemon => verify_stored(session).await,
            Self::Verify(verify) => verify.perform(&session.output),
            Self::Checkpoint => {
                let note = session.client.audit_checkpoint().await?;
                session.output.show(&json!({"checkpoint": note}), |_| note.clone())?;
                Ok(Exit::Done)
            }
            Self::Key => {
                let key = session.client.audit_key().await?;
                session.output.show(&key, |_| key.public_key.clone())?;
                Ok(Exit::Done)
            }
        }
    }
}

impl Tail {
    async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let lines = usize::try_from(self.lines).unwrap_or(PAGE_ITEMS_MAX);
        let mut last = show(session, &session.client.newest_audit(lines).await?.items)?.unwrap_or(0);
        if !self.follow {
            return Ok(Exit::Done);
        }
        let mut round = tokio::time::interval(FOLLOW_EVERY);
        loop {
            let _instant = round.tick().await;
            let page = session.client.audit(last, PAGE_ITEMS_MAX).await?;
            last = show(session, &page.items)?.unwrap_or(last);
        }
    }
}

/// Prints entries, one a line; the sequence of the last one.
fn show(session: &Session, entries: &[AuditEntry]) -> Result<Option<u64>, Error> {
    for entry in entries {
        session.output.show(entry, |paint| line(entry, paint))?;
    }
    Ok(entries.last().map(|entry| entry.sequence))
}

impl Ls {
    async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let limit = usize::try_from(self.limit).unwrap_or(PAGE_ITEMS_MAX);
        let page = session.client.audit(self.after, limit).await?;
        session
            .output
            .show(&page, |paint| page.items.iter().map(|entry| line(entry, paint)).collect::<Vec<_>>().join("\n"))?;
        Ok(Exit::Done)
    }
}

/// One entry on one line.
fn line(entry: &AuditEntry, paint: Paint) -> String {
    // Control characters would let an entry write over the terminal.
    let plain = |text: &str| text.escape_debug().to_string();
    let tone = if entry.outcome == "allowed" { Tone::Good } else { Tone::Bad };
    let mut text = format!(
        "{} {}  {} {}  {}",
        paint.text(Tone::Faint, &format!("{:>6}", entry.sequence)),
        paint.text(Tone::Faint, &words::time(&entry.at)),
        paint.text(tone, &format!("{:<7}", plain(&entry.outcome))),
        plain(&entry.action),
        plain(&entry.principal),
    );
    let tenant = entry.tenant.as_deref().map(|tenant| format!(" {}", plain(tenant))).unwrap_or_default();
    text.push_str(&paint.text(Tone::Faint, &format!(" ({}{tenant})", plain(&entry.role))));
    if let Some(subject) = &entry.subject {
        text.push_str(&format!("  {}", plain(subject)));
    }
    if let Some(code) = &entry.code {
        text.push_str(&format!("  {}", paint.text(Tone::Bad, &plain(code))));
    }
    if let Some(reason) = &entry.reason {
        text.push_str(&paint.text(Tone::Faint, &format!("  {}", plain(reason))));
    }
    text
}

/// The form is JSON lines with and without `--json`.
async fn export(session: &Session) -> Result<Exit, Error> {
    let mut download = session.client.audit_export().await?;
    let progress = Progress::start("exporting");
    let mut bytes = 0_u64;
    while let Some(chunk) = download.next().await? {
        session.output.raw(&chunk)?;
        bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        progress.say(format!("exporting · {}", words::bytes(bytes)));
    }
    Ok(Exit::Done)
}

async fn verify_stored(session: &Session) -> Result<Exit, Error> {
    let progress = Progress::start("verifying");
    let verified = session.client.audit_verify().await?;
    drop(progress);
    if !verified.holds {
        // The codes are the daemon's; the document has the one of this failure.
        session.output.show(&verified, |paint| broken(&verified, paint))?;
        return Ok(Exit::Failed);
    }
    session.output.show(&verified, |paint| {
        let (entries, checkpoints) = (verified.entries.unwrap_or(0), verified.checkpoints.unwrap_or(0));
        let others = verified.of_other_keys.unwrap_or(0);
        let mut text = told(paint, entries, checkpoints, verified.root.as_deref().unwrap_or_default());
        if others > 0 {
            let note = paint.text(Tone::Warning, "note:");
            text.push_str(&format!(
                "\n{note} {others} of the checkpoints were signed by another key than the present one"
            ));
        }
        text
    })?;
    Ok(Exit::Done)
}

fn broken(verified: &AuditVerified, paint: Paint) -> String {
    let (code, reason) = (verified.code.as_deref().unwrap_or_default(), verified.reason.as_deref().unwrap_or_default());
    format!("{} {} ({code})", paint.text(Tone::Bad, "does not hold:"), reason.escape_debug())
}

fn told(paint: Paint, entries: u64, checkpoints: u64, root: &str) -> String {
    let root = paint.text(Tone::Faint, &format!("root {root}"));
    format!("{} {entries} entries, {checkpoints} checkpoints\n{root}", paint.text(Tone::Good, "holds:"))
}

impl Verify {
    fn perform(self, output: &Output) -> Result<Exit, Error> {
        let key = self.key.as_deref().map(read_key).transpose()?;
        let checkpoint = self.checkpoint.as_deref().map(read_note).transpose()?;
        let is_given = key.is_some();
        if !is_given {
            output.remark(|paint| {
                let warning = paint.text(Tone::Warning, "warning:");
                format!(
                    "{warning} verified with the key that the export itself names: whoever made it may have made the key; use --key"
                )
            });
        }
        let expected = Expected { key, checkpoint };
        let report = match self.file.as_deref().filter(|file| *file != Path::new("-")) {
            None => verify(io::stdin().lock(), &expected),
            Some(file) => verify(open(file)?, &expected),
        }?;
        let document = json!({
            "holds": true,
            "log": report.key.log_id(),
            "key_given": is_given,
            "exported_at": report.exported_at.to_string(),
            "entries": report.entries,
            "link": hex::encode(report.head),
            "root": merkle::to_base64(&report.root),
            "checkpoints": report.checkpoints,
            "since": report.since,
        });
        output.show(&document, |paint| human(&report, paint))?;
        Ok(Exit::Done)
    }
}

fn human(report: &Report, paint: Paint) -> String {
    let mut text = told(paint, report.entries, report.checkpoints, &merkle::to_base64(&report.root));
    let at = words::time(&report.exported_at.to_string());
    text.push_str(&format!("\n{}", paint.text(Tone::Faint, &format!("log {}, exported {at}", report.key.log_id()))));
    if let Some(since) = report.since {
        text.push_str(&format!("\nit continues the checkpoint over {since} entries"));
    }
    text
}

fn verify(input: impl Read, expected: &Expected) -> Result<Report, Error> {
    let _progress = Progress::start("verifying");
    export::verify(BufReader::new(input), expected).map_err(|error| Error::failed(error.code(), error.to_string()))
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|fault| Error::Usage(format!("cannot open {}: {fault}", path.display())))
}

fn read_bounded(path: &Path, bytes_max: u64) -> Result<String, Error> {
    let mut text = String::new();
    let read = open(path)?.take(bytes_max).read_to_string(&mut text);
    let unreadable = |fault: io::Error| Error::Usage(format!("cannot read {}: {fault}", path.display()));
    read.map(|_| text).map_err(unreadable)
}

pub(super) fn read_key(path: &Path) -> Result<PublicKey, Error> {
    let pem = read_bounded(path, KEY_BYTES_MAX)?;
    PublicKey::from_pem(&pem).map_err(|reason| Error::Usage(format!("{}: {reason}", path.display())))
}

fn read_note(path: &Path) -> Result<String, Error> {
    read_bounded(path, u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_without_control_characters() {
        let entry: AuditEntry = serde_json::from_value(json!({
            "sequence": 7, "at": "2026-11-20T10:00:00.000000Z", "principal": "ann\n\u{1b}[2J", "role": "submitter",
            "tenant": "acme", "action": "set_budgets", "subject": "tenant:acme", "outcome": "refused",
            "code": "forbidden", "reason": "no", "link": "00"
        }))
        .expect("an entry");
        assert_eq!(
            line(&entry, Paint::Plain),
            "     7 2026-11-20 10:00:00  refused set_budgets  ann\\n\\u{1b}[2J (submitter acme)  tenant:acme  forbidden  no"
        );
    }
}
