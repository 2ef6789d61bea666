//! What each key is trusted with, when, and until it is revoked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::revoking::{self, Raised, Subject};
use super::super::trust::keys::{self, KeyPaths};
use super::super::trust::revocations::{REVOCATIONS_FILE, Revocations};
use super::super::{
    Algorithm, Digests, Envelope, Error, Fault, KeyStatus, Scheme, TrustStore, canonical_digest, signing,
};
use crate::config::settings;
use crate::domain::clock::Timestamp;
use crate::domain::name::{KeyId, TemplateName};

/// A directory of keys, whose private halves lie elsewhere.
pub(super) struct Keyring {
    public: tempfile::TempDir,
    private: tempfile::TempDir,
}

pub(super) fn id(id: &str) -> KeyId {
    id.parse().expect("a key id")
}

fn name(name: &str) -> TemplateName {
    name.parse().expect("a name")
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) const NOW: &str = "2026-11-20T12:00:00Z";

impl Keyring {
    pub(super) fn new(ids: &[&str]) -> Self {
        let directory = || tempfile::tempdir().expect("a directory");
        let ring = Self { public: directory(), private: directory() };
        ids.iter().for_each(|id| drop(ring.generate(id)));
        ring
    }

    fn generate(&self, key: &str) -> KeyPaths {
        let pair = keys::generate(&id(key), Algorithm::Ed25519, self.private.path()).expect("a pair");
        std::fs::copy(&pair.public, self.public(key)).expect("copied");
        pair
    }

    pub(super) fn public(&self, id: &str) -> PathBuf {
        self.path().join(format!("{id}.pub.pem"))
    }

    pub(super) fn private(&self, id: &str) -> PathBuf {
        self.private.path().join(format!("{id}.pem"))
    }

    pub(super) fn path(&self) -> &Path {
        self.public.path()
    }

    pub(super) fn trust_toml(&self, text: &str) {
        std::fs::write(self.path().join("trust.toml"), text).expect("written");
    }

    pub(super) fn revoke(&self, key: &str, by: &str) -> Result<Raised, Error> {
        let now = at(NOW);
        revoking::revoke(&Subject::Id(id(key)), self.path(), &self.private(by), Some("a test".to_owned()), now)
    }

    /// Reads the keys as a daemon does that remembers a list.
    pub(super) fn load(&self, in_force: Option<Arc<Revocations>>) -> TrustStore {
        let settings = settings::Templates {
            enable_signature_validation: true,
            trusted_keys_dir: Some(self.path().to_owned()),
            rsa_public_key_path: None,
            cache_ttl: std::time::Duration::from_secs(300),
            cache_entries: 100,
            environment: None,
            source_audit: false,
            rescan_every: std::time::Duration::from_secs(30),
        };
        TrustStore::load(&settings, in_force, at(NOW))
    }

    /// What comes of a signature by a key under a template of this name, at a time.
    fn outcome(
        &self,
        trust: &TrustStore,
        key: &str,
        template: &str,
        now: &str,
    ) -> Result<Option<Timestamp>, &'static str> {
        let text = format!(r#"{{"name": "{template}", "version": "1.0.0"}}"#);
        let file = self.private.path().join(format!("{template}.json"));
        std::fs::write(&file, &text).expect("written");
        signing::sign_file(&file, &self.private(key)).expect("signed");
        let signature = std::fs::read(file.with_extension("json.sig")).expect("a signature");
        let envelope = Envelope::parse(&signature).expect("an envelope");
        let own = canonical_digest(text.as_bytes()).expect("canonical");
        let digests = Digests { own, legacy: None };
        trust
            .verify(&name(template), &envelope, &digests, at(now))
            .map(|trusted| trusted.until)
            .map_err(|fault| fault.reason())
    }
}

/// INVARIANT I60: a key signs only for the names, in the forms and in the time that its entry says.
#[test]
fn a_key_is_trusted_with_what_its_entry_says_and_with_nothing_else() {
    let ring = Keyring::new(&["team", "dated", "old", "plain", "unlisted"]);
    ring.trust_toml(
        "[keys.team]\ntemplates = [\"team-*\"]\n\
         [keys.dated]\nnot_before = 2026-01-01T00:00:00Z\nnot_after = 2027-01-01T00:00:00Z\n\
         [keys.old]\nschemes = [\"legacy\"]\n[keys.plain]\n[keys.absent]\n",
    );
    let trust = ring.load(None);
    let outcome = |key: &str, template: &str, now: &str| ring.outcome(&trust, key, template, now);
    assert_eq!(outcome("team", "team-a", NOW), Ok(None));
    assert_eq!(outcome("team", "other", NOW), Err("template_not_allowed"));
    let until = at("2027-01-01T00:00:00Z");
    assert_eq!(outcome("dated", "a", "2026-01-01T00:00:00Z"), Ok(Some(until)));
    assert_eq!(outcome("dated", "a", "2026-12-31T23:59:59.999999Z"), Ok(Some(until)));
    assert_eq!(outcome("dated", "a", "2027-01-01T00:00:00Z"), Err("expired"));
    assert_eq!(outcome("dated", "a", "2025-12-31T23:59:59.999999Z"), Err("not_yet_valid"));
    assert_eq!(outcome("plain", "anything", NOW), Ok(None));
    assert_eq!(outcome("unlisted", "a", NOW), Err("not_listed"));
    // An Ed25519 key that may sign in the legacy form only can sign nothing, and says so.
    assert_eq!(outcome("old", "a", NOW), Err("unknown_key"));
    assert!(trust.unusable()[0].1.contains("Ed25519"), "{:?}", trust.unusable());
    assert_eq!(trust.next_boundary(at(NOW)), Some(until));
    assert!(trust.turned(at(NOW), until) && trust.turned(until, at(NOW)) && !trust.turned(at(NOW), at(NOW)));
}

#[test]
fn a_trust_file_with_a_mistake_trusts_nobody_and_tells_every_mistake() {
    let ring = Keyring::new(&["ops"]);
    assert_eq!(ring.outcome(&ring.load(None), "ops", "a", NOW), Ok(None));
    for text in ["[keys.ops]\nschemes = [\"v2\"]\nrevokes = 1\n", "[keys.ops", "\u{0}"] {
        ring.trust_toml(text);
        let trust = ring.load(None);
        assert_eq!(ring.outcome(&trust, "ops", "a", NOW), Err("not_listed"), "{text:?}");
        assert!(!trust.unusable().is_empty() && trust.unusable()[0].1.contains("no key is trusted"), "{text:?}");
    }
    ring.trust_toml("[keys.ops]\nschemes = [\"v2\"]\nrevokes = 1\n");
    assert_eq!(ring.load(None).unusable().len(), 2);
    std::fs::write(ring.path().join("trust.toml"), [0xff]).expect("written");
    assert_eq!(ring.outcome(&ring.load(None), "ops", "a", NOW), Err("not_listed"));
    std::fs::remove_file(ring.path().join("trust.toml")).expect("removed");
    std::os::unix::fs::symlink("/nonexistent/trust.toml", ring.path().join("trust.toml")).expect("linked");
    assert_eq!(
        ring.outcome(&ring.load(None), "ops", "a", NOW),
        Err("not_listed"),
        "a link to nowhere is no permission"
    );
}

#[test]
fn keys_overlap_while_one_takes_the_other_s_place() {
    let ring = Keyring::new(&["y2026", "y2027"]);
    ring.trust_toml(
        "[keys.y2026]\nnot_after = 2027-02-01T00:00:00Z\n[keys.y2027]\nnot_before = 2026-12-01T00:00:00Z\n",
    );
    let trust = ring.load(None);
    let both = |now: &str| ["y2026", "y2027"].map(|key| ring.outcome(&trust, key, "a", now).is_ok());
    assert_eq!(both("2026-11-20T00:00:00Z"), [true, false]);
    assert_eq!(both("2027-01-01T00:00:00Z"), [true, true]);
    assert_eq!(both("2027-02-01T00:00:00Z"), [false, true]);
}

#[test]
fn a_revoked_key_is_refused_by_its_name_and_by_its_fingerprint() {
    let ring = Keyring::new(&["admin", "ops"]);
    let raised = ring.revoke("ops", "admin").expect("revoked");
    assert_eq!((raised.version, raised.signed_by), (1, id("admin")));
    // Under another name it is the same key.
    std::fs::copy(ring.public("ops"), ring.public("alias")).expect("copied");
    std::fs::copy(ring.private("ops"), ring.private("alias")).expect("copied");
    let trust = ring.load(None);
    assert_eq!(ring.outcome(&trust, "ops", "a", NOW), Err("revoked"));
    assert_eq!(ring.outcome(&trust, "alias", "a", NOW), Err("revoked"));
    assert_eq!(ring.outcome(&trust, "admin", "a", NOW), Ok(None));
    // Another key under the same name is not trusted either.
    std::fs::remove_file(ring.private("ops")).expect("removed");
    std::fs::remove_file(ring.private.path().join("ops.pub.pem")).expect("removed");
    ring.generate("ops");
    assert_eq!(ring.outcome(&ring.load(None), "ops", "a", NOW), Err("revoked"));
    // By its file alone, a name may be used again.
    ring.generate("leaked");
    let subject = Subject::File(ring.public("leaked"));
    revoking::revoke(&subject, ring.path(), &ring.private("admin"), None, at(NOW)).expect("revoked");
    assert_eq!(ring.outcome(&ring.load(None), "leaked", "a", NOW), Err("revoked"));
    std::fs::remove_file(ring.private("leaked")).expect("removed");
    std::fs::remove_file(ring.private.path().join("leaked.pub.pem")).expect("removed");
    ring.generate("leaked");
    let trust = ring.load(None);
    assert_eq!(ring.outcome(&trust, "leaked", "a", NOW), Ok(None));
    assert_eq!(trust.revocations().map(|list| list.version()), Some(2));
    let standings: Vec<KeyStatus> = trust.views(at(NOW)).map(|key| key.standing).collect();
    assert_eq!(standings, [KeyStatus::Trusted, KeyStatus::Revoked, KeyStatus::Trusted, KeyStatus::Revoked]);
}

#[test]
fn who_may_not_revoke_does_not() {
    let ring = Keyring::new(&["admin", "ops", "late"]);
    ring.trust_toml(
        "[keys.admin]\nrevokes = true\n[keys.ops]\n[keys.late]\nrevokes = true\nnot_before = 2027-01-01T00:00:00Z",
    );
    let refused = |key: &str, by: &str| match ring.revoke(key, by) {
        Err(Error::Revocations { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(refused("admin", "ops").contains("may not revoke"));
    assert!(refused("admin", "admin").contains("revokes itself"));
    assert!(refused("ops", "late").contains("from 2027"));
    ring.revoke("ops", "admin").expect("revoked");
    assert!(refused("ops", "admin").contains("already"));
    // A stranger's key is not among the trusted ones.
    let elsewhere = Keyring::new(&["eve"]);
    let by_eve = revoking::revoke(&Subject::Id(id("late")), ring.path(), &elsewhere.private("eve"), None, at(NOW));
    assert!(matches!(by_eve, Err(Error::Revocations { .. })), "{by_eve:?}");
}

/// INVARIANT I61: whatever becomes of the file, what was revoked stays so.
#[test]
fn the_list_in_force_survives_its_file() {
    let ring = Keyring::new(&["admin", "ops", "third"]);
    let list = ring.path().join(REVOCATIONS_FILE);
    let signature = ring.path().join(format!("{REVOCATIONS_FILE}.sig"));
    let both = || (std::fs::read(&list).expect("a list"), std::fs::read(&signature).expect("a signature"));
    let put = |(text, by): &(Vec<u8>, Vec<u8>)| {
        std::fs::write(&list, text).expect("written");
        std::fs::write(&signature, by).expect("written");
    };
    ring.revoke("third", "admin").expect("revoked");
    let first = both();
    ring.revoke("ops", "admin").expect("revoked");
    let second = both();
    let trust = ring.load(None);
    assert!(trust.accepted().is_some());
    let in_force = trust.revocations().cloned();
    let still_revoked = |what: &str, told: &str| {
        let trust = ring.load(in_force.clone());
        assert_eq!(ring.outcome(&trust, "ops", "a", NOW), Err("revoked"), "{what}");
        assert!(trust.accepted().is_none(), "{what}");
        assert_eq!(trust.unusable().len(), usize::from(!told.is_empty()), "{what}: {:?}", trust.unusable());
        assert!(trust.unusable().iter().all(|(_, reason)| reason.contains(told)), "{what}: {:?}", trust.unusable());
    };
    still_revoked("the same list", "");
    put(&first);
    still_revoked("an older list", "version 2");
    put(&(second.0.clone(), first.1.clone()));
    still_revoked("the same list, however signed", "");
    std::fs::write(&list, "{").expect("written");
    still_revoked("half a list", "stays in force");
    let forgetful = br#"{"version": 3, "revoked": []}"#;
    put(&(forgetful.to_vec(), second.1.clone()));
    still_revoked("a list that forgets", "leaves out 2");
    std::fs::remove_file(&list).expect("removed");
    still_revoked("no list", "gone");

    // Who remembers no list trusts nobody by one that cannot be believed.
    put(&(second.0.clone(), first.1.clone()));
    let fresh = ring.load(None);
    assert_eq!(ring.outcome(&fresh, "admin", "a", NOW), Err("not_listed"));
    assert!(fresh.revocations().is_none() && fresh.unusable()[0].1.contains("no key is trusted"));
    put(&second);
    assert_eq!(ring.outcome(&ring.load(None), "admin", "a", NOW), Ok(None));
}

/// A list only takes away: where nobody remembers one, it counts although its signer's time is over.
#[test]
fn a_list_by_a_key_whose_time_is_over_still_revokes() {
    let ring = Keyring::new(&["admin", "ops", "next"]);
    ring.revoke("ops", "admin").expect("revoked");
    ring.trust_toml(
        "[keys.admin]\nrevokes = true\nnot_after = 2026-01-01T00:00:00Z\n[keys.ops]\n[keys.next]\nrevokes = true\n",
    );
    let trust = ring.load(None);
    assert_eq!(trust.revocations().map(|list| list.version()), Some(1));
    assert_eq!(ring.outcome(&trust, "ops", "a", NOW), Err("revoked"));
    assert_eq!(ring.outcome(&trust, "next", "a", NOW), Ok(None));
    // A newer one it does not sign, neither for the command line nor for a daemon that remembers.
    assert!(ring.revoke("next", "admin").is_err());
    let in_force = Some(Arc::new(Revocations::none()));
    let remembering = ring.load(in_force);
    assert!(remembering.unusable()[0].1.contains("was trusted until"), "{:?}", remembering.unusable());
    ring.revoke("admin", "next").expect("revoked by the key that took its place");
}

#[test]
fn a_template_s_signature_is_none_for_a_list_and_the_other_way_round() {
    let ring = Keyring::new(&["admin", "ops"]);
    ring.revoke("ops", "admin").expect("revoked");
    let list = ring.path().join(REVOCATIONS_FILE);
    // Sign the list as if it were a template.
    signing::sign_file(&list, &ring.private("admin")).expect("signed");
    let trust = ring.load(None);
    assert!(trust.revocations().is_none() && trust.unusable()[0].1.contains("does not fit"), "{:?}", trust.unusable());
    let taken = Fault::Wrong(id("admin"));
    ring.revoke("ops", "admin").expect_err("the list beside it cannot be believed");
    std::fs::remove_file(&list).expect("removed");
    ring.revoke("ops", "admin").expect("revoked");
    let renamed = list.with_file_name("list.json");
    std::fs::rename(&list, &renamed).expect("renamed");
    std::fs::rename(list.with_file_name("revoked.json.sig"), list.with_file_name("list.json.sig")).expect("renamed");
    let verified = signing::verify_file(&renamed, &ring.load(Some(Arc::new(Revocations::none()))), at(NOW));
    assert!(matches!(verified, Err(Error::Signature { fault, .. }) if fault == taken));
}

#[test]
fn the_key_of_the_settings_signs_both_forms_unless_its_entry_says_otherwise() {
    let ring = Keyring::new(&[]);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signatures/python-rsa2048.pub.pem");
    let schemes = || {
        let trust = TrustStore::read(Some(ring.path()), Some(&fixture));
        let view = trust.views(at(NOW)).next().expect("a key").grant.map(|grant| grant.schemes.clone());
        view.unwrap_or_default().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(schemes(), [Scheme::V1, Scheme::Legacy]);
    ring.trust_toml("");
    assert_eq!(schemes(), [Scheme::V1, Scheme::Legacy]);
    ring.trust_toml("[keys.python-rsa2048]\ntemplates = [\"a*\"]");
    assert_eq!(schemes(), [Scheme::V1, Scheme::Legacy]);
    ring.trust_toml("[keys.python-rsa2048]\nschemes = [\"factory-v1\"]");
    assert_eq!(schemes(), [Scheme::V1]);
    ring.trust_toml("[");
    assert_eq!(schemes(), []);
    std::fs::remove_file(ring.path().join("trust.toml")).expect("removed");
    // The same key in the directory, under the same name, is one key.
    std::fs::copy(&fixture, ring.public("python-rsa2048")).expect("copied");
    assert_eq!(schemes(), [Scheme::V1, Scheme::Legacy]);
}

/// INVARIANT I63: no private key enters the daemon.
#[test]
fn a_private_key_among_the_trusted_ones_is_refused() {
    let ring = Keyring::new(&["ops"]);
    std::fs::copy(ring.private("ops"), ring.public("mislaid")).expect("copied");
    let trust = ring.load(None);
    assert_eq!(trust.keys().count(), 1);
    let [(path, reason)] = trust.unusable() else { panic!("one file: {:?}", trust.unusable()) };
    assert!(path.ends_with("mislaid.pub.pem") && reason.contains("private key"), "{reason}");
}
