//! The directory of templates, read. Blocks.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use crate::domain::name::TemplateName;

use super::look::Bytes;
use crate::control_plane::template::format::compressed;
use crate::control_plane::template::format::document::TEMPLATE_BYTES_MAX;
use crate::control_plane::template::signing::{self, COMPRESSED_SUFFIX, Owned, TEMPLATE_SUFFIX};
use crate::control_plane::template::trust::signature::SIGNATURE_BYTES_MAX;

/// The most templates in a directory.
pub const TEMPLATES_MAX: usize = 100_000;

/// What the directory holds.
#[derive(Debug)]
pub(in crate::control_plane::template) enum Listed {
    /// It is not there, or cannot be read.
    Missing(String),
    /// These templates, and files that are none for these reasons.
    Found { names: BTreeSet<TemplateName>, ignored: Vec<String> },
}

/// Lists the template files of a directory. Hidden files and files of other kinds are nobody's business.
pub(in crate::control_plane::template) fn list(directory: &Path) -> Listed {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(fault) => return Listed::Missing(fault.to_string()),
    };
    let (mut names, mut ignored) = (BTreeSet::new(), Vec::new());
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(stem) = file.to_str().and_then(signing::template_stem) else { continue };
        if stem.starts_with('.') {
            continue;
        }
        match stem.parse::<TemplateName>() {
            Ok(_) if names.len() >= TEMPLATES_MAX => ignored.push(format!("more than {TEMPLATES_MAX} templates")),
            Ok(name) => {
                names.insert(name);
            }
            Err(fault) => ignored.push(format!("{}: {fault}", file.to_string_lossy())),
        }
    }
    ignored.truncate(16);
    Listed::Found { names, ignored }
}

/// Reads a template and its signature; none if the template is not there.
pub(in crate::control_plane::template) fn read(directory: &Path, name: &TemplateName) -> Option<Bytes> {
    let path = directory.join(format!("{name}{TEMPLATE_SUFFIX}"));
    let plain = read_file(&path, TEMPLATE_BYTES_MAX).transpose();
    let beside = directory.join(format!("{name}{TEMPLATE_SUFFIX}{COMPRESSED_SUFFIX}"));
    let compressed = read_file(&beside, TEMPLATE_BYTES_MAX).transpose();
    let found = match (plain, compressed) {
        (Some(_), Some(_)) => Err(format!(
            "there are both {name}{TEMPLATE_SUFFIX} and {name}{TEMPLATE_SUFFIX}{COMPRESSED_SUFFIX}; remove one of them"
        )),
        (Some(plain), None) => plain,
        (None, Some(compressed)) => compressed
            .and_then(|file| compressed::decompress(&file.bytes).map(|bytes| Owned { bytes, owner: file.owner })),
        (None, None) => return None,
    };
    let owner = found.as_ref().ok().map(|file| file.owner);
    let signature = read_file(&signing::signature_path(&path), SIGNATURE_BYTES_MAX);
    let signature = signature.map(|found| found.map(|file| file.bytes));
    Some(Bytes { document: found.map(|file| file.bytes), signature, owner })
}

/// Reads a regular file; a pipe or device of that name would block for ever.
fn read_file(path: &Path, bytes_max: usize) -> Result<Option<Owned>, String> {
    match std::fs::metadata(path) {
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(format!("cannot be read: {fault}")),
        Ok(found) if !found.is_file() => Err("cannot be read: not a regular file".to_owned()),
        Ok(_) => match signing::read_owned(path, bytes_max) {
            Ok(file) => Ok(Some(file)),
            Err(fault) => Err(fault.to_string()),
        },
    }
}
