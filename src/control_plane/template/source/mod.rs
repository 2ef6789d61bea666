//! The directories of templates: opened and audited, read layer by layer, watched and swept, and looked at file by file.

pub(super) mod audit;
mod descent;
pub(super) mod layers;
pub(super) mod look;
pub(super) mod opened;
pub(super) mod reading;
pub(super) mod scope;
pub(super) mod watch;
