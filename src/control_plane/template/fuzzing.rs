//! What the targets in `fuzz/` need beyond the public API. It is compiled with `--cfg fuzzing` alone and is no part of the library.

use super::format::document;
use super::format::draft::Draft;
pub use super::format::fuzzing::explained;

use super::Document;
use super::format::compressed;

/// The template file within a compressed one.
///
/// # Errors
/// Why it cannot be read.
pub fn decompress(bytes: &[u8]) -> Result<Vec<u8>, String> {
    compressed::decompress(bytes)
}

/// The canonical form (RFC 8785) of a file that was accepted.
#[must_use]
pub fn canonical(document: &Document) -> Vec<u8> {
    document::canonical(&document.value).unwrap_or_default()
}

/// What later stages say about a file, whether or not it was accepted.
#[must_use]
pub fn later(bytes: &[u8]) -> Vec<String> {
    let mistakes = Draft::of(bytes).map(|draft| draft.mistakes(None, |_| None)).unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}
