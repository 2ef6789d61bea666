//! From a file's bytes to its text, or to the name of what the bytes are instead.

use super::mistake::{Mistake, Place};

/// What files begin with that are no UTF-8 text, and what they are.
const SIGNS: [(&[u8], &str); 11] = [
    (b"\xef\xbb\xbf", "begins with a byte order mark; save it as UTF-8 without one"),
    (b"\xff\xfe\0\0", "is UTF-32 (little-endian); save it as UTF-8"),
    (b"\0\0\xfe\xff", "is UTF-32 (big-endian); save it as UTF-8"),
    (b"{\0\0\0", "is UTF-32 (little-endian, without a mark); save it as UTF-8"),
    (b"\0\0\0{", "is UTF-32 (big-endian, without a mark); save it as UTF-8"),
    (b"\xff\xfe", "is UTF-16 (little-endian); save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16 (big-endian); save it as UTF-8"),
    (b"{\0", "is UTF-16 (little-endian, without a mark); save it as UTF-8"),
    (b"\0{", "is UTF-16 (big-endian, without a mark); save it as UTF-8"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; such a file is called NAME.json.zst"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it"),
];

/// The text of a file.
///
/// # Errors
/// What the file is instead, and what to do.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Mistake> {
    if let Some((_, what)) = SIGNS.iter().find(|(sign, _)| bytes.starts_with(sign)) {
        return Err(Mistake::at("", format!("the file {what}")).placed(Some(Place { line: 1, column: 1 })));
    }
    std::str::from_utf8(bytes).map_err(|fault| {
        let good = fault.valid_up_to();
        let before = bytes.get(..good).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or_default();
        let place = Place::of(before, before.len());
        Mistake::at("", format!("not UTF-8 from byte {good} on; save the file as UTF-8")).placed(Some(place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_encodings_are_told_by_name() {
        let utf16 = |bytes: fn(u16) -> [u8; 2]| "{\"a\": 1}".encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let utf32 =
            |bytes: fn(u32) -> [u8; 4]| "{\"a\": 1}".chars().flat_map(|c| bytes(u32::from(c))).collect::<Vec<u8>>();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for (bytes, part) in [
            (marked(b"\xef\xbb\xbf", b"{}"), "byte order mark"),
            (marked(b"\xff\xfe", &utf16(u16::to_le_bytes)), "UTF-16 (little-endian)"),
            (marked(b"\xfe\xff", &utf16(u16::to_be_bytes)), "UTF-16 (big-endian)"),
            (utf16(u16::to_le_bytes), "UTF-16 (little-endian, without"),
            (utf16(u16::to_be_bytes), "UTF-16 (big-endian, without"),
            (utf32(u32::to_le_bytes), "UTF-32 (little-endian, without"),
            (utf32(u32::to_be_bytes), "UTF-32 (big-endian, without"),
            (marked(b"\xff\xfe\0\0", &utf32(u32::to_le_bytes)), "UTF-32 (little-endian)"),
            (marked(b"\0\0\xfe\xff", &utf32(u32::to_be_bytes)), "UTF-32 (big-endian)"),
            (b"\x1f\x8b\x08".to_vec(), "gzip"),
            (b"\x28\xb5\x2f\xfd\x04".to_vec(), "zstd"),
        ] {
            assert!(text(&bytes).expect_err("refused").message.contains(part), "{part}");
        }
        let latin = text(b"{\n\"name\": \"caf\xe9\"}").expect_err("refused");
        assert_eq!(latin.to_string(), "line 2, column 13: not UTF-8 from byte 14 on; save the file as UTF-8");
    }
}
