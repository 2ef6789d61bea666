//! What it costs to verify a signature, of each form, against the bare call of the library in the same run: the difference is
//! what trust itself costs (finding the key, its entry, its window, the list of revocations, the message).
//!
//!     cargo bench --bench signature

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use agent_factory::control_plane::template::{
    Digests, Envelope, TrustStore, canonical_digest, legacy_digest, signed_message,
};
use agent_factory::domain::clock::Timestamp;
use agent_factory::domain::name::TemplateName;
use divan::Bencher;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use rsa::signature::Verifier as _;
use rsa::{RsaPublicKey, pss};
use sha2::Sha256;

/// The key whose signatures are verified here in both forms.
const RSA_KEY: &str = "python-rsa2048";
const ED25519_KEY: &str = "openssl-ed25519";
/// The longest salt of a key of 2,048 bits.
const LONGEST_SALT: usize = 222;

fn main() {
    divan::main();
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).expect("a fixture")
}

/// The keys of the fixtures, of which one may sign in the legacy form.
static TRUST: LazyLock<TrustStore> = LazyLock::new(|| {
    let legacy_key = fixture(&format!("{RSA_KEY}.pub.pem"));
    TrustStore::read(Some(&fixture("")), Some(&legacy_key))
});

fn digests() -> Digests {
    let document = read("signed.json");
    Digests {
        own: canonical_digest(&document).expect("canonical"),
        legacy: Some(legacy_digest(&document).expect("canonical")),
    }
}

fn envelope(signature: &str) -> Envelope {
    Envelope::parse(&read(&format!("signed.{signature}.sig"))).expect("an envelope")
}

#[divan::bench(args = ["openssl-ed25519", "python-rsa2048", "python-rsa3072", "python-rsa2048.legacy", "python-rsa2048.legacy-salt32"])]
fn trusted(bencher: Bencher, signature: &str) {
    let name: TemplateName = "signed".parse().expect("a name");
    let (envelope, digests, now) = (envelope(signature), digests(), Timestamp::now());
    assert!(TRUST.verify(&name, &envelope, &digests, now).is_ok());
    bencher.bench(|| TRUST.verify(black_box(&name), black_box(&envelope), &digests, now));
}

#[divan::bench]
fn bare_ed25519(bencher: Bencher) {
    let pem = String::from_utf8(read(&format!("{ED25519_KEY}.pub.pem"))).expect("text");
    let key = ed25519_dalek::VerifyingKey::from_public_key_pem(&pem).expect("a key");
    let Envelope::V1 { key_id, algorithm, signature } = envelope(ED25519_KEY) else { panic!("not v1") };
    let message = signed_message(&key_id, algorithm, &digests().own);
    let signature = ed25519_dalek::Signature::from_slice(&signature).expect("a signature");
    assert!(key.verify_strict(&message, &signature).is_ok());
    bencher.bench(|| key.verify_strict(black_box(&message), &signature));
}

fn bare_rsa(bencher: Bencher, salt: usize, message: &[u8], signature: &[u8]) {
    let pem = String::from_utf8(read(&format!("{RSA_KEY}.pub.pem"))).expect("text");
    let key = RsaPublicKey::from_public_key_pem(&pem).expect("a key");
    let key = pss::VerifyingKey::<Sha256>::new_with_salt_len(key, salt);
    let signature = pss::Signature::try_from(signature).expect("a signature");
    assert!(key.verify(message, &signature).is_ok());
    bencher.bench(|| key.verify(black_box(message), &signature));
}

#[divan::bench]
fn bare_rsa_2048(bencher: Bencher) {
    let Envelope::V1 { key_id, algorithm, signature } = envelope(RSA_KEY) else { panic!("not v1") };
    bare_rsa(bencher, 32, &signed_message(&key_id, algorithm, &digests().own), &signature);
}

#[divan::bench]
fn bare_rsa_2048_longest_salt(bencher: Bencher) {
    let Envelope::Legacy { signature } = envelope(&format!("{RSA_KEY}.legacy")) else { panic!("not legacy") };
    let digest = digests().legacy.expect("a digest");
    bare_rsa(bencher, LONGEST_SALT, digest.as_bytes(), &signature);
}

#[divan::bench]
fn canonical_form_v1(bencher: Bencher) {
    let document = read("signed.json");
    bencher.bench(|| canonical_digest(black_box(&document)));
}

#[divan::bench]
fn canonical_form_legacy(bencher: Bencher) {
    let document = read("signed.json");
    bencher.bench(|| legacy_digest(black_box(&document)));
}
