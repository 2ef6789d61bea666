//! `factoryctl export`: everything of somebody, as JSON lines on standard output.

use clap::Args;
use sha2::{Digest as _, Sha256};

use super::exit::{Error, Exit};
use super::output::Tone;
use super::progress::Progress;
use super::session::Session;
use super::words;
use crate::protocol::export::{Counts, END, EndLine};

/// The longest line that is taken for the last one, in bytes.
const END_BYTES_MAX: usize = 4_096;

const EXAMPLES: &str = "\
Examples:
  factoryctl export --user ann > ann.jsonl
  factoryctl export --tenant acme --user ann | jq -r 'select(.task) | .task.output'

An admin may export anybody's data, everybody else their own. Each line is told by its first member: task, record, agent, memory,
budget, audit; the last one is end. Without it the export is not whole, and the exit code is 1.";

/// The arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(required = true, multiple = true)]
pub(super) struct Export {
    /// Everything of this tenant; with --user, of that user in it.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,

    /// Everything of this user, in every tenant where none is named.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

impl Export {
    /// The form is JSON lines with and without `--json`.
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let mut download = session.client.export(self.tenant.as_deref(), self.user.as_deref()).await?;
        let progress = Progress::start("exporting");
        let (mut bytes, mut seen) = (0_u64, Seen::default());
        while let Some(chunk) = download.next().await? {
            session.output.raw(&chunk)?;
            seen.take(&chunk);
            bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            progress.say(format!("exporting · {}", words::bytes(bytes)));
        }
        drop(progress);
        let counts = seen.whole().ok_or_else(|| {
            Error::failed("export_cut", "the export has no end that fits what came before: it is not whole")
        })?;
        session.output.remark(|paint| {
            let Counts { tasks, agents, audit_entries, .. } = counts;
            let size = words::bytes(bytes);
            format!(
                "{} {tasks} tasks, {agents} agents, {audit_entries} audit entries · {size}",
                paint.text(Tone::Good, "exported:")
            )
        });
        if counts.unreadable > 0 {
            session.output.remark(|paint| {
                let warning = paint.text(Tone::Warning, "warning:");
                format!("{warning} {} tasks could not be read; the daemon's log names them", counts.unreadable)
            });
        }
        Ok(Exit::Done)
    }
}

/// What has come: the hash over all whole lines before the last, and the last.
#[derive(Default)]
struct Seen {
    hash: Sha256,
    /// The line under way, or the last one; of one that is too long for an end its beginning alone.
    line: Vec<u8>,
    is_long: bool,
    has_ended: bool,
}

impl Seen {
    fn take(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.has_ended {
                self.hash.update(std::mem::take(&mut self.line));
                (self.is_long, self.has_ended) = (false, false);
            }
            if self.is_long {
                self.hash.update(part);
            } else {
                self.line.extend_from_slice(part);
                if self.line.len() > END_BYTES_MAX {
                    self.hash.update(std::mem::take(&mut self.line));
                    self.is_long = true;
                }
            }
            self.has_ended = part.ends_with(b"\n");
        }
    }

    /// What the last line says, where it is an end that fits all before it.
    fn whole(self) -> Option<Counts> {
        if !self.has_ended || self.is_long || !self.line.starts_with(END.as_bytes()) {
            return None;
        }
        let EndLine { end } = serde_json::from_slice(&self.line).ok()?;
        (end.sha256 == hex::encode(self.hash.finalize())).then_some(end.counts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::export::End;

    fn export(lines: &[String]) -> String {
        let text: String = lines.iter().map(|line| format!("{{\"task\":{line:?}}}\n")).collect();
        let counts = Counts { tasks: lines.len() as u64, ..Counts::default() };
        let end = EndLine { end: End { counts, sha256: hex::encode(Sha256::digest(&text)) } };
        format!("{text}{}\n", serde_json::to_string(&end).expect("JSON"))
    }

    proptest! {
        #[test]
        fn a_whole_export_is_known_however_it_comes_and_a_cut_or_changed_one_too(
            lines in proptest::collection::vec("[a-z]{0,3000}", 0..5),
            size in 1_usize..5_000,
            at in any::<prop::sample::Index>(),
        ) {
            let text = export(&lines);
            let seen = |bytes: &[u8]| {
                let mut seen = Seen::default();
                bytes.chunks(size).for_each(|chunk| seen.take(chunk));
                seen.whole()
            };
            prop_assert_eq!(seen(text.as_bytes()).map(|counts| counts.tasks), Some(lines.len() as u64));
            prop_assert_eq!(seen(&text.as_bytes()[..at.index(text.len())]), None, "cut");
            let before_the_end = text.rfind(END).expect("an end");
            if before_the_end > 0 {
                let mut changed = text.clone().into_bytes();
                changed[at.index(before_the_end)] ^= 1;
                prop_assert_eq!(seen(&changed), None, "changed");
            }
        }
    }
}
