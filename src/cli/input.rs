//! Text from an argument, a file or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::exit::Error;

/// The largest text that is read, in bytes. The daemon's own limit may be lower.
const INPUT_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Reads a file, or standard input where its name is `-`.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    if path == Path::new("-") {
        return read_from(io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| Error::Usage(format!("cannot open {name}: {source}")))?;
    read_from(file, &name)
}

fn read_from(source: impl Read, name: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = source.take(INPUT_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes);
    let length = read.map_err(|source| Error::Usage(format!("cannot read {name}: {source}")))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > INPUT_BYTES_MAX {
        return Err(Error::Usage(format!("{name} is larger than {} MiB; split it", INPUT_BYTES_MAX / 1024 / 1024)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::Usage(format!(
            "{name} is not UTF-8 text (byte {at} begins no character); convert it first, for example with `iconv`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf_8_is_text() {
        assert_eq!(read_from(&b"h\xc3\xa9"[..], "x").expect("text"), "hé");
        let error = read_from(&b"ab\xff"[..], "x.txt").expect_err("no text");
        assert!(matches!(&error, Error::Usage(text) if text.contains("x.txt") && text.contains("byte 2")), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/no/such/file")).expect_err("missing");
        assert!(matches!(&error, Error::Usage(text) if text.contains("/no/such/file")), "{error}");
    }

    #[test]
    fn endless_input_is_refused() {
        let error = read_from(io::repeat(b'x'), "x").expect_err("endless");
        assert!(matches!(&error, Error::Usage(text) if text.contains("larger than 128 MiB")), "{error}");
    }
}
