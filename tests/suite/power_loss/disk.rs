//! A disk that keeps what was synced, and of the rest whatever an adversary chooses.
//!
//! The model, harsher than any file system that Linux has:
//! - A change of a file's bytes or length that ended before a `fsync` or `fdatasync` of that file began is durable when the sync
//!   has ended. Until then each sector is on the disk as it was durable, or as it was after any change since, whatever became of
//!   the others and of the length; `sync_file_range` promises nothing, as it flushes neither the disk's cache nor the length.
//! - A name that was made, moved or removed is durable after a `fsync` of its directory, a move after one of the directory it
//!   goes to. Until then each such change is there or not, alone. A move is done or not, never half.
//! - What a file holds and what it is called are durable each for itself.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;

/// What the disk keeps of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing.
    Nothing,
    /// All of it.
    Everything,
    /// What whole writes touched, each by chance; changes of names likewise.
    Writes,
    /// Parts of so many bytes, each by chance; changes of names likewise.
    Parts(usize),
    /// Lengths without what was written.
    Lengths,
}

impl Kept {
    pub(super) const ALL: [Self; 6] =
        [Self::Nothing, Self::Everything, Self::Writes, Self::Parts(512), Self::Parts(4096), Self::Lengths];
}

/// A file's content has a number of its own, whatever it is called.
type Inode = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Directory,
    File(Inode),
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone)]
struct Pending<C> {
    /// The call that made it.
    call: usize,
    ended: bool,
    change: C,
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Pending<Change>>,
    /// How far it was ever written.
    end: usize,
}

#[derive(Debug, Clone)]
enum Naming {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

type Names = BTreeMap<PathBuf, Node>;

/// The files below a directory.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    live: Names,
    durable: Names,
    pending: Vec<Pending<Naming>>,
    /// Writes to places that had been written before: only there can a power cut take what was durable.
    pub(super) reused: usize,
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(content, *offset, bytes),
            Self::Length(length) => content.resize(*length, 0),
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Naming {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Add(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Move(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
        }
    }

    fn adds(&self, name: &Path) -> bool {
        matches!(self, Self::Add(path, _) if path == name)
    }

    /// The directory whose sync makes it durable.
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Add(path, _) | Self::Remove(path) | Self::Move(_, path, _) => path.parent(),
        }
    }
}

impl Disk {
    /// An empty directory, which is there and stays.
    pub(super) fn new() -> Self {
        Self { live: BTreeMap::from([(PathBuf::new(), Node::Directory)]), ..Self::default() }
    }

    fn inode(&self, path: &Path) -> Option<Inode> {
        match self.live.get(path) {
            Some(Node::File(inode)) => Some(*inode),
            Some(Node::Directory) | None => None,
        }
    }

    fn name(&mut self, call: usize, naming: Naming) {
        naming.apply(&mut self.live);
        self.pending.push(Pending { call, ended: true, change: naming });
    }

    pub(super) fn is_file(&self, path: &Path) -> bool {
        self.inode(path).is_some()
    }

    pub(super) fn length(&self, path: &Path) -> usize {
        self.inode(path).map_or(0, |inode| self.content(inode).len())
    }

    pub(super) fn directory_made(&mut self, call: usize, path: PathBuf) {
        self.name(call, Naming::Add(path, Node::Directory));
    }

    pub(super) fn file_made(&mut self, call: usize, path: PathBuf) {
        let inode = self.files.len();
        self.files.push(File::default());
        self.name(call, Naming::Add(path, Node::File(inode)));
    }

    pub(super) fn linked(&mut self, call: usize, from: &Path, to: PathBuf) {
        let node = self.live.get(from).copied().unwrap_or_else(|| panic!("{} is not there", from.display()));
        self.name(call, Naming::Add(to, node));
    }

    pub(super) fn moved(&mut self, call: usize, from: PathBuf, to: PathBuf) {
        let node = self.live.get(&from).copied().unwrap_or_else(|| panic!("{} is not there", from.display()));
        self.name(call, Naming::Move(from, to, node));
    }

    pub(super) fn removed(&mut self, call: usize, path: PathBuf) {
        self.name(call, Naming::Remove(path));
    }

    pub(super) fn write_begun(&mut self, call: usize, path: &Path, offset: usize, bytes: Vec<u8>) {
        let inode = self.inode(path).unwrap_or_else(|| panic!("{} is not there", path.display()));
        let file = &mut self.files[inode];
        self.reused += usize::from(offset + bytes.len() <= file.end);
        file.end = file.end.max(offset + bytes.len());
        file.pending.push(Pending { call, ended: false, change: Change::Write { offset, bytes } });
    }

    pub(super) fn length_begun(&mut self, call: usize, path: &Path, length: usize) {
        let inode = self.inode(path).unwrap_or_else(|| panic!("{} is not there", path.display()));
        self.files[inode].pending.push(Pending { call, ended: false, change: Change::Length(length) });
    }

    /// A change of a file's bytes has ended: it holds from now on, as far as it got.
    pub(super) fn change_ended(&mut self, call: usize, written: Option<usize>) {
        for file in &mut self.files {
            let Some(at) = file.pending.iter().rposition(|pending| pending.call == call) else { continue };
            let pending = &mut file.pending[at];
            match (&mut pending.change, written) {
                (Change::Write { bytes, .. }, Some(written)) => bytes.truncate(written),
                (_, None) => drop(file.pending.remove(at)),
                (Change::Length(_), Some(_)) => {}
            }
            file.pending.iter_mut().filter(|pending| pending.call == call).for_each(|pending| pending.ended = true);
            return;
        }
    }

    /// What had ended when a sync of this file or directory began, to be given to [`Disk::synced`] when the sync has ended.
    pub(super) fn sync_begun(&self, path: &Path) -> Vec<usize> {
        let ended = |pending: &Pending<Change>| pending.ended.then_some(pending.call);
        match self.live.get(path) {
            Some(Node::File(inode)) => self.files[*inode].pending.iter().filter_map(ended).collect(),
            Some(Node::Directory) => {
                let here = self.pending.iter().filter(|pending| pending.change.directory() == Some(path));
                here.map(|pending| pending.call).collect()
            }
            None => Vec::new(),
        }
    }

    pub(super) fn synced(&mut self, path: &Path, calls: &[usize]) {
        match self.live.get(path) {
            Some(Node::File(inode)) => {
                let File { durable, pending, .. } = &mut self.files[*inode];
                for done in pending.extract_if(.., |pending| calls.contains(&pending.call)) {
                    done.change.apply(durable);
                }
            }
            Some(Node::Directory) => {
                let durable = &mut self.durable;
                let mut left = HashSet::new();
                for done in self.pending.extract_if(.., |pending| calls.contains(&pending.call)) {
                    done.change.apply(durable);
                    if let Naming::Move(from, ..) = done.change {
                        left.insert((done.call, from));
                    }
                }
                // A name that is known to have been left is not there any more, also where it never was durable.
                for (call, name) in left {
                    self.pending.retain(|pending| pending.call > call || !pending.change.adds(&name));
                }
            }
            None => {}
        }
    }

    /// What a program reads now.
    fn content(&self, inode: Inode) -> Vec<u8> {
        let file = &self.files[inode];
        let mut content = file.durable.clone();
        file.pending.iter().for_each(|pending| pending.change.apply(&mut content));
        content
    }

    /// Compares with a directory that a daemon left behind, so that the trace is known to be understood.
    pub(super) fn assert_is(&self, root: &Path) {
        for (path, node) in &self.live {
            let real = root.join(path);
            match node {
                Node::Directory => assert!(real.is_dir(), "{} is no directory", path.display()),
                Node::File(inode) => {
                    let found = fs::read(&real).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
                    assert!(found == self.content(*inode), "{} is not what the trace says", path.display());
                }
            }
        }
        let mut unknown = vec![root.join("data")];
        while let Some(directory) = unknown.pop() {
            for entry in fs::read_dir(&directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(root).expect("below the root");
                assert!(self.live.contains_key(name), "{} is not in the trace", name.display());
                if path.is_dir() {
                    unknown.push(path);
                }
            }
        }
    }

    /// Writes what a power cut leaves to a directory.
    pub(super) fn cut(&self, kept: Kept, chance: &mut StdRng, into: &Path) {
        let mut names = self.durable.clone();
        for pending in &self.pending {
            if kept.whole(chance) {
                pending.change.apply(&mut names);
            }
        }
        for (path, node) in &names {
            // A path sorts behind its directory, which may be lost.
            let real = into.join(path);
            if real.parent().is_some_and(Path::is_dir) {
                match node {
                    Node::Directory => fs::create_dir(&real).expect("made"),
                    Node::File(inode) => {
                        fs::write(&real, self.files[*inode].cut(kept, chance)).expect("written");
                        restrict(&real);
                    }
                }
            }
        }
    }
}

/// As the daemon made it: it refuses a key that others may read.
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

impl Kept {
    /// Whether a change that is not torn is on the disk.
    fn whole(self, chance: &mut StdRng) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Writes | Self::Parts(_) | Self::Lengths => chance.r#gen(),
        }
    }
}

impl File {
    /// Goes through the changes as the host's page cache saw them; after each, sectors that it touched reach the disk, or do not.
    /// So a sector always holds what some moment's cache held, and sectors may be of different moments.
    fn cut(&self, kept: Kept, chance: &mut StdRng) -> Vec<u8> {
        let (mut cache, mut disk) = (self.durable.clone(), self.durable.clone());
        let often = chance.gen_range(0.05..0.95);
        for pending in &self.pending {
            pending.change.apply(&mut cache);
            let whole = kept.whole(chance);
            match (&pending.change, kept) {
                (Change::Length(length), _) if whole => disk.resize(*length, 0),
                (Change::Write { offset, bytes }, Kept::Lengths) => {
                    disk.resize(disk.len().max(offset + bytes.len()), 0);
                }
                (Change::Write { offset, bytes }, Kept::Parts(size)) => {
                    let sectors = offset / size..(offset + bytes.len()).div_ceil(size);
                    sectors.filter(|_| chance.gen_bool(often)).for_each(|at| reach(&mut disk, &cache, at, size));
                }
                (Change::Write { offset, bytes }, _) if whole => {
                    let sectors = offset / SECTOR..(offset + bytes.len()).div_ceil(SECTOR);
                    sectors.for_each(|at| reach(&mut disk, &cache, at, SECTOR));
                }
                (Change::Length(_) | Change::Write { .. }, _) => {}
            }
        }
        disk
    }
}

/// The least that a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// A sector reaches the disk as the cache has it.
fn reach(disk: &mut Vec<u8>, cache: &[u8], at: usize, size: usize) {
    let begin = (at * size).min(cache.len());
    put(disk, begin, &cache[begin..(begin + size).min(cache.len())]);
}
