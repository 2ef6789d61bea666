//! `factoryctl erase`: somebody's data is erased, and a signed receipt says so.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::audit::read_key;
use super::exit::{Error, Exit};
use super::output::{Output, Paint, Tone};
use super::progress::Progress;
use super::session::Session;
use super::table::{Table, plain};
use super::words;
use crate::control_plane::audit::verify_receipt;
use crate::protocol::erasure::{Deleted, Erase as Wanted, Erasure, Receipt, SignedReceipt};

/// How often it is asked how far an erasure is.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// The longest receipt that is read, in bytes.
const RECEIPT_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

const EXAMPLES: &str = "\
Examples:
  factoryctl export --user ann > ann.jsonl                     first, where the person is to have a copy
  factoryctl erase --user ann                                  asks, then erases ann in every tenant
  factoryctl erase --tenant acme --user ann --yes              in one tenant, without asking
  factoryctl erase show erasure-0193… > receipt.json           the signed receipt
  factoryctl erase verify receipt.json --key audit.pub.pem     no daemon needed

Tasks with their inputs and answers, agents with their memory, idempotency keys and hooks that wait are gone for good; open tasks are
cancelled first. Sums of money, limits and the audit log stay. Backups that were taken before are not touched.";

/// The arguments of `erase`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Erase {
    #[command(subcommand)]
    verb: Option<Verb>,

    /// Everything of this tenant; with --user, of that user in it.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,

    /// Everything of this user, in every tenant where none is named.
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// Does not ask whether it is meant.
    #[arg(long, short)]
    yes: bool,
}

/// The verbs beside.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists erasures, the newest first.
    #[command(after_help = "Example:\n  factoryctl erase ls")]
    Ls,
    /// Prints the signed receipt of an erasure, one line of JSON.
    #[command(after_help = "Example:\n  factoryctl erase show erasure-0193… > receipt.json")]
    Show {
        /// The erasure.
        id: String,
    },
    /// Verifies a receipt. No daemon is needed.
    #[command(
        after_help = "Example:\n  factoryctl audit key > audit.pub.pem        once, kept elsewhere\n  factoryctl erase verify receipt.json --key audit.pub.pem"
    )]
    Verify(Verify),
}

/// The arguments of `verify`.
#[derive(Debug, Args)]
struct Verify {
    /// The receipt; standard input where it is `-` or left out.
    file: Option<PathBuf>,
    /// The public key of the audit log, kept from before. Without it the one that the receipt names is used, which proves only that
    /// the receipt is of one piece.
    #[arg(long, value_name = "PUB.pem")]
    key: Option<PathBuf>,
}

impl Erase {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        match self.verb {
            None => erase(Wanted { tenant: self.tenant, user: self.user }, self.yes, session).await,
            Some(Verb::Ls) => ls(session).await,
            Some(Verb::Show { id }) => show(&id, session).await,
            Some(Verb::Verify(verify)) => verify.perform(&session.output),
        }
    }
}

async fn erase(wanted: Wanted, is_sure: bool, session: &Session) -> Result<Exit, Error> {
    if wanted.tenant.is_none() && wanted.user.is_none() {
        return Err(Error::Usage("name whose data: --tenant, --user, or both".to_owned()));
    }
    let whose = scope(wanted.tenant.as_deref(), wanted.user.as_deref());
    if !is_sure && !confirmed(&whose, &session.output)? {
        session.output.remark(|_| "nothing was erased".to_owned());
        return Ok(Exit::Refused);
    }
    let progress = Progress::start(format!("erasing {whose}"));
    let mut erasure = session.client.erase(&wanted).await?;
    while erasure.receipt.is_none() {
        let failed =
            erasure.last_error.as_deref().map(|code| format!(" · tried again after {code}")).unwrap_or_default();
        progress.say(format!("erasing {whose} · {}{failed}", counted(&erasure.deleted)));
        tokio::time::sleep(ASK_EVERY).await;
        erasure = session.client.erasure(&erasure.erasure_id).await?;
    }
    drop(progress);
    session.output.show(&erasure, |paint| told(&erasure, paint))?;
    Ok(Exit::Done)
}

/// Whether whoever is at the terminal means it; without one nobody can be asked.
fn confirmed(whose: &str, output: &Output) -> Result<bool, Error> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::Usage("there is no terminal to ask at; say --yes if you mean it".to_owned()));
    }
    output.remark(|paint| {
        let warning = paint.text(Tone::Warning, "warning:");
        format!(
            "{warning} everything of {} will be erased for good; their open tasks are cancelled.\nType yes to go on:",
            whose.escape_debug()
        )
    });
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

fn told(erasure: &Erasure, paint: Paint) -> String {
    let whose = scope(erasure.tenant.as_deref(), erasure.user.as_deref());
    let mut text =
        format!("{} {} · {}", paint.text(Tone::Good, "erased:"), whose.escape_debug(), counted(&erasure.deleted));
    if let Some(signed) = &erasure.receipt {
        text.push_str(&format!("\n{}", method(&signed.receipt)));
        text.push_str(&undecided(&signed.receipt, paint));
        let show = format!("receipt: factoryctl erase show {}", erasure.erasure_id);
        text.push_str(&format!("\n{}", paint.text(Tone::Faint, &show)));
    }
    text
}

fn method(receipt: &Receipt) -> String {
    match receipt.key_ids.len() {
        0 => "the records were deleted; they had no key of their own".to_owned(),
        count => format!("the records were deleted, and {count} keys under which they lay destroyed"),
    }
}

/// What may be left, on a line of its own.
fn undecided(receipt: &Receipt, paint: Paint) -> String {
    match receipt.undecided {
        0 => String::new(),
        count => format!(
            "\n{} {count} damaged records could not be told to be anybody's, and stay",
            paint.text(Tone::Warning, "warning:")
        ),
    }
}

fn scope(tenant: Option<&str>, user: Option<&str>) -> String {
    match (tenant, user) {
        (Some(tenant), Some(user)) => format!("user {user} in tenant {tenant}"),
        (Some(tenant), None) => format!("tenant {tenant}"),
        (None, Some(user)) => format!("user {user} in every tenant"),
        (None, None) => "nobody".to_owned(),
    }
}

fn counted(deleted: &Deleted) -> String {
    let parts = [
        (deleted.tasks, "tasks"),
        (deleted.agents, "agents"),
        (deleted.memory, "turns of memory"),
        (deleted.hooks, "hooks"),
        (deleted.idempotency_keys, "idempotency keys"),
        (deleted.remnants, "remnants"),
    ];
    let parts: Vec<_> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "nothing of theirs was there".to_owned() } else { parts.join(", ") }
}

async fn ls(session: &Session) -> Result<Exit, Error> {
    let page = session.client.erasures(None, None).await?;
    session.output.show(&page, |paint| {
        let mut table = Table::new(paint, &["ERASURE", "STATE", "WHOSE", "ASKED BY", "ASKED AT", "DELETED"]);
        for erasure in &page.items {
            table.row([
                plain(&erasure.erasure_id),
                plain(state(erasure)),
                plain(scope(erasure.tenant.as_deref(), erasure.user.as_deref())),
                plain(&erasure.asked_by),
                plain(words::time(&erasure.asked_at)),
                plain(counted(&erasure.deleted)),
            ]);
        }
        table.render("nothing was ever erased")
    })?;
    Ok(Exit::Done)
}

fn state(erasure: &Erasure) -> String {
    match &erasure.last_error {
        Some(code) => format!("{} ({code})", erasure.state),
        None => erasure.state.clone(),
    }
}

async fn show(id: &str, session: &Session) -> Result<Exit, Error> {
    let erasure = session.client.erasure(id).await?;
    let signed = erasure
        .receipt
        .ok_or_else(|| Error::failed("erasure_unfinished", "the erasure is not done; there is no receipt yet"))?;
    let mut line = serde_json::to_string(&signed).map_err(io::Error::other)?;
    line.push('\n');
    session.output.raw(line.as_bytes())?;
    Ok(Exit::Done)
}

impl Verify {
    fn perform(self, output: &Output) -> Result<Exit, Error> {
        let key = self.key.as_deref().map(read_key).transpose()?;
        if key.is_none() {
            output.remark(|paint| {
                let warning = paint.text(Tone::Warning, "warning:");
                format!(
                    "{warning} verified with the key that the receipt itself names: whoever made it may have made the key; use --key"
                )
            });
        }
        let text = read(self.file.as_deref().filter(|file| *file != Path::new("-")))?;
        let signed: SignedReceipt = serde_json::from_str(&text)
            .map_err(|fault| Error::failed("receipt_malformed", format!("it is no receipt: {fault}")))?;
        let fits = verify_receipt(&signed, key.as_ref());
        let by = fits.map_err(|fault| Error::failed(fault.code(), fault.to_string()))?;
        let receipt = &signed.receipt;
        let document = json!({
            "holds": true,
            "log": by.log_id(),
            "key_given": key.is_some(),
            "receipt": receipt,
        });
        output.show(&document, |paint| {
            let whose = scope(receipt.tenant.as_deref(), receipt.user.as_deref());
            let line = format!(
                "{} {}, erased {} · {}",
                paint.text(Tone::Good, "holds:"),
                whose.escape_debug(),
                words::time(&receipt.finished_at),
                counted(&receipt.deleted)
            );
            let log = format!("log {}, entry {} says who asked", by.log_id(), receipt.audit_entry);
            format!("{line}\n{}{}\n{}", method(receipt), undecided(receipt, paint), paint.text(Tone::Faint, &log))
        })?;
        Ok(Exit::Done)
    }
}

fn read(file: Option<&Path>) -> Result<String, Error> {
    let mut text = String::new();
    let unreadable = |what: String| move |fault: io::Error| Error::Usage(format!("cannot read {what}: {fault}"));
    match file {
        None => {
            io::stdin().lock().take(RECEIPT_BYTES_MAX).read_to_string(&mut text).map_err(unreadable("-".to_owned()))
        }
        Some(path) => File::open(path)
            .and_then(|file| file.take(RECEIPT_BYTES_MAX).read_to_string(&mut text))
            .map_err(unreadable(path.display().to_string())),
    }?;
    Ok(text)
}
