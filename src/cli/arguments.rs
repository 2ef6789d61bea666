//! The command line as a whole.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::remote::Remote;
use super::{
    agents, audit, backup, bench, budgets, dlp, erase, events, export, keys, policy, run, shell, tasks, templates, tree,
};

const EXAMPLES: &str = "\
Examples:
  factoryctl run documentaliste --file README.md        one answer, on standard output
  factoryctl run analyst --file sales.csv --json | jq   the whole task as JSON
  factoryctl status                                     is the daemon well?
  factoryctl tasks show ID                              what happened, step by step, and what it cost

Exit codes: 0 done · 1 failed · 2 usage · 3 refused by a rule · 4 daemon not reachable · 5 timed out
Socket: --socket, else NG_SOCKET, else /run/factoryd/control.sock, else $XDG_RUNTIME_DIR/factoryd/control.sock
Over a network: --url https://HOST:PORT --ca CA.pem, and --cert and --cert-key, or --token-file; --url goes before any socket";

/// Runs agents, and shows what they did and what it cost.
#[derive(Debug, Parser)]
#[command(name = "factoryctl", version, after_help = EXAMPLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// The daemon's control socket.
    #[arg(long, global = true, value_name = "PATH", env = "NG_SOCKET", hide_env_values = true)]
    pub(super) socket: Option<PathBuf>,

    #[command(flatten)]
    pub(super) remote: Remote,

    /// Prints JSON: one document, for streams one per line.
    #[arg(long, global = true)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Gives a text to an agent and prints its answer.
    Run(run::Run),
    /// Whether the daemon is well, and what it is doing.
    #[command(after_help = "Example:\n  factoryctl status --json | jq .health.status")]
    Status,
    /// The daemon's actors: who supervises whom, what was restarted, and why.
    #[command(after_help = "Example:\n  factoryctl tree")]
    Tree(tree::Tree),
    /// What happens in the daemon.
    Events(events::Events),
    /// Agents: make, list, show, stop, release.
    #[command(subcommand)]
    Agents(agents::Agents),
    /// Tasks: list, show, cancel, decide, retry, signal, judge.
    #[command(subcommand)]
    Tasks(tasks::Tasks),
    /// Templates: what agents are made from.
    #[command(subcommand)]
    Templates(templates::Templates),
    /// The policy: what templates may ask for, and who may use them.
    #[command(subcommand)]
    Policy(policy::Verbs),
    /// Keys: what templates are signed with, and what the store is encrypted with.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Budgets: what may be spent, and what was.
    #[command(subcommand)]
    Budgets(budgets::Budgets),
    /// Personal data and secrets in a text.
    #[command(subcommand)]
    Dlp(dlp::Dlp),
    /// The audit log: who decided what, and whether the record of it holds.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Erases what belongs to a tenant or user, with a signed receipt.
    Erase(erase::Erase),
    /// Writes everything of a tenant or user as JSON lines to standard output.
    Export(export::Export),
    /// Writes everything that the daemon keeps into one file, while it runs.
    Backup(backup::Backup),
    /// Makes the data directory of a stopped daemon from a backup.
    Restore(backup::Restore),
    /// Measures the daemon at the socket.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Prints the completions of a shell.
    Completions(shell::Completions),
    /// Writes the manual pages.
    Man(shell::Man),
}
