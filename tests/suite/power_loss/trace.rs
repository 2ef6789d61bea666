//! What strace saw: system calls in the order of their beginnings and ends.
//!
//! strace prints a line when a call begins and, where something else happened in between, another when it ends. A thread cannot
//! begin a call before the tracer has seen the end of what it waited for, so the order of the lines is one that the program
//! could have observed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The calls that are traced: everything that changes files, makes them durable, or tells somebody something.
pub(super) const CALLS: &str = "openat,write,writev,pwrite64,pwritev,sendto,sendmsg,ftruncate,fallocate,sync_file_range,\
    fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat";

/// A system call, or as much of it as is known when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<Argument>,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    /// A descriptor and what it is open on.
    Descriptor(i64, PathBuf),
    /// The working directory, where a path may be relative to it.
    Here(PathBuf),
    /// Bytes; of a vector, all of them together.
    Bytes(Vec<u8>),
    /// A number.
    Number(i64),
    /// Flags and whatever else matters as text alone.
    Word(String),
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A call begins; the number is its own.
    Begun(usize, Call),
    /// A call ended with this result; below zero it failed.
    Ended(usize, i64),
}

impl Call {
    pub(super) fn bytes(&self) -> &[u8] {
        let found = self.arguments.iter().find_map(|argument| match argument {
            Argument::Bytes(bytes) => Some(bytes.as_slice()),
            Argument::Descriptor(..) | Argument::Here(_) | Argument::Number(_) | Argument::Word(_) => None,
        });
        found.unwrap_or_else(|| panic!("{} has no bytes: {self:?}", self.name))
    }

    /// What the first argument is open on.
    pub(super) fn file(&self) -> &Path {
        match self.arguments.first() {
            Some(Argument::Descriptor(_, path)) => path,
            other => panic!("{} is not on a file: {other:?}", self.name),
        }
    }

    pub(super) fn descriptor(&self) -> i64 {
        match self.arguments.first() {
            Some(Argument::Descriptor(number, _)) => *number,
            other => panic!("{} is not on a file: {other:?}", self.name),
        }
    }

    /// The numbers among the arguments, in order.
    pub(super) fn numbers(&self) -> Vec<i64> {
        let number = |argument: &Argument| if let Argument::Number(number) = argument { Some(*number) } else { None };
        self.arguments.iter().filter_map(number).collect()
    }

    pub(super) fn has_flag(&self, flag: &str) -> bool {
        let has =
            |argument: &Argument| matches!(argument, Argument::Word(word) if word.split('|').any(|one| one == flag));
        self.arguments.iter().any(has)
    }

    /// The paths that it names, whole.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        use std::os::unix::ffi::OsStringExt as _;
        let mut base = None;
        let mut paths = Vec::new();
        for argument in &self.arguments {
            match argument {
                Argument::Here(path) | Argument::Descriptor(_, path) => base = Some(path.clone()),
                Argument::Bytes(bytes) => {
                    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes.clone()));
                    paths.push(base.take().map_or_else(|| path.clone(), |base| base.join(&path)));
                }
                Argument::Number(_) | Argument::Word(_) => {}
            }
        }
        paths
    }
}

/// Whether the trace is whole: its process has ended.
pub(super) fn is_whole(text: &str) -> bool {
    let first = text.split_once(' ').map(|(process, _)| process);
    first.is_some_and(|process| {
        let mut ends = text.lines().rev().take(64).filter_map(|line| line.split_once(' '));
        ends.any(|(of, what)| of == process && what.trim_start().starts_with("+++"))
    })
}

/// Reads a trace; its calls are numbered from `first` on.
pub(super) fn read(text: &str, first: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let mut calls = first;
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for line in text.lines() {
        let (thread, what) = line.split_once(' ').unwrap_or_else(|| panic!("no line of strace's: {line}"));
        let what = what.trim_start();
        if what.starts_with("+++") || what.starts_with("---") {
            continue;
        }
        if what.starts_with("<...") {
            let number = unfinished.remove(thread);
            events.extend(number.map(|number| Event::Ended(number, result(what))));
            continue;
        }
        let number = calls;
        calls += 1;
        if let Some(begun) = what.strip_suffix("<unfinished ...>") {
            events.push(Event::Begun(number, call(begun)));
            unfinished.insert(thread, number);
        } else {
            let end = what.rfind(" = ").unwrap_or_else(|| panic!("a call without a result: {what:.200}"));
            events.push(Event::Begun(number, call(&what[..end])));
            events.push(Event::Ended(number, result(what)));
        }
    }
    events
}

/// What is behind the last equals sign; a call that the process's end cut off has a question mark there, and failed.
fn result(line: &str) -> i64 {
    let word = line.rfind(" = ").map_or("?", |at| line[at + 3..].split([' ', '<']).next().unwrap_or("?"));
    word.parse().unwrap_or(-1)
}

fn call(text: &str) -> Call {
    let (name, rest) = text.split_once('(').unwrap_or_else(|| panic!("no call: {text:.200}"));
    let rest = rest.trim_end().trim_end_matches(')').trim_end().trim_end_matches(',');
    if let Some(vector) = rest.find('[') {
        // A vector of buffers: `3<…>, [{iov_base="…", iov_len=5}, …], 2` or a message that holds one.
        let mut bytes = Vec::new();
        for part in rest[vector..].split("iov_base=").skip(1) {
            bytes.extend(text_of(part));
        }
        let first = rest.split(", ").next().unwrap_or_default();
        return Call { name: name.to_owned(), arguments: vec![argument(first), Argument::Bytes(bytes)] };
    }
    Call { name: name.to_owned(), arguments: rest.split(", ").filter(|word| !word.is_empty()).map(argument).collect() }
}

fn argument(word: &str) -> Argument {
    if word.starts_with('"') {
        return Argument::Bytes(text_of(word));
    }
    if let Some((number, path)) = word.strip_suffix('>').and_then(|word| word.split_once('<')) {
        let path = PathBuf::from(String::from_utf8(unhex(path)).expect("paths of tests are text"));
        return match number.parse() {
            Ok(number) => Argument::Descriptor(number, path),
            Err(_) => Argument::Here(path),
        };
    }
    word.parse().map_or_else(|_| Argument::Word(word.to_owned()), Argument::Number)
}

/// The bytes of a quoted string, which must be whole.
fn text_of(word: &str) -> Vec<u8> {
    let quoted = word.strip_prefix('"').unwrap_or_else(|| panic!("not quoted: {word:.60}"));
    let end = quoted.find('"').unwrap_or_else(|| panic!("not closed: {word:.60}"));
    assert!(!quoted[end + 1..].starts_with("..."), "strace cut a string of {end} characters");
    unhex(&quoted[..end])
}

/// Reads `\x41\x42`; what is not written so stands for itself.
fn unhex(text: &str) -> Vec<u8> {
    let written = text.as_bytes();
    if !written.starts_with(b"\\x") {
        return written.to_vec();
    }
    let digit = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
    written.chunks_exact(4).map(|byte| (digit(byte[2]) << 4) | digit(byte[3])).collect()
}

#[test]
fn whole_and_interrupted_calls_are_read_in_order() {
    let text = r#"7 openat(AT_FDCWD<\x2f\x77>, "\x64\x2f\x62", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 9<\x2f\x77\x2f\x64\x2f\x62>
7 pwrite64(9<\x2f\x77\x2f\x64\x2f\x62>, "\x01\x02\x03", 3, 512 <unfinished ...>
8 writev(11<\x73\x6f\x63\x6b\x65\x74\x3a\x5b\x31\x5d>, [{iov_base="\x68", iov_len=1}, {iov_base="\x69", iov_len=1}], 2) = 2
7 <... pwrite64 resumed>) = 3
8 fdatasync(10<\x2f\x77\x2f\x64\x2f\x62>) = -1 EIO (Input/output error)
8 +++ killed by SIGKILL +++
7 +++ killed by SIGKILL +++
"#;
    let events = read(text, 0);
    assert!(is_whole(text) && !is_whole(text.trim_end().rsplit_once('\n').expect("lines").0));
    let Event::Begun(0, open) = &events[0] else { panic!("{events:?}") };
    assert_eq!((open.paths(), open.has_flag("O_CREAT")), (vec![PathBuf::from("/w/d/b")], true));
    let Event::Begun(1, write) = &events[2] else { panic!("{events:?}") };
    assert_eq!((write.file(), write.bytes(), write.numbers()), (Path::new("/w/d/b"), &[1, 2, 3][..], vec![3, 512]));
    let Event::Begun(2, told) = &events[3] else { panic!("{events:?}") };
    assert_eq!((told.file(), told.bytes()), (Path::new("socket:[1]"), &b"hi"[..]));
    let ends: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Ended(..))).collect();
    let expected = [Event::Ended(0, 9), Event::Ended(2, 2), Event::Ended(1, 3), Event::Ended(3, -1)];
    assert_eq!(ends, expected.iter().collect::<Vec<_>>());
}
