//! What the source audit asks of directories, links and files. Pure: the facts come from descriptors that are open already.
//!
//! Whoever may write to a directory may take signed templates away or put older ones back, which no signature shows. So each
//! part of the way must belong to root or to the daemon's own user, and no one else may write to it. Mode bits tell of access
//! control lists too: the group's bits are then the list's mask. A second hard link changes neither owner nor mode of a file, so
//! that it is no matter.

use rustix::fs::{FileType, Stat};

/// Others than the owner may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// In such a directory only owners rename and remove.
const STICKY: u32 = 0o1000;

/// A part of the way to a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control_plane::template) enum Part {
    /// A directory that leads to the templates; a sticky one, such as `/tmp`, may be writable by all.
    Above,
    /// A directory with templates.
    Directory,
    /// A symbolic link on the way; Linux gives it no mode.
    Link,
    /// A template or its signature.
    File,
}

/// Who may own the parts: root, and this user.
#[derive(Debug, Clone, Copy)]
pub(in crate::control_plane::template) struct Audit {
    own: u32,
}

impl Audit {
    /// The audit of a daemon that runs as this user.
    pub(in crate::control_plane::template) fn for_user(own: u32) -> Self {
        Self { own }
    }

    /// Why a part is not to be relied upon.
    pub(in crate::control_plane::template) fn fault(self, part: Part, facts: &Stat) -> Option<String> {
        let (owner, mode) = (facts.st_uid, facts.st_mode);
        if owner != 0 && owner != self.own {
            let own = self.own;
            return Some(format!("owned by user {owner}; only root and the daemon's own user {own} are trusted"));
        }
        let shared = mode & WRITABLE_BY_OTHERS != 0;
        let borne = match part {
            Part::Above => mode & STICKY != 0,
            Part::Link => true,
            Part::Directory | Part::File => false,
        };
        (shared && !borne).then(|| {
            let bits = mode & 0o7777;
            format!("writable by others than its owner (mode {bits:04o}); take that away with chmod go-w")
        })
    }
}

/// Whether it is a regular file.
pub(super) fn is_regular(facts: &Stat) -> bool {
    FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(owner: u32, mode: u32) -> Stat {
        let mut facts = rustix::fs::stat("/").expect("the root");
        (facts.st_uid, facts.st_mode) = (owner, mode);
        facts
    }

    #[test]
    fn only_root_and_the_daemon_own_and_nobody_else_writes() {
        let audit = Audit::for_user(1_000);
        for (part, owner, mode, part_of_the_fault) in [
            (Part::File, 1_000, 0o100_644, None),
            (Part::File, 0, 0o100_600, None),
            (Part::File, 1_001, 0o100_644, Some("owned by user 1001")),
            (Part::File, 1_000, 0o100_664, Some("mode 0664")),
            (Part::File, 1_000, 0o100_646, Some("mode 0646")),
            (Part::Directory, 0, 0o040_755, None),
            (Part::Directory, 0, 0o041_777, Some("mode 1777")),
            (Part::Directory, 0, 0o042_775, Some("mode 2775")),
            (Part::Above, 0, 0o041_777, None),
            (Part::Above, 0, 0o040_777, Some("mode 0777")),
            (Part::Above, 7, 0o040_755, Some("owned by user 7")),
            (Part::Link, 0, 0o120_777, None),
            (Part::Link, 7, 0o120_777, Some("owned by user 7")),
        ] {
            let fault = audit.fault(part, &facts(owner, mode));
            match part_of_the_fault {
                None => assert_eq!(fault, None, "{part:?} {owner} {mode:o}"),
                Some(wanted) => assert!(fault.as_ref().is_some_and(|told| told.contains(wanted)), "{fault:?}"),
            }
        }
    }
}
