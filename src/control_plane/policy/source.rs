//! The files of a policy: the operators' directory read as one text, with its limits and its digest.

use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::domain::name::Digest;

/// The most files of a policy.
pub const FILES_MAX: usize = 64;
/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1_024;
/// The most bytes of all files together.
pub const POLICY_BYTES_MAX: usize = 1_024 * 1_024;
/// The most entries of the directory that are looked at.
const ENTRIES_MAX: usize = 4_096;
/// The operators' data.
pub(super) const DATA_FILE: &str = "data.json";
const MODULE_SUFFIX: &str = ".rego";
const TEST_SUFFIX: &str = "_test.rego";

/// The rules that are always asked.
pub(super) const SHIPPED: &str = include_str!("shipped.rego");

/// One file, by the name that messages give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name in the directory.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl File {
    pub(super) fn is_test(&self) -> bool {
        self.name.ends_with(TEST_SUFFIX)
    }

    pub(super) fn is_module(&self) -> bool {
        self.name.ends_with(MODULE_SUFFIX)
    }
}

/// What the operators wrote: the `*.rego` and the `data.json` of one directory, sorted by name. Empty where there is no directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    pub(super) files: Vec<File>,
}

impl Source {
    /// Files that are at hand; their names decide what they are.
    ///
    /// # Errors
    /// All limits that they exceed.
    pub fn of(mut files: Vec<File>) -> Result<Self, Vec<String>> {
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let mut mistakes = Vec::new();
        if files.len() > FILES_MAX {
            mistakes.push(format!("there are more than {FILES_MAX} files"));
        }
        for file in files.iter().filter(|file| file.text.len() > FILE_BYTES_MAX) {
            mistakes.push(format!("{}: it is longer than {FILE_BYTES_MAX} bytes", file.name));
        }
        if files.iter().map(|file| file.text.len()).sum::<usize>() > POLICY_BYTES_MAX {
            mistakes.push(format!("all files together are longer than {POLICY_BYTES_MAX} bytes"));
        }
        if mistakes.is_empty() { Ok(Self { files }) } else { Err(mistakes) }
    }

    /// Reads a directory; what is neither `*.rego` nor `data.json`, and what begins with a dot, is not a part of it. Blocks.
    ///
    /// # Errors
    /// Why it cannot be read, or is too large.
    pub fn read(directory: &Path) -> Result<Self, Vec<String>> {
        let told = |fault: std::io::Error| vec![format!("read the policy directory: {fault}")];
        let mut names = Vec::new();
        for (count, entry) in std::fs::read_dir(directory).map_err(told)?.enumerate() {
            if count >= ENTRIES_MAX {
                return Err(vec![format!("the policy directory has more than {ENTRIES_MAX} entries")]);
            }
            let name = entry.map_err(told)?.file_name();
            let Some(name) = name.to_str() else { continue };
            if !name.starts_with('.') && (name.ends_with(MODULE_SUFFIX) || name == DATA_FILE) {
                names.push(name.to_owned());
            }
        }
        if names.len() > FILES_MAX {
            return Err(vec![format!("the policy directory has more than {FILES_MAX} files")]);
        }
        let (mut files, mut mistakes) = (Vec::new(), Vec::new());
        for name in names {
            match read_text(&directory.join(&name)) {
                Ok(text) => files.push(File { name, text }),
                Err(reason) => mistakes.push(format!("{name}: {reason}")),
            }
        }
        if mistakes.is_empty() { Self::of(files) } else { Err(mistakes) }
    }

    /// The files' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_module() && !file.is_test())
    }

    pub(super) fn tests(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_module() && file.is_test())
    }

    pub(super) fn data(&self) -> Option<&File> {
        self.files.iter().find(|file| file.name == DATA_FILE)
    }

    /// The SHA-256 over the shipped rules and every file: of the shipped text alone where there are no files.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(SHIPPED.as_bytes());
        for text in self.files.iter().flat_map(|file| [&file.name, &file.text]) {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        }
        Digest::from_bytes(hash.finalize().into())
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(|fault| fault.to_string())?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let opened = std::fs::File::open(path).map_err(|fault| fault.to_string())?;
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let _read = opened.take(limit).read_to_end(&mut bytes).map_err(|fault| fault.to_string())?;
    String::from_utf8(bytes).map_err(|fault| format!("it is not UTF-8 at byte {}", fault.utf8_error().valid_up_to()))
}
