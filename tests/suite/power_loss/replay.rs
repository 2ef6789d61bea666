//! A trace, played to the [`Disk`]; and what the daemon told others meanwhile.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::trace::{Call, Event};

/// What somebody has heard, and what must therefore be there after a power cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claim {
    /// A task was acknowledged, or told of.
    Task(String),
    /// A task was told to have ended so.
    Ended(String, String),
    /// An agent was made.
    Agent(String),
    /// A provider was called for this step.
    Called(String, u32),
}

/// Which syncs are taken for done.
pub(super) type Honest = fn(name: &str, file: &Path) -> bool;

/// The player.
pub(super) struct Replay {
    root: PathBuf,
    honest: Honest,
    pub(super) disk: Disk,
    pub(super) claims: Vec<Claim>,
    running: HashMap<usize, (Call, Vec<usize>)>,
    /// Where the next `write` to a descriptor goes.
    positions: HashMap<i64, usize>,
}

impl Replay {
    /// `root` is the directory that holds `data`.
    pub(super) fn new(root: &Path, honest: Honest) -> Self {
        Self {
            root: root.to_owned(),
            honest,
            disk: Disk::new(),
            claims: Vec::new(),
            running: HashMap::new(),
            positions: HashMap::new(),
        }
    }

    pub(super) fn play(&mut self, event: &Event) {
        match event {
            Event::Begun(number, call) => self.begin(*number, call),
            Event::Ended(number, result) => {
                if let Some((call, synced)) = self.running.remove(number) {
                    self.end(*number, &call, &synced, *result);
                }
            }
        }
    }

    /// The name of a file or directory whose sync matters: one of ours, or the directory that holds `data`.
    fn ours(&self, path: &Path) -> Option<PathBuf> {
        if path == self.root { Some(PathBuf::new()) } else { self.below(path) }
    }

    /// The name of a path below `data`, if it is one.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let name = path.strip_prefix(&self.root).ok()?;
        name.starts_with("data").then(|| name.to_owned())
    }

    fn begin(&mut self, number: usize, call: &Call) {
        let mut synced = Vec::new();
        match call.name.as_str() {
            "write" | "writev" | "pwrite64" | "sendto" | "sendmsg" => match self.below(call.file()) {
                Some(file) => {
                    self.disk.write_begun(number, &file, self.place(call), call.bytes().to_vec());
                }
                None => self.claims.extend(claims(call.bytes())),
            },
            "ftruncate" => {
                if let (Some(file), Some(length)) = (self.below(call.file()), call.numbers().last()) {
                    self.disk.length_begun(number, &file, usize::try_from(*length).expect("a length"));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(file) = self.ours(call.file()).filter(|file| (self.honest)(&call.name, file)) {
                    synced = self.disk.sync_begun(&file);
                }
            }
            "pwritev" | "fallocate" => assert!(self.below(call.file()).is_none(), "{} is not modelled", call.name),
            _ => {}
        }
        self.running.insert(number, (call.clone(), synced));
    }

    /// Where a write goes.
    fn place(&self, call: &Call) -> usize {
        match (call.name.as_str(), call.numbers().last()) {
            ("pwrite64", Some(offset)) => usize::try_from(*offset).expect("an offset"),
            _ => self.positions.get(&call.descriptor()).copied().unwrap_or(0),
        }
    }

    fn end(&mut self, number: usize, call: &Call, synced: &[usize], result: i64) {
        match call.name.as_str() {
            "write" | "writev" | "pwrite64" | "ftruncate" if self.below(call.file()).is_some() => {
                let done = usize::try_from(result).ok();
                self.disk.change_ended(number, done);
                *self.positions.entry(call.descriptor()).or_default() += done.unwrap_or(0);
            }
            "write" | "writev" | "sendto" | "sendmsg" => {}
            "fsync" | "fdatasync" => {
                if let Some(file) = self.ours(call.file()).filter(|_| result == 0) {
                    self.disk.synced(&file, synced);
                }
            }
            _ if result >= 0 => self.named(number, call, result),
            _ => {}
        }
    }

    /// A call that may have changed names has succeeded.
    fn named(&mut self, number: usize, call: &Call, result: i64) {
        let paths: Vec<PathBuf> = call.paths().iter().filter_map(|path| self.below(path)).collect();
        match (call.name.as_str(), paths.as_slice()) {
            ("openat", [file]) => self.opened(number, call, file, result),
            ("mkdir" | "mkdirat", [directory]) => self.disk.directory_made(number, directory.clone()),
            ("rename" | "renameat" | "renameat2", [from, to]) => self.disk.moved(number, from.clone(), to.clone()),
            ("link" | "linkat", [from, to]) => self.disk.linked(number, from, to.clone()),
            ("unlink" | "unlinkat" | "rmdir", [name]) => self.disk.removed(number, name.clone()),
            _ => {}
        }
    }

    fn opened(&mut self, number: usize, call: &Call, file: &Path, descriptor: i64) {
        let there = self.disk.is_file(file);
        if call.has_flag("O_CREAT") && !there {
            self.disk.file_made(number, file.to_owned());
        } else if call.has_flag("O_TRUNC") && there {
            self.disk.length_begun(number, file, 0);
            self.disk.change_ended(number, Some(0));
        }
        let position = if call.has_flag("O_APPEND") { self.disk.length(file) } else { 0 };
        self.positions.insert(descriptor, position);
    }

    /// The daemon is gone, and with it the ends of calls that were under way; what they did shows in the directory. Returns
    /// their ends.
    pub(super) fn process_ended(&mut self) -> Vec<Event> {
        let mut ends: Vec<Event> =
            self.running.iter().map(|(number, (call, _))| Event::Ended(*number, self.result(call))).collect();
        ends.sort_unstable_by_key(|end| match end {
            Event::Begun(number, _) | Event::Ended(number, _) => *number,
        });
        ends.iter().for_each(|end| self.play(end));
        self.positions.clear();
        ends
    }

    /// What a call that was under way would have given.
    fn result(&self, call: &Call) -> i64 {
        let done = match call.name.as_str() {
            "write" | "writev" | "pwrite64" => self.written(call).filter(|written| *written > 0),
            _ => self.was_done(call).then_some(0),
        };
        done.map_or(-1, |done| i64::try_from(done).expect("a length"))
    }

    /// How much of a write is there: a signal that ends a process may end its write between two pages.
    fn written(&self, call: &Call) -> Option<usize> {
        let content = std::fs::read(call.file()).ok()?;
        let found = content.get(self.place(call)..)?;
        Some(found.iter().zip(call.bytes()).take_while(|(found, written)| found == written).count())
    }

    fn was_done(&self, call: &Call) -> bool {
        let there = |path: &PathBuf| path.exists();
        match (call.name.as_str(), call.paths().as_slice()) {
            ("openat", [path]) => call.has_flag("O_CREAT") && there(path),
            ("mkdir" | "mkdirat", [path]) => there(path),
            ("rename" | "renameat" | "renameat2", [from, to]) => !there(from) && there(to),
            ("link" | "linkat", [_, to]) => there(to),
            ("unlink" | "unlinkat" | "rmdir", [name]) => !there(name),
            _ => false,
        }
    }
}

/// What bytes that went to a socket tell.
fn claims(bytes: &[u8]) -> Vec<Claim> {
    let text = String::from_utf8_lossy(bytes);
    if let Some(key) = text.to_ascii_lowercase().split("idempotency-key: ").nth(1).filter(|_| text.starts_with("POST "))
    {
        let key = key.split("\r\n").next().unwrap_or_default();
        let (task, step) = key.rsplit_once('-').unwrap_or_else(|| panic!("no key of a step: {key}"));
        return vec![Claim::Called(task.to_owned(), step.parse().expect("a step"))];
    }
    if !text.starts_with("HTTP/1.1 20") {
        return Vec::new();
    }
    let member = |name: &str| {
        let begun = text.split(&format!("\"{name}\":\"")).nth(1)?;
        begun.split('"').next().map(str::to_owned)
    };
    match (member("task_id"), member("agent_id"), member("state")) {
        (Some(task), _, Some(state)) if ["succeeded", "failed", "cancelled"].contains(&state.as_str()) => {
            vec![Claim::Task(task.clone()), Claim::Ended(task, state)]
        }
        (Some(task), _, _) => vec![Claim::Task(task)],
        (None, Some(agent), _) => vec![Claim::Agent(agent)],
        (None, None, _) => Vec::new(),
    }
}
