//! A template file that is accepted has one meaning: its canonical form is accepted too and has the same digest. One that is
//! refused is refused with reasons, few and short, and a text that is not JSON is explained.

#![no_main]

use agent_factory::control_plane::template::{Document, MISTAKES_MAX, canonical_digest, fuzzing};
use libfuzzer_sys::fuzz_target;

/// The longest that one mistake's text may be, in bytes: a pointer of at most 32 names and a sentence.
const MISTAKE_BYTES_MAX: usize = 16 * 1024;

fuzz_target!(|bytes: &[u8]| {
    match Document::parse(bytes) {
        Ok(document) => {
            let canonical = fuzzing::canonical(&document);
            let again = Document::parse(&canonical).expect("a canonical form is a template again");
            assert_eq!(again.digest(), document.digest());
            assert_eq!((again.name(), again.version(), again.extends()), (document.name(), document.version(), document.extends()));
            assert_eq!(canonical, fuzzing::canonical(&again));
            assert_eq!(canonical_digest(bytes).expect("what is accepted has a digest"), document.digest());
        }
        Err(mistakes) => {
            assert!((1..=MISTAKES_MAX).contains(&mistakes.len()));
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
            for mistake in mistakes {
                assert!(mistake.place.is_none_or(|place| place.column >= 1 && (1..=lines).contains(&place.line)));
                assert!(mistake.to_string().len() <= MISTAKE_BYTES_MAX);
            }
        }
    }
    assert!(fuzzing::later(bytes).len() <= MISTAKES_MAX);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let explained = fuzzing::explained(text);
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(_) => assert!(explained.iter().all(|reason| reason.contains("nested deeper")), "{explained:?}"),
            Err(fault) => assert!(!explained.is_empty(), "{fault}"),
        }
    }
});
