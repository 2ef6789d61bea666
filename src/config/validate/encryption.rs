//! `[encryption]`: where the master keys lie. Whether they are keys is seen when they are read.

use std::path::{Path, PathBuf};

use crate::config::host::Host;
use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::{Encryption, KeyFile};

/// The credential that holds the master key where no file is named.
const MASTER_CREDENTIAL: &str = "factoryd.master-key";
/// The credential that holds the one before.
const PREVIOUS_CREDENTIAL: &str = "factoryd.previous-master-key";

pub(super) fn read(mut section: Section, host: &Host, report: &mut Report) -> Encryption {
    let master = section.read(report, "master_key_file", path_from).map(|located| located.value);
    let previous = section.read(report, "previous_master_key_file", path_from);
    let master_key = file_or_credential(master, MASTER_CREDENTIAL, host);
    if let (None, Some(previous)) = (&master_key, &previous) {
        let text = "it is of no use without master_key_file, which takes its place";
        report.mistake(&previous.place, "encryption.previous_master_key_file", text);
    }
    let previous = previous.map(|located| located.value);
    let previous_master_key = file_or_credential(previous, PREVIOUS_CREDENTIAL, host);
    section.finish(report);
    Encryption { master_key, previous_master_key }
}

fn file_or_credential(file: Option<PathBuf>, credential: &str, host: &Host) -> Option<KeyFile> {
    if let Some(path) = file {
        return Some(KeyFile::File(path));
    }
    let passed = |directory: &Path| Some(directory.join(credential)).filter(|path| path.exists());
    host.credentials.as_deref().and_then(passed).map(KeyFile::Credential)
}
