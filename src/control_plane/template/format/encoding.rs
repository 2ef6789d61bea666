//! Which encoding a file is in that should be UTF-8, so that a refusal names it.

/// Text, or what it is instead and what to do about it. The marks are those of Unicode 16, section 23.8; without one, ASCII in
/// UTF-16 and UTF-32 gives itself away by its zero bytes (RFC 4627, section 3).
pub(super) fn text(bytes: &[u8]) -> Result<&str, String> {
    let encoding = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [_, 0, 0, 0, ..] => Some("UTF-32, little endian"),
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] => Some("UTF-32, big endian"),
        [0xff, 0xfe, ..] | [_, 0, _, 0, ..] => Some("UTF-16, little endian"),
        [0xfe, 0xff, ..] | [0, _, 0, _, ..] => Some("UTF-16, big endian"),
        [0xef, 0xbb, 0xbf, ..] => return Err("begins with a byte order mark: save it as UTF-8 without one".to_owned()),
        _ => None,
    };
    if let Some(encoding) = encoding {
        return Err(format!("not UTF-8 but {encoding}: save it as UTF-8 without a byte order mark"));
    }
    std::str::from_utf8(bytes).map_err(|fault| format!("not UTF-8 from byte {} on", fault.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_encoding_is_told_by_name() {
        let json = "{\"name\": \"é\"}";
        let wide = |wide: fn(u16) -> [u8; 2]| json.encode_utf16().flat_map(wide).collect::<Vec<u8>>();
        let wider = |wider: fn(u32) -> [u8; 4]| json.chars().flat_map(|c| wider(u32::from(c))).collect::<Vec<u8>>();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for (bytes, part) in [
            (marked(&[0xef, 0xbb, 0xbf], json.as_bytes()), "byte order mark"),
            (wide(u16::to_le_bytes), "UTF-16, little endian"),
            (wide(u16::to_be_bytes), "UTF-16, big endian"),
            (marked(&[0xff, 0xfe], &wide(u16::to_le_bytes)), "UTF-16, little endian"),
            (marked(&[0xfe, 0xff], &wide(u16::to_be_bytes)), "UTF-16, big endian"),
            (wider(u32::to_le_bytes), "UTF-32, little endian"),
            (wider(u32::to_be_bytes), "UTF-32, big endian"),
            (b"{\"name\": \"caf\xe9\"}".to_vec(), "not UTF-8 from byte 13 on"),
        ] {
            let told = text(&bytes).expect_err(part);
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(text(json.as_bytes()), Ok(json));
        assert_eq!(text(b""), Ok(""));
    }
}
