//! What a template file may say: parsed strictly, held against the schema, inherited, and given its typed form. Pure.
//!
//! ```text
//! bytes --encoding--> text --(serde_json, or syntax says why not)--> value --strict, schema (words, nearest)--> Document
//!                     Document --inherit--> resolved --wire, plan--> Template        a refused file --draft--> what later stages would say
//! ```
//!
//! Every mistake has a place in the file; see `mistake` and [`document::Document::place`].

pub(super) mod chain;
pub(super) mod compressed;
pub(super) mod diff;
pub(super) mod document;
pub(super) mod draft;
mod encoding;
#[cfg(fuzzing)]
pub(super) mod fuzzing {
    //! See `template::fuzzing`.

    /// Why a text is not JSON, in our words; nothing where it is.
    #[must_use]
    pub fn explained(text: &str) -> Vec<String> {
        super::syntax::mistakes(text).iter().map(ToString::to_string).collect()
    }
}
mod hooks;
pub(super) mod inherit;
pub(super) mod mistake;
pub(super) mod nearest;
pub mod plan;
mod protection;
mod schema;
mod strict;
mod syntax;
#[cfg(test)]
mod tests;
pub(super) mod wire;
mod words;

pub use schema::SCHEMA;
pub use strict::NESTING_MAX;
