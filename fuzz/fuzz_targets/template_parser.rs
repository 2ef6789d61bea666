//! A template file that is accepted has one meaning: its canonical form is accepted too, and has the same digest.

#![no_main]

use agent_factory::control_plane::template::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Document::parse(bytes);
});
