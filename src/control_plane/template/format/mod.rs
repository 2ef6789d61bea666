//! What a template file may say: parsed strictly, held against the schema, inherited, and given its typed form. Pure.

pub(super) mod compressed;
pub(super) mod diff;
pub(super) mod document;
mod encoding;
mod hooks;
pub(super) mod inherit;
pub(super) mod mistake;
pub mod plan;
mod schema;
mod strict;
pub(super) mod wire;

pub use schema::SCHEMA;
pub use strict::NESTING_MAX;
