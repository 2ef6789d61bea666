//! The operator's file -> detectors.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::file::parse;
use super::shipped;
use crate::config::{Mistake, Place};
use crate::data_plane::dlp::detect::pattern::{Engine, Origin, Rule};
use crate::data_plane::dlp::detectors::Detectors;
use crate::domain::failure::{Class, Failure};

/// The largest rule file, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The permission that a rule file must not give: whoever may write it decides what leaves.
const WRITABLE_BY_ANYBODY: u32 = 0o002;

/// Detectors with the rules of a file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The detectors.
    pub detectors: Detectors,
    /// The SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// How many rules the file has.
    pub own: usize,
}

/// Why a rule file is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// Every mistake, in the order of places; at least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for Refused {
    /// Writes a line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.mistakes.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Refused {}

impl Failure for Refused {
    fn code(&self) -> &'static str {
        "dlp_rules_invalid"
    }

    fn class(&self) -> Class {
        Class::Malformed
    }

    fn detail(&self) -> String {
        format!("the file of DLP rules has {} mistakes; `factoryctl dlp check FILE` names them", self.mistakes.len())
    }
}

/// Reads a rule file and makes its detectors. Takes some milliseconds, and reads a file: not for an actor's handler.
///
/// # Errors
/// The file cannot be read, is too large, no regular file, open to everybody for writing, not UTF-8, not TOML, or has rules
/// that cannot be used. Nothing of it is taken then.
pub fn load(path: &Path) -> Result<Loaded, Refused> {
    loaded(path).map_err(|mut mistakes| {
        mistakes.sort_by(|left, right| left.place.cmp(&right.place));
        Refused { file: path.to_owned(), mistakes }
    })
}

fn loaded(path: &Path) -> Result<Loaded, Vec<Mistake>> {
    let whole = |text: String| vec![Mistake { place: Place::WholeFile(path.to_owned()), setting: String::new(), text }];
    let bytes = read(path).map_err(whole)?;
    let digest = hex::encode(Sha256::digest(&bytes));
    let text =
        std::str::from_utf8(&bytes).map_err(|error| whole(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    let shipped = shipped::engine().rules();
    let ids: BTreeSet<&str> = shipped.iter().map(|rule| rule.id.as_str()).collect();
    let file = parse(path, text, Origin::Own, &ids)?;
    let own = file.rules.len();
    let used = |rule: &&Arc<Rule>| {
        !file.disabled_rules.contains(rule.id.as_str()) && !file.disabled_kinds.contains(&rule.kind)
    };
    let rules = shipped.iter().filter(used).chain(&file.rules).cloned().collect();
    let engine = Engine::new(rules).map_err(whole)?;
    Ok(Loaded { detectors: Detectors::with(engine, file), digest, own })
}

/// Reads what is a file indeed, and not open to everybody.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    // Without the flag a pipe in the file's place would be waited for.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err("is no regular file".to_owned());
    }
    let mode = found.permissions().mode();
    if mode & WRITABLE_BY_ANYBODY != 0 {
        return Err(format!(
            "mode {:o} lets everybody write it, and so decide what leaves; make it 640",
            mode & 0o7777
        ));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(format!("is larger than a file of rules may be ({FILE_BYTES_MAX} bytes)"));
    }
    Ok(bytes)
}
