//! The document that the quickstart has read.

use std::path::Path;

use crate::cli::exit::Error;
use crate::cli::input;

/// The file that is read where the current directory has none.
const SAMPLE: &str = include_str!("sample.md");
/// The name of a file that most directories of people who try this have.
const README: &str = "README.md";
/// The largest README that is read, in bytes; a larger one is no quick start.
const README_BYTES_MAX: u64 = 1024 * 1024;

/// A text with the name of its file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: String,
    pub(super) text: String,
}

impl Document {
    /// The README of the current directory, else a sample that is put into `workshop` first: what is read is a real file.
    pub(super) fn choose(workshop: &Path) -> Result<Self, Error> {
        Self::readme(Path::new(README)).map_or_else(|| Self::sample(workshop), Ok)
    }

    /// The file if it is there, small, and text.
    fn readme(path: &Path) -> Option<Self> {
        let small = std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= README_BYTES_MAX);
        let text = small.then(|| input::read(path).ok())?.filter(|text| !text.trim().is_empty())?;
        Some(Self { name: README.into(), text })
    }

    fn sample(workshop: &Path) -> Result<Self, Error> {
        let path = workshop.join("sample.md");
        std::fs::write(&path, SAMPLE)
            .map_err(|source| Error::failed("workshop_not_made", format!("write {}: {source}", path.display())))?;
        Ok(Self { name: "sample.md".into(), text: input::read(&path)? })
    }

    /// Its size in words.
    pub(super) fn size(&self) -> String {
        match self.text.len() {
            bytes @ 0..1_000 => format!("{bytes} bytes"),
            bytes => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_readme_gives_way_to_the_sample() {
        let dir = tempfile::tempdir().expect("a directory");
        let readme = dir.path().join(README);
        assert!(Document::readme(&readme).is_none(), "missing");
        std::fs::write(&readme, b"\xff\xfe").expect("write");
        assert!(Document::readme(&readme).is_none(), "not text");
        std::fs::write(&readme, " \n").expect("write");
        assert!(Document::readme(&readme).is_none(), "empty");
        std::fs::write(&readme, "# Title").expect("write");
        assert_eq!(Document::readme(&readme).expect("a document").text, "# Title");
        assert_eq!(Document::sample(dir.path()).expect("a sample").text, SAMPLE);
    }

    #[test]
    fn sizes_are_told_as_people_do() {
        let size = |length: usize| Document { name: String::new(), text: "x".repeat(length) }.size();
        assert_eq!((size(999), size(1_000), size(12_345)), ("999 bytes".into(), "1.0 kB".into(), "12.3 kB".into()));
    }
}
