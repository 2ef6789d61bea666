//! A signature file that is accepted is one envelope and no other: written out again, it reads as the same.

#![no_main]

use agent_factory::control_plane::template::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = Envelope::parse(bytes) else { return };
    let again = Envelope::parse(envelope.to_text().as_bytes()).expect("an envelope that was written is read");
    assert_eq!(envelope, again);
});
