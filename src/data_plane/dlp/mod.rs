//! dlp

pub mod detect;
mod finding;
pub use detect::detect;
pub use finding::{Counts, Finding, Kind, Score};
