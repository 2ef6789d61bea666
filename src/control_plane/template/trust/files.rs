//! Reading the files among the keys, with the source audit where the settings ask for it. Blocks, but waits for no other end.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::control_plane::template::signing::read_regular;
use crate::control_plane::template::source::audit::Audit;
use crate::control_plane::template::source::opened::Opened;

/// What the host lacks for a moment: it says nothing of the file. An error of the disk does, and is not among them.
const PASSING: [Errno; 3] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];

/// One reading of the files.
#[derive(Debug, Default)]
pub(super) struct Files {
    audit: Option<Audit>,
    /// Why the reading says nothing of the keys.
    pub(super) interrupted: Option<String>,
}

impl Files {
    /// A reading with or without the audit.
    pub(super) fn audited(audit: Option<Audit>) -> Self {
        Self { audit, interrupted: None }
    }

    /// Notes an error that is none of the file itself.
    pub(super) fn note(&mut self, path: &Path, fault: &io::Error) {
        if PASSING.iter().any(|passing| fault.raw_os_error() == Some(passing.raw_os_error())) {
            self.interrupted = Some(format!("{}: {fault}", path.display()));
        }
    }

    /// What the audit has against a directory or the way to it.
    pub(super) fn faults(&self, directory: &Path) -> Vec<String> {
        let Some(audit) = self.audit else { return Vec::new() };
        match Opened::root(directory, Some(audit)) {
            Ok(opened) => opened.faults,
            // Whoever reads it is told.
            Err(_) => Vec::new(),
        }
    }

    /// Reads a regular file of at most so many bytes, or one more, so that whoever parses it sees that it is too large.
    pub(super) fn read(&mut self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
        let read = read_regular(path, bytes_max);
        let bytes = read.map_err(|fault| {
            self.note(path, &fault);
            format!("cannot be read: {fault}")
        })?;
        let Some(audit) = self.audit else { return Ok(bytes) };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("cannot be read: its name is not UTF-8")?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // What is judged and read is what one descriptor holds.
        let opened = Opened::root(directory, Some(audit)).ok();
        let judged = opened.and_then(|opened| opened.read(name, bytes_max));
        judged.map_or_else(|| Err("cannot be read: it vanished".to_owned()), |read| read.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_lacks_for_a_moment_says_nothing_of_the_keys() {
        let noted = |fault: Errno| {
            let mut files = Files::default();
            files.note(Path::new("ops.pub.pem"), &fault.into());
            files.interrupted
        };
        for fault in PASSING {
            assert!(noted(fault).is_some_and(|told| told.starts_with("ops.pub.pem: ")), "{fault}");
        }
        for fault in [Errno::NOENT, Errno::ACCESS, Errno::IO, Errno::LOOP] {
            assert_eq!(noted(fault), None, "{fault}");
        }
    }
}
