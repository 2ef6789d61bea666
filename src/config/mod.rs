//! Files, environment and flags -> validated [`crate::config::settings::Settings`].
//!
//! ```text
//! file (TOML) ──┐
//! NG_… ─────────┼─ overlay ─> tree of values with places ─> validate ─> Settings, or every mistake at once
//! flags ────────┘
//! ```
//! Invariants: a key that nothing reads is a mistake, never ignored; each mistake says where it stands (line and column,
//! variable, flag) and what would be right; no key or token is ever part of the settings, only the place where it lies.
//!
//! The tree is read by hand rather than by serde, because serde stops at the first mistake and forgets places across sources.

mod environment;
mod error;
mod file;
mod host;
pub mod keys;
pub mod prices;
mod reader;
pub mod settings;
mod summary;
mod tree;
mod validate;
mod value;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use environment::PREFIX;
pub use error::{Errors, Mistake, Place};
pub use file::SETTINGS_BYTES_MAX;
pub(crate) use reader::nearest;
pub use summary::Summary;

use host::Host;
use reader::Report;
use settings::{Encryption, LogFormat, Settings};
use tree::{Entry, Node, Table, Value};

/// The file that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "/etc/agent-factory/factoryd.toml";

/// Everything that settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file that was named; without one, [`DEFAULT_FILE`] where it exists.
    pub file: Option<PathBuf>,
    /// The process's environment.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Overrides,
}

/// What the command line says; it outdoes everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--templates-dir`.
    pub templates_dir: Option<PathBuf>,
    /// `--log-format`.
    pub log_format: Option<LogFormat>,
}

/// Reads the settings.
///
/// # Errors
/// Every mistake of every source, with its place. Where the file is not TOML, only what is wrong with its syntax is told.
pub fn load(sources: &Sources) -> Result<Settings, Errors> {
    let mut report = Report::default();
    let host = Host::of_this_process(&sources.environment);
    let settings = match gather(sources, &mut report) {
        Ok(tree) => validate::settings(tree, &host, &mut report),
        Err(errors) => return Err(errors),
    };
    Errors::from_mistakes(report.mistakes).map_or(Ok(settings), Err)
}

/// Reads where everything durable lives and with which key it is encrypted, and nothing else: what needs no daemon needs no
/// settings without mistakes either.
///
/// # Errors
/// The file cannot be read or is not TOML, or these settings are no paths.
pub fn stored(sources: &Sources) -> Result<(PathBuf, Encryption), Errors> {
    let mut report = Report::default();
    let tree = gather(sources, &mut report)?;
    report.mistakes.clear();
    let host = Host::of_this_process(&sources.environment);
    let stored = validate::stored(tree, &host, &mut report);
    Errors::from_mistakes(report.mistakes).map_or(Ok(stored), Err)
}

/// Lays the sources over each other, the strongest last.
fn gather(sources: &Sources, report: &mut Report) -> Result<Table, Errors> {
    let default_file = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
    let mut tree = Table::new();
    if let Some(path) = sources.file.clone().or_else(default_file) {
        match file::read(&path) {
            Ok(table) => tree = table,
            Err(mistakes) => report.mistakes.extend(mistakes),
        }
    }
    if let Some(errors) = Errors::from_mistakes(std::mem::take(&mut report.mistakes)) {
        return Err(errors);
    }
    tree::overlay(&mut tree, environment::read(&sources.environment, &mut report.mistakes));
    tree::overlay(&mut tree, flags(&sources.flags));
    Ok(tree)
}

fn flags(flags: &Overrides) -> Table {
    let entry = |flag: &'static str, value: Value| {
        let place = Place::Flag(flag);
        Entry { key: place.clone(), node: Node { place, value } }
    };
    let mut table = Table::new();
    for (flag, key, path) in [
        ("--socket", "socket", &flags.socket),
        ("--data-dir", "data_dir", &flags.data_dir),
        ("--templates-dir", "templates_dir", &flags.templates_dir),
    ] {
        if let Some(path) = path {
            table.insert(key.to_owned(), entry(flag, Value::Path(path.clone())));
        }
    }
    if let Some(format) = flags.log_format {
        let format = entry("--log-format", Value::Word(format.as_str().to_owned()));
        let log = Table::from([("format".to_owned(), format)]);
        table.insert("log".to_owned(), entry("--log-format", Value::Table(log)));
    }
    table
}
