//! The directory of templates: read, watched, and looked at file by file.

pub(super) mod directory;
pub(super) mod look;
pub(super) mod scope;
pub(super) mod watch;
