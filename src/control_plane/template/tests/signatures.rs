//! Signatures made elsewhere and here, and what must not verify.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::format::document;
use super::super::signing::{sign_file, verify_file};
use super::super::trust::keys::{self, KeyPaths};
use super::super::trust::python;
use super::super::trust::signature::Signed;
use super::super::{Algorithm, Digests, Envelope, Error, Fault, TrustStore, canonical_digest};
use crate::domain::clock::Timestamp;
use crate::domain::name::{KeyId, TemplateName};

/// Public keys and signatures that `make.sh` beside them made with OpenSSL and Python.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).expect("a fixture")
}

fn outcome(template: &str, signature: &str, legacy_key: Option<&str>) -> Result<(), &'static str> {
    let legacy_key = legacy_key.map(|key| fixtures().join(format!("{key}.pub.pem")));
    let trust = TrustStore::read(Some(&fixtures()), legacy_key.as_deref());
    let bytes = fixture(&format!("{template}.json"));
    let own = canonical_digest(&bytes).expect("canonical");
    let legacy = document::legacy_digest(&bytes).ok();
    let envelope = Envelope::parse(&fixture(&format!("{template}.{signature}"))).map_err(|fault| fault.reason())?;
    let verified = trust.verify(&name(), &envelope, &Digests { own, legacy }, Timestamp::now());
    verified.map(|_| ()).map_err(|fault| fault.reason())
}

const TEMPLATES: [&str; 3] = ["signed", "other", "odd"];

#[test]
fn signatures_that_openssl_and_python_made_verify() {
    for template in TEMPLATES {
        for signature in [
            "openssl-ed25519.sig",
            "openssl-rsa-salt32.sig",
            "python-ed25519.sig",
            "python-rsa2048.sig",
            "python-rsa2049.sig",
            "python-rsa3072.sig",
        ] {
            assert_eq!(outcome(template, signature, None), Ok(()), "{template} {signature}");
        }
    }
}

#[test]
fn signatures_of_the_predecessor_verify_by_the_key_of_the_settings_only() {
    for template in TEMPLATES {
        for key in ["python-rsa2048", "python-rsa2049", "python-rsa3072"] {
            let outcome = |salt: &str, by| outcome(template, &format!("{key}.legacy{salt}.sig"), by);
            assert_eq!(outcome("", Some(key)), Ok(()), "{template} {key}: the longest salt");
            assert_eq!(outcome("-salt32", Some(key)), Ok(()), "{template} {key}: a salt of 32 bytes");
            assert_eq!(outcome("-salt64", Some(key)), Err("wrong_signature"), "{template} {key}: another salt");
            assert_eq!(outcome("", Some("openssl-rsa")), Err("wrong_signature"), "{template} {key}: another key's");
            assert_eq!(outcome("", None), Err("legacy"), "{template} {key}: no key for this form");
        }
    }
}

#[test]
fn signatures_of_other_forms_are_refused_by_name() {
    for template in TEMPLATES {
        assert_eq!(
            outcome(template, "openssl-rsa-salt222.sig", None),
            Err("wrong_signature"),
            "v1 has a salt of 32 bytes"
        );
        assert_eq!(outcome(template, "openssl-rsa-pkcs1.sig", None), Err("wrong_signature"), "v1 is PSS");
    }
}

/// What Python wrote of each line; a live test in tests/suite makes it anew.
#[test]
fn the_form_of_the_predecessor_is_python_s_to_the_byte() {
    let (lines, dumps) = (fixture("corpus.jsonl"), fixture("corpus.dumps"));
    let lines = std::str::from_utf8(&lines).expect("UTF-8").lines();
    let dumps = std::str::from_utf8(&dumps).expect("UTF-8").lines();
    let mut compared = 0;
    for (line, dumped) in lines.zip(dumps) {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(python::canonical(&value), dumped, "{line}");
        assert!(canonical_digest(line.as_bytes()).is_ok(), "{line}");
        compared += 1;
    }
    assert_eq!(compared, 300);
}

#[test]
fn a_key_that_is_too_short_is_refused_by_name_and_the_others_go_on() {
    let trust = TrustStore::read(Some(&fixtures()), None);
    assert_eq!(trust.keys().count(), 6);
    let [(path, reason)] = trust.unusable() else { panic!("one unusable key: {:?}", trust.unusable()) };
    assert!(path.ends_with("short-rsa.pub.pem") && reason.contains("1024 bits"), "{reason}");
}

/// A directory with one signed template.
struct Desk {
    directory: tempfile::TempDir,
    keys: KeyPaths,
}

impl Desk {
    fn new(algorithm: Algorithm) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = keys::generate(&id("ops"), algorithm, directory.path()).expect("keys");
        let desk = Self { directory, keys };
        std::fs::write(desk.template(), TEMPLATE).expect("written");
        desk
    }

    fn template(&self) -> PathBuf {
        self.directory.path().join("a.json")
    }

    fn trust(&self) -> TrustStore {
        TrustStore::read(Some(self.directory.path()), None)
    }
}

const TEMPLATE: &str =
    r#"{"name": "a", "version": "1.0.0", "system_prompt": "p", "tools": ["x"], "model": {"temperature": 0.2}}"#;

fn name() -> TemplateName {
    "a".parse().expect("a name")
}

fn id(name: &str) -> KeyId {
    name.parse().expect("a key id")
}

#[test]
fn what_is_signed_here_verifies_here() {
    for algorithm in [Algorithm::Ed25519, Algorithm::RsaPssSha256] {
        let desk = Desk::new(algorithm);
        sign_file(&desk.template(), &desk.keys.private).expect("signed");
        sign_file(&desk.template(), &desk.keys.private).expect("signed again, in place of the first");
        let verified = verify_file(&desk.template(), &desk.trust(), Timestamp::now()).expect("verified");
        assert_eq!((verified.signer.key_id.as_str(), verified.signer.algorithm), ("ops", algorithm));
        // Layout is not content.
        let value: serde_json::Value = serde_json::from_str(TEMPLATE).expect("JSON");
        std::fs::write(desk.template(), serde_json::to_string_pretty(&value).expect("text")).expect("written");
        assert!(verify_file(&desk.template(), &desk.trust(), Timestamp::now()).is_ok());
    }
}

#[test]
fn openssl_reads_what_is_generated_here() {
    let desk = Desk::new(Algorithm::Ed25519);
    let Ok(output) =
        std::process::Command::new("openssl").args(["pkey", "-noout", "-text", "-in"]).arg(&desk.keys.private).output()
    else {
        eprintln!("NOT TESTED: the openssl binary is not installed");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_key_is_never_overwritten_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(Algorithm::Ed25519);
    let before = std::fs::read(&desk.keys.private).expect("a key");
    assert!(matches!(keys::generate(&id("ops"), Algorithm::Ed25519, desk.directory.path()), Err(Error::KeyExists(_))));
    std::fs::remove_file(&desk.keys.public).expect("removed");
    assert!(matches!(keys::generate(&id("ops"), Algorithm::Ed25519, desk.directory.path()), Err(Error::KeyExists(_))));
    assert_eq!(std::fs::read(&desk.keys.private).expect("a key"), before);
    assert_eq!(std::fs::metadata(&desk.keys.private).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_sign_is_refused_by_name() {
    let desk = Desk::new(Algorithm::Ed25519);
    assert!(matches!(sign_file(&desk.template(), &desk.keys.public), Err(Error::KeyUnusable { .. })));
    let nonsense = desk.directory.path().join("x.pem");
    std::fs::write(&nonsense, "nonsense").expect("written");
    assert!(matches!(sign_file(&desk.template(), &nonsense), Err(Error::KeyUnusable { .. })));
    std::fs::write(desk.template(), r#"{"a": 1, "a": 2}"#).expect("written");
    assert!(matches!(sign_file(&desk.template(), &desk.keys.private), Err(Error::Invalid { .. })));
}

fn fault(desk: &Desk) -> Fault {
    match verify_file(&desk.template(), &desk.trust(), Timestamp::now()) {
        Err(Error::Signature { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_key_another_algorithm_or_another_content_does_not_verify() {
    let desk = Desk::new(Algorithm::Ed25519);
    assert_eq!(fault(&desk), Fault::Missing);
    sign_file(&desk.template(), &desk.keys.private).expect("signed");
    let signature = desk.directory.path().join("a.json.sig");
    let good = std::fs::read_to_string(&signature).expect("a signature");

    // The same name, another key.
    std::fs::remove_file(&desk.keys.public).expect("removed");
    assert_eq!(fault(&desk), Fault::UnknownKey(id("ops")));
    let elsewhere = tempfile::tempdir().expect("a directory");
    let other = keys::generate(&id("ops"), Algorithm::Ed25519, elsewhere.path()).expect("keys");
    std::fs::copy(&other.public, &desk.keys.public).expect("copied");
    assert_eq!(fault(&desk), Fault::Wrong(id("ops")));

    // The same name, another algorithm: of the key, or of the signature.
    std::fs::copy(fixtures().join("openssl-rsa.pub.pem"), &desk.keys.public).expect("copied");
    assert_eq!(fault(&desk).reason(), "algorithm_mismatch");
    std::fs::write(&signature, good.replace("ed25519", "rsa-pss-sha256")).expect("written");
    assert_eq!(fault(&desk), Fault::Wrong(id("ops")));
}

#[test]
fn a_signature_holds_for_one_key_id_only() {
    let desk = Desk::new(Algorithm::Ed25519);
    sign_file(&desk.template(), &desk.keys.private).expect("signed");
    // The same key under another name: the message binds the name.
    std::fs::rename(&desk.keys.public, desk.directory.path().join("eve.pub.pem")).expect("renamed");
    let signature = desk.directory.path().join("a.json.sig");
    let renamed = std::fs::read_to_string(&signature).expect("a signature").replace("ops", "eve");
    std::fs::write(&signature, renamed).expect("written");
    assert_eq!(fault(&desk), Fault::Wrong(id("eve")));
}

/// Whatever byte of a signed template is changed, it is refused, unless the change is one of layout.
#[test]
fn a_changed_byte_never_verifies() {
    let desk = Desk::new(Algorithm::Ed25519);
    sign_file(&desk.template(), &desk.keys.private).expect("signed");
    let trust = desk.trust();
    let written = std::fs::read(desk.directory.path().join("a.json.sig")).expect("a signature");
    let envelope = Envelope::parse(&written).expect("an envelope");
    let content: serde_json::Value = serde_json::from_str(TEMPLATE).expect("JSON");
    let at = Timestamp::now();
    let holds = |envelope: &Envelope, own| trust.verify(&name(), envelope, &Digests { own, legacy: None }, at).is_ok();
    let verifies = |bytes: &[u8]| canonical_digest(bytes).is_ok_and(|digest| holds(&envelope, digest));
    assert!(verifies(TEMPLATE.as_bytes()));
    proptest!(|(at in 0_usize..TEMPLATE.len(), to in 0x20_u8..0x7f)| {
        let mut bytes = TEMPLATE.as_bytes().to_vec();
        bytes[at] = to;
        let same = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok_and(|value| value == content);
        prop_assert_eq!(verifies(&bytes), same);
    });
    // The signature's own bytes, one by one.
    let digest = canonical_digest(TEMPLATE.as_bytes()).expect("canonical");
    let Envelope::V1 { key_id, algorithm, signature } = &envelope else { panic!("not v1") };
    for at in 0..signature.len() {
        let mut forged = signature.clone();
        forged[at] ^= 1;
        let forged = Envelope::V1 { key_id: key_id.clone(), algorithm: *algorithm, signature: forged };
        assert!(!holds(&forged, digest), "byte {at}");
    }
}

/// A signature of the predecessor names no key: when its key gets a second name that comes earlier, it is the same key's still.
#[test]
fn a_second_name_of_its_key_does_not_stop_what_was_signed_in_the_legacy_form() {
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str| std::fs::write(directory.path().join(name), fixture("python-rsa2048.pub.pem")).expect("put");
    let grants = ["m", "a"].map(|key| format!("[keys.{key}]\nschemes = [\"legacy\"]\n")).concat();
    std::fs::write(directory.path().join("trust.toml"), grants).expect("written");
    put("m.pub.pem");
    let bytes = fixture("signed.json");
    let own = canonical_digest(&bytes).expect("canonical");
    let digests = Digests { own, legacy: document::legacy_digest(&bytes).ok() };
    let envelope = Envelope::parse(&fixture("signed.python-rsa2048.legacy.sig")).expect("an envelope");
    let Envelope::Legacy { signature } = envelope.clone() else { panic!("the legacy form") };
    let read = || TrustStore::read(Some(directory.path()), None);
    let now = Timestamp::now();
    let signer = read().verify(&name(), &envelope, &digests, now).expect("trusted").signer;
    assert_eq!(signer.key_id, id("m"));
    let signed = Signed { signer: signer.clone(), signature, legacy: digests.legacy };
    put("a.pub.pem");
    assert_eq!(read().verify(&name(), &envelope, &digests, now).expect("trusted").signer.key_id, id("a"));
    assert_eq!(read().at(now).again(&name(), &signed, own).map(|trusted| trusted.signer), Ok(signer));
    // Another key's it does not become.
    std::fs::remove_file(directory.path().join("m.pub.pem")).expect("removed");
    assert_eq!(read().at(now).again(&name(), &signed, own), Err(Fault::UnknownKey(id("m"))));
}
