//! Templates.
pub mod document;
pub mod error;
mod inherit;
pub mod keys;
pub mod mistake;
pub mod model;
pub mod plan;
pub mod schema;
pub mod signature;
pub mod signing;
mod strict;
pub mod trust;
mod wire;
