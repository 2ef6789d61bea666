//! A tree -> [`Settings`]. A file for each subject; this one holds the top level and the order.

mod access;
mod agents;
mod api;
mod audit;
mod budgets;
mod chaos;
mod dlp;
mod encryption;
mod hooks;
mod log;
pub(super) mod models;
mod policy;
mod providers;
mod rate;
mod retention;
mod routes;
mod templates;
mod tls;
mod tools;

use std::path::PathBuf;

use super::host::Host;
use super::reader::{Report, Section, path_from};
use super::settings::{Cache, Encryption, Settings, Store};
use super::tree::Table;
use super::value;

/// The most threads that may be asked for.
const MAX_WORKERS_MAX: usize = 1024;

/// What answers that were given before may take in memory when nothing is said, in bytes. It fills with use.
const RESULT_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// The most that may be set, in bytes.
const RESULT_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;

/// What sled may keep in memory when nothing is said, in bytes. It fills with use; an idle daemon has none of it.
const CACHE_BYTES_DEFAULT: u64 = 32 * 1024 * 1024;

/// Reads everything; the result counts only where the report has no mistakes.
pub(super) fn settings(tree: Table, host: &Host, report: &mut Report) -> Settings {
    let mut root = Section::root(tree);
    let data_dir = read_data_dir(&mut root, report);
    let templates_dir = root.read_or(report, "templates_dir", PathBuf::from("templates"), path_from);
    let socket = socket(&mut root, host, report);
    let max_workers = root.read_or(report, "max_workers", host.processors, value::count(MAX_WORKERS_MAX));
    let agents = agents::read(root.section(report, "agents"), report);
    let (api, tls, rate) = api::read(root.section(report, "api"), report);
    let chaos = chaos::read(root.section(report, "chaos"), report);
    let cache = cache(root.section(report, "cache"), report);
    let dlp = dlp::read(root.section(report, "dlp"), report);
    let store = store(root.section(report, "store"), report);
    let audit = audit::read(root.section(report, "audit"), host, report);
    let encryption = encryption::read(root.section(report, "encryption"), host, report);
    let retention = retention::read(root.section(report, "retention"), report);
    let hooks = hooks::read(root.section(report, "hooks"), report);
    let log = log::read(root.section(report, "log"), report);
    let templates = templates::read(root.section(report, "templates"), report);
    let policy = policy::read(root.section(report, "policy"), report);
    let providers = providers::providers(root.section(report, "providers"), report);
    let tools = tools::read(root.section(report, "tools"), report);
    let models = models::read(root.section(report, "models"), &providers, report);
    let routes = routes::read(root.section(report, "routes"), &providers, report);
    let budgets = budgets::read(root.section(report, "budgets"), report);
    let access = access::read(root.section(report, "access"), rate, report);
    root.finish(report);
    Settings {
        data_dir,
        templates_dir,
        socket,
        max_workers,
        agents,
        api,
        tls,
        chaos,
        cache,
        dlp,
        store,
        audit,
        encryption,
        retention,
        hooks,
        log,
        templates,
        policy,
        providers,
        tools,
        models,
        routes,
        budgets,
        access,
    }
}

/// Reads where the data is and with which key it is encrypted, and leaves the rest alone.
pub(super) fn stored(tree: Table, host: &Host, report: &mut Report) -> (PathBuf, Encryption) {
    let mut root = Section::root(tree);
    let data_dir = read_data_dir(&mut root, report);
    (data_dir, encryption::read(root.section(report, "encryption"), host, report))
}

fn read_data_dir(root: &mut Section, report: &mut Report) -> PathBuf {
    root.read_or(report, "data_dir", PathBuf::from("data"), path_from)
}

fn socket(root: &mut Section, host: &Host, report: &mut Report) -> PathBuf {
    let before = report.mistakes.len();
    let given = root.read(report, "socket", path_from).map(|located| located.value);
    let socket = given.or_else(|| host.socket.clone());
    if socket.is_none() && report.mistakes.len() == before {
        let text = "no place for it here: set it, or XDG_RUNTIME_DIR, or make /run/factoryd writable";
        report.mistake(&root.place().clone(), "socket", text);
    }
    socket.unwrap_or_default()
}

fn cache(mut section: Section, report: &mut Report) -> Cache {
    let max_bytes = section.read_or(report, "max_bytes", RESULT_BYTES_DEFAULT, value::whole(0..=RESULT_BYTES_MAX));
    section.finish(report);
    Cache { max_bytes }
}

fn store(mut section: Section, report: &mut Report) -> Store {
    let range = 1024 * 1024..=1024 * 1024 * 1024 * 1024;
    let cache_bytes = section.read_or(report, "cache_bytes", CACHE_BYTES_DEFAULT, value::whole(range));
    section.finish(report);
    Store { cache_bytes }
}
