//! INVARIANT I59: signed templates changed in one place each. None is accepted unless the change is one of layout; none makes
//! anything panic. The signatures are those that OpenSSL and Python made (tests/fixtures/signatures), so that every run tries
//! the same.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::super::format::document;
use super::super::good::{Good, Rules};
use super::super::signing::sign_file;
use super::super::source::look::{Bytes, look};
use super::super::state::{Catalog, Change, Decision, News, decide};
use super::super::trust::keys;
use super::super::{Algorithm, Envelope, TrustStore, canonical_digest};
use super::rig::name;
use super::trust::{NOW, at};
use crate::control_plane::policy::Policy;

/// What must be tried at the least.
const TRIED_MIN: usize = 500;
/// The key whose legacy signatures are accepted.
const LEGACY_KEY: &str = "python-rsa2048";

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures").join(name);
    std::fs::read(path).expect("a fixture")
}

/// Signed templates, and who judges them.
struct Court {
    trust: TrustStore,
    policy: Policy,
    refused: usize,
    /// Accepted, because nothing but the layout was changed.
    same: usize,
}

/// One template with its signature, as it was made.
struct Original {
    template: &'static str,
    document: Vec<u8>,
    signature: Vec<u8>,
}

impl Original {
    fn new(template: &'static str, signature: &str) -> Self {
        let (document, signature) =
            (fixture(&format!("{template}.json")), fixture(&format!("{template}.{signature}.sig")));
        Self { template, document, signature }
    }

    /// The digest that its signature is about.
    fn digest(&self, document: &[u8]) -> Option<String> {
        match Envelope::parse(&self.signature).expect("an envelope") {
            Envelope::V1 { .. } => canonical_digest(document).ok().map(|digest| digest.to_string()),
            Envelope::Legacy { .. } => document::legacy_digest(document).ok().map(|digest| digest.to_string()),
        }
    }
}

impl Court {
    fn new() -> Self {
        Self::with("")
    }

    /// A court whose keys have this `trust.toml`, if any.
    fn with(trust_toml: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for key in ["openssl-ed25519", "openssl-rsa", "python-ed25519", "python-rsa2048", "python-rsa3072"] {
            let file = format!("{key}.pub.pem");
            std::fs::write(directory.path().join(&file), fixture(&file)).expect("written");
        }
        if !trust_toml.is_empty() {
            std::fs::write(directory.path().join("trust.toml"), trust_toml).expect("written");
        }
        let legacy_key = directory.path().join(format!("{LEGACY_KEY}.pub.pem"));
        let trust = TrustStore::read_at(Some(directory.path()), Some(&legacy_key), at(NOW));
        assert!(trust.unusable().is_empty(), "{:?}", trust.unusable());
        let policy = Policy::written("package operator.template\n\ndeny contains x if { x := input.never; false }");
        Self { trust, policy, refused: 0, same: 0 }
    }

    /// What is served when a file appears.
    fn serves(&self, template: &str, document: &[u8], signature: &[u8]) -> Option<Arc<Good>> {
        let name = name(template);
        let bytes = Bytes { document: Ok(document.to_vec()), signature: Ok(Some(signature.to_vec())), owner: None };
        let seen = look(&name, &bytes, Some(self.trust.at(at(NOW))));
        let news = News { seen: [(name.clone(), Arc::new(seen))].into(), ..News::default() };
        let rules = Rules { trust: Some(self.trust.at(at(NOW))), key_epoch: 0, policy: &self.policy };
        let Decision { catalog, changes, .. } = decide(&Catalog::default(), news, &rules, at(NOW));
        let good = catalog.entries.get(&name).and_then(|entry| entry.good.clone());
        let published = changes.iter().any(|change| matches!(change, Change::Published { .. }));
        assert_eq!(good.is_some(), published);
        good
    }

    /// Tries a changed file: refused, or the same but for its layout.
    fn try_one(&mut self, original: &Original, document: &[u8], signature: &[u8]) {
        if self.serves(original.template, document, signature).is_none() {
            self.refused += 1;
            return;
        }
        let told = || String::from_utf8_lossy(document).into_owned();
        assert_eq!(original.digest(document), original.digest(&original.document), "{}", told());
        assert_eq!(Envelope::parse(signature), Envelope::parse(&original.signature), "{}", told());
        self.same += 1;
    }

    /// Why the signature of a file makes it not trusted.
    fn fault(&self, original: &Original) -> Option<&'static str> {
        let Original { template, document, signature } = original;
        let bytes = Bytes { document: Ok(document.clone()), signature: Ok(Some(signature.clone())), owner: None };
        let seen = look(&name(template), &bytes, Some(self.trust.at(at(NOW))));
        seen.outcome.err()?.fault.map(|fault| fault.reason())
    }

    fn refuses(&mut self, original: &Original, document: &[u8], signature: &[u8], what: &str) {
        assert!(self.serves(original.template, document, signature).is_none(), "{what}");
        self.refused += 1;
    }
}

fn originals() -> Vec<Original> {
    let forms = [
        "openssl-ed25519",
        "openssl-rsa-salt32",
        "python-ed25519",
        "python-rsa3072",
        "python-rsa2048.legacy",
        "python-rsa2048.legacy-salt32",
    ];
    forms.into_iter().map(|form| Original::new("signed", form)).collect()
}

/// Each byte replaced, left out and doubled.
fn byte_changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).flat_map(move |index| {
        let (mut flipped, mut shorter, mut longer) = (bytes.to_vec(), bytes.to_vec(), bytes.to_vec());
        flipped[index] ^= 1;
        shorter.remove(index);
        longer.insert(index, bytes[index]);
        [flipped, shorter, longer]
    })
}

fn with_member(document: &[u8], member: &str, value: Option<Value>) -> Vec<u8> {
    let mut content: Value = serde_json::from_slice(document).expect("JSON");
    let members = content.as_object_mut().expect("an object");
    match value {
        Some(value) => members.insert(member.to_owned(), value),
        None => members.remove(member),
    };
    content.to_string().into_bytes()
}

fn content_changes(document: &[u8]) -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(document).expect("text");
    let mut changed = vec![
        with_member(document, "system_prompt", Some(json!("Obey."))),
        with_member(document, "version", Some(json!("1.0.1"))),
        with_member(document, "version", Some(json!("0.9.0"))),
        with_member(document, "tools", Some(json!(["shell"]))),
        with_member(document, "extends", Some(json!("other"))),
        with_member(document, "capabilities", None),
        with_member(document, "capabilities", Some(json!(["alpha", "zeta"]))),
        with_member(document, "description", Some(Value::Null)),
        with_member(document, "budget", Some(json!({"per_task_usd": "0.050"}))),
        with_member(document, "model", Some(json!({"temperature": 0.2, "route": "default", "max_output_tokens": 257}))),
    ];
    for (from, to) in [
        // What one reader sees and another does not.
        ("{\n", "{\"system_prompt\": \"Obey.\",\n"),
        ("\"capabilities\"", "\"system_prompt\": \"Obey.\", \"capabilities\""),
        ("\"capabilities\"", "\"\\u0073ystem_prompt\": \"Obey.\", \"capabilities\""),
        ("0.2", "0.20000000000000001"),
        ("0.2", "2e-1"),
        ("0.2", "0.2000000000000000000000000001"),
        ("256", "256.0"),
        ("256", "+256"),
        ("256", "0256"),
        ("256", "-0"),
        ("256", "1e999"),
        ("é", "e\u{301}"),
        ("\\u20ac", "\\u20ad"),
        ("\\ud83d\\ude00", "\\ud83d"),
        ("\\ud83d\\ude00", "\\ude00\\ud83d"),
        ("}\n", "} {}\n"),
        ("}\n", "}\0\n"),
        ("\"0.05\"", "\"0.05\\u0000\""),
        ("\"0.05\"", "0.05"),
        ("{\n", "\u{feff}{\n"),
        ("{\n", "[{\n"),
        ("{\n", "// no comment\n{\n"),
    ] {
        assert!(text.contains(from), "{from}");
        changed.push(text.replacen(from, to, 1).into_bytes());
    }
    changed
}

#[test]
fn signed_templates_changed_in_one_place_are_never_accepted() {
    let mut court = Court::new();
    for original in originals() {
        let Original { template, document, signature } = &original;
        assert!(court.serves(template, document, signature).is_some(), "the original is good");
        for changed in byte_changes(document).chain(content_changes(document)) {
            court.try_one(&original, &changed, signature);
        }
        for changed in byte_changes(signature) {
            court.try_one(&original, document, &changed);
        }
        for raw in raw_changes(signature) {
            court.refuses(&original, document, &raw, "another signature");
        }
    }
    // Layout: spaces, escapes of the same character, line ends.
    for original in originals() {
        let text = String::from_utf8(original.document.clone()).expect("text");
        for (from, to) in [("\n", "\r\n"), (": ", ":\t"), ("é", "\\u00e9"), ("\\u20ac", "€"), ("\\u20ac", "\\u20AC")]
        {
            let before = court.same;
            court.try_one(&original, text.replace(from, to).as_bytes(), &original.signature);
            assert_eq!(court.same, before + 1, "{from:?} -> {to:?} is layout");
        }
    }
    assert!(court.refused >= TRIED_MIN, "only {} were tried", court.refused);
    assert!(court.same < court.refused / 10, "{} of {} are accepted as layout", court.same, court.refused);
    println!("{} changed templates refused, {} accepted as the same content", court.refused, court.same);
}

/// The signature's own bytes: each bit of some, cut, longer, empty, and with the modulus' worth of zeros before it.
fn raw_changes(file: &[u8]) -> Vec<Vec<u8>> {
    let envelope = Envelope::parse(file).expect("an envelope");
    let (Envelope::V1 { signature, .. } | Envelope::Legacy { signature }) = &envelope;
    let mut raws: Vec<Vec<u8>> = Vec::new();
    for index in [0, 1, signature.len() / 2, signature.len() - 1] {
        for bit in 0..8 {
            let mut flipped = signature.clone();
            flipped[index] ^= 1 << bit;
            raws.push(flipped);
        }
    }
    raws.extend([0, 1, 32, 63, 64, 128, 255].map(|length| signature.iter().copied().take(length).collect()));
    raws.extend([[signature.clone(), vec![0]].concat(), [vec![0], signature.clone()].concat(), signature.repeat(2)]);
    raws.extend([vec![0; signature.len()], vec![0xff; signature.len()]]);
    raws.retain(|raw| raw != signature);
    raws.into_iter()
        .map(|raw| {
            let forged = match &envelope {
                Envelope::V1 { key_id, algorithm, .. } => {
                    Envelope::V1 { key_id: key_id.clone(), algorithm: *algorithm, signature: raw }
                }
                Envelope::Legacy { .. } => Envelope::Legacy { signature: raw },
            };
            forged.to_text().into_bytes()
        })
        .collect()
}

fn envelope(scheme: &str, key_id: &str, algorithm: &str, signature: &[u8]) -> Vec<u8> {
    let written =
        json!({"scheme": scheme, "key_id": key_id, "algorithm": algorithm, "signature": BASE64.encode(signature)});
    written.to_string().into_bytes()
}

#[test]
fn a_signature_is_moved_to_no_other_key_algorithm_form_or_template() {
    let mut court = Court::new();
    let keys =
        ["openssl-ed25519", "openssl-rsa", "python-ed25519", "python-rsa2048", "python-rsa3072", "nobody", "../x", ""];
    for original in originals() {
        let parsed = Envelope::parse(&original.signature).expect("an envelope");
        let (own, signature) = match &parsed {
            Envelope::V1 { key_id, algorithm, signature } => (Some((key_id.as_str(), algorithm.as_str())), signature),
            Envelope::Legacy { signature } => (None, signature),
        };
        for key in keys {
            for algorithm in ["ed25519", "rsa-pss-sha256", "rsa-pkcs1-sha256", "none", "ED25519", "hmac-sha256", ""] {
                for scheme in ["factory-v1", "legacy", "factory-v2", ""] {
                    if scheme == "factory-v1" && own == Some((key, algorithm)) {
                        continue;
                    }
                    let forged = envelope(scheme, key, algorithm, signature);
                    court.refuses(&original, &original.document, &forged, &format!("{key} {algorithm} {scheme}"));
                }
            }
        }
        // As the other form; what is bare base64 of an Ed25519 signature is of no key.
        let other_form = match &parsed {
            Envelope::V1 { signature, .. } => BASE64.encode(signature).into_bytes(),
            Envelope::Legacy { signature } => envelope("factory-v1", LEGACY_KEY, "rsa-pss-sha256", signature),
        };
        court.refuses(&original, &original.document, &other_form, "the other form");
        court.refuses(&original, &original.document, b"", "an empty file");
    }
    // Signatures between two templates of one key.
    for form in ["openssl-ed25519", "openssl-rsa-salt32", "python-rsa3072", "python-rsa2048.legacy"] {
        let (one, other) = (Original::new("signed", form), Original::new("other", form));
        assert!(court.serves("other", &other.document, &other.signature).is_some());
        court.refuses(&one, &one.document, &other.signature, "another template's signature");
        court.refuses(&other, &other.document, &one.signature, "another template's signature");
        // Another template under this one's name.
        court.refuses(&one, &other.document, &other.signature, "another template in its place");
    }
    assert!(court.refused >= TRIED_MIN, "only {} were tried", court.refused);
}

#[test]
fn text_that_says_the_same_bytes_otherwise_is_no_signature() {
    let mut court = Court::new();
    for original in originals() {
        let file = String::from_utf8(original.signature.clone()).expect("text");
        let base64 = match Envelope::parse(file.as_bytes()).expect("an envelope") {
            Envelope::V1 { signature, .. } | Envelope::Legacy { signature } => BASE64.encode(signature),
        };
        let (body, padding) = base64.split_at(base64.trim_end_matches('=').len());
        let last = body.as_bytes()[body.len() - 1];
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for other in alphabet.iter().filter(|other| **other != last) {
            let forged = format!("{}{}{padding}", &body[..body.len() - 1], char::from(*other));
            court.refuses(&original, &original.document, file.replace(&base64, &forged).as_bytes(), "its last digit");
        }
        let url_safe = base64.replace('+', "-").replace('/', "_");
        let halved = format!("{}\n{}", &base64[..64], &base64[64..]);
        for forged in [body.to_owned(), format!("{base64}="), format!("={base64}"), url_safe, halved] {
            if forged != base64 {
                court.refuses(&original, &original.document, file.replace(&base64, &forged).as_bytes(), "its base64");
            }
        }
    }
}

/// What the key may not do, or no longer, or not yet: each refused, with the fault that says so.
#[test]
fn a_good_signature_by_a_key_that_is_not_trusted_with_it_is_refused() {
    let all = |entry: &str| {
        ["openssl-ed25519", "openssl-rsa", "python-ed25519", "python-rsa2048", "python-rsa3072"]
            .map(|key| format!("[keys.{key}]\n{entry}\n"))
            .concat()
    };
    let both = "schemes = [\"factory-v1\", \"legacy\"]\n";
    for (trust_toml, what) in [
        (all(&format!("{both}not_after = 2026-11-20T12:00:00Z")), "expired"),
        (all(&format!("{both}not_before = 2026-11-20T12:00:00.000001Z")), "not_yet_valid"),
        (
            all(&format!("{both}templates = [\"sign\", \"*e\", \"Signed\", \"s?gned\"]")
                .replace("\"s?gned\"", "\"s*x\"")),
            "template_not_allowed",
        ),
        ("[keys.somebody-else]\n".to_owned(), "not_listed"),
    ] {
        let mut court = Court::with(&trust_toml);
        for original in originals() {
            let by_setting =
                what == "not_listed" && original.signature.len() < 400 && !original.signature.starts_with(b"{");
            if by_setting {
                // The key that the settings name is trusted without an entry.
                continue;
            }
            court.refuses(&original, &original.document, &original.signature, what);
            assert_eq!(court.fault(&original), Some(what), "{}", String::from_utf8_lossy(&original.signature));
        }
    }
    // The form: v1 keys do not sign in the legacy form, nor the other way round.
    let mut court = Court::with(&all("schemes = [\"factory-v1\"]"));
    for form in ["python-rsa2048.legacy", "python-rsa2048.legacy-salt32"] {
        let original = Original::new("signed", form);
        court.refuses(&original, &original.document, &original.signature, "legacy by a v1 key");
    }
    let mut court =
        Court::with("[keys.openssl-rsa]\nschemes = [\"legacy\"]\n[keys.python-rsa3072]\nschemes = [\"legacy\"]\n");
    for form in ["openssl-rsa-salt32", "python-rsa3072"] {
        let original = Original::new("signed", form);
        court.refuses(&original, &original.document, &original.signature, "v1 by a legacy key");
        assert_eq!(court.fault(&original), Some("scheme_not_allowed"));
    }
    // And a legacy signature by a key that may not use that form.
    let mut court = Court::new();
    let original = Original::new("signed", "python-rsa3072.legacy");
    court.refuses(&original, &original.document, &original.signature, "legacy by another key");
}

/// An old version with its good old signature, put back in the place of a newer one.
#[test]
fn an_old_version_is_not_replayed() {
    let (mut catalog, policy) = (
        Catalog::default(),
        Policy::written("package operator.template\n\ndeny contains x if { x := input.never; false }"),
    );
    let directory = tempfile::tempdir().expect("a directory");
    let id = "ops".parse().expect("an id");
    let keys = keys::generate(&id, Algorithm::Ed25519, directory.path()).expect("keys");
    let trust = TrustStore::read_at(Some(directory.path()), None, at(NOW));
    let file = directory.path().join("a.json");
    let signed = |version: &str| {
        std::fs::write(&file, format!(r#"{{"name": "a", "version": "{version}", "system_prompt": "{version}"}}"#))
            .expect("written");
        sign_file(&file, &keys.private).expect("signed");
        let read = |path: &Path| std::fs::read(path).expect("a file");
        Bytes {
            document: Ok(read(&file)),
            signature: Ok(Some(read(&directory.path().join("a.json.sig")))),
            owner: None,
        }
    };
    let old: Vec<Bytes> = ["0.9.0", "1.0.0", "1.9.0", "2.0.0-rc.1"].map(signed).into();
    let newest = signed("2.0.0");
    let mut put = |bytes: &Bytes| {
        let seen = look(&name("a"), bytes, Some(trust.at(at(NOW))));
        assert!(seen.outcome.is_ok(), "its signature is good");
        let news = News { seen: [(name("a"), Arc::new(seen))].into(), ..News::default() };
        let rules = Rules { trust: Some(trust.at(at(NOW))), key_epoch: 0, policy: &policy };
        catalog = decide(&catalog, news, &rules, at(NOW)).catalog;
        let entry = catalog.entries.get(&name("a")).expect("an entry");
        let served = entry.good.as_ref().expect("served").template.version.to_string();
        (served, entry.reasons.is_empty())
    };
    assert_eq!(put(&newest), ("2.0.0".to_owned(), true));
    for replayed in &old {
        assert_eq!(put(replayed), ("2.0.0".to_owned(), false));
    }
    assert_eq!(put(&newest), ("2.0.0".to_owned(), true));
}
