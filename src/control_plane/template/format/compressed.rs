//! `NAME.json.zst`: a template file that was compressed with zstd, read without trusting it. Pure.
//!
//! It is one frame and nothing else (RFC 8878): no second frame, no skippable frame, nothing behind it, so that there is one
//! content that everybody reads alike. It needs no dictionary: its signer had none of ours. Neither the output nor the window
//! goes beyond its limit, whatever the file says of itself.

use std::io::Read as _;

use zstd::zstd_safe;

use super::document::TEMPLATE_BYTES_MAX;

/// The largest window that a file may ask for, as a power of two: 8 MiB, which RFC 8878 recommends every decoder to support
/// and no template comes near.
const WINDOW_LOG_MAX: u32 = 23;
/// How a zstd frame begins (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// How a skippable frame begins, but for the low half of the first byte (RFC 8878, 3.1.2).
const SKIPPABLE: [u8; 4] = [0x50, 0x2A, 0x4D, 0x18];

/// The template file within.
///
/// # Errors
/// Why it cannot be read.
pub(in crate::control_plane::template) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let refuse = |reason: String| Err(format!("not a .zst file that can be read: {reason}"));
    let limit = u64::try_from(TEMPLATE_BYTES_MAX).unwrap_or(u64::MAX);
    if bytes.len() > TEMPLATE_BYTES_MAX {
        return refuse(format!("larger than {TEMPLATE_BYTES_MAX} bytes while compressed"));
    }
    match bytes.first_chunk() {
        Some(&MAGIC) => {}
        Some(&[first, rest @ ..]) if [first & 0xF0, rest[0], rest[1], rest[2]] == SKIPPABLE => {
            return refuse("it begins with a skippable frame; write one plain frame".to_owned());
        }
        Some(_) => return refuse("it does not begin as zstd does; compress it with \"zstd NAME.json\"".to_owned()),
        None => return refuse("it is cut short: it ends within its first four bytes".to_owned()),
    }
    if let Some(id) = zstd_safe::get_dict_id_from_frame(bytes) {
        return refuse(format!("it needs the dictionary {id}; compress it without a dictionary"));
    }
    let told = |code| zstd_safe::get_error_name(code).to_lowercase();
    let frame = match zstd_safe::find_frame_compressed_size(bytes) {
        Ok(frame) => frame,
        Err(code) => return refuse(format!("it is cut short or damaged ({})", told(code))),
    };
    if let Some(more) = bytes.len().checked_sub(frame).filter(|more| *more > 0) {
        return refuse(format!("{more} bytes follow its frame; it must be one frame and nothing else"));
    }
    match zstd_safe::get_frame_content_size(bytes) {
        Ok(Some(size)) if size > limit => {
            return refuse(format!("it says that it holds {size} bytes; at most {TEMPLATE_BYTES_MAX} are read"));
        }
        Ok(_) => {}
        Err(_) => return refuse("its header is damaged".to_owned()),
    }
    let mut content = Vec::new();
    let read = zstd::stream::read::Decoder::with_buffer(bytes).and_then(|decoder| {
        let mut decoder = decoder.single_frame();
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        decoder.take(limit.saturating_add(1)).read_to_end(&mut content)
    });
    match read {
        Err(fault) => refuse(format!("it is damaged or asks for too much ({})", fault.to_string().to_lowercase())),
        Ok(_) if content.len() > TEMPLATE_BYTES_MAX => refuse(format!("it holds more than {TEMPLATE_BYTES_MAX} bytes")),
        Ok(_) => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn told(bytes: &[u8]) -> String {
        decompress(bytes).expect_err("refused")
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(content, 19).expect("compressed")
    }

    /// A frame that does not tell its size, with a window of this many bits.
    fn streamed(content: &[u8], window_log: u32) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.window_log(window_log).expect("set");
        encoder.write_all(content).expect("written");
        encoder.finish().expect("finished")
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for content in [&b""[..], b"{}", &vec![b'x'; TEMPLATE_BYTES_MAX]] {
            assert_eq!(decompress(&packed(content)).as_deref(), Ok(content));
            assert_eq!(decompress(&streamed(content, 20)).as_deref(), Ok(content));
        }
    }

    #[test]
    fn a_bomb_is_refused_whether_or_not_it_tells_its_size() {
        let bomb = vec![0; 50 * 1024 * 1024];
        assert!(told(&packed(&bomb)).contains("says that it holds 52428800 bytes"), "{}", told(&packed(&bomb)));
        let silent = streamed(&bomb, 20);
        assert!(silent.len() < 10_000 && told(&silent).contains("holds more than"), "{}", told(&silent));
        assert!(told(&packed(&vec![0; TEMPLATE_BYTES_MAX + 1])).contains("says that it holds"));
    }

    #[test]
    fn a_window_beyond_the_limit_is_refused() {
        assert!(decompress(&streamed(b"{}", 23)).is_ok());
        let told = told(&streamed(b"{}", 24));
        assert!(told.contains("asks for too much"), "{told}");
    }

    #[test]
    fn one_frame_and_nothing_else() {
        let frame = packed(b"{\"a\": 1}");
        for (bytes, part) in [
            ([frame.clone(), b"x".to_vec()].concat(), "1 bytes follow its frame"),
            ([frame.clone(), frame.clone()].concat(), "bytes follow its frame"),
            ([vec![0x57, 0x2A, 0x4D, 0x18, 0, 0, 0, 0], frame.clone()].concat(), "skippable frame"),
            (b"{\"a\": 1}".to_vec(), "does not begin as zstd does"),
            (Vec::new(), "cut short"),
            (vec![0x28, 0xB5], "cut short"),
        ] {
            assert!(told(&bytes).contains(part), "{}", told(&bytes));
        }
    }

    #[test]
    fn a_frame_with_a_dictionary_is_refused_by_its_id() {
        let shipped = crate::control_plane::template::archive::dictionary::Dictionary::shipped();
        let press = shipped.press().expect("a press");
        let frame = press.begin().expect("begun").frame(b"{}").expect("a frame");
        assert!(told(&frame).contains(&format!("needs the dictionary {}", shipped.id())), "{}", told(&frame));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_refused_or_harmless() {
        let content =
            br#"{"name": "a", "version": "1.0.0", "system_prompt": "Answer from the material. Answer briefly."}"#;
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
        encoder.include_checksum(true).expect("set");
        encoder.write_all(content).expect("written");
        let frame = encoder.finish().expect("finished");
        for end in 0..frame.len() {
            assert!(decompress(&frame[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..frame.len() * 8 {
            let mut changed = frame.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // Some bits of the header mean nothing to a decoder; the content is the same or nothing.
            if let Ok(read) = decompress(&changed) {
                assert_eq!(read, content, "bit {bit}");
            }
        }
    }
}
