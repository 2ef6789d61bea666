//! A compressed template file that is read is bounded, and its content is that of a frame that we would write; one that is refused
//! is refused shortly.

#![no_main]

use agent_factory::control_plane::template::{TEMPLATE_BYTES_MAX, fuzzing};
use libfuzzer_sys::fuzz_target;

/// The longest that a reason may be, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

fuzz_target!(|bytes: &[u8]| {
    match fuzzing::decompress(bytes) {
        Ok(content) => {
            assert!(content.len() <= TEMPLATE_BYTES_MAX);
            let again = zstd::encode_all(content.as_slice(), 1).expect("compressed in memory");
            if again.len() <= TEMPLATE_BYTES_MAX {
                assert_eq!(fuzzing::decompress(&again).as_ref(), Ok(&content));
            }
        }
        Err(reason) => assert!((1..=REASON_BYTES_MAX).contains(&reason.len()), "{reason}"),
    }
});
