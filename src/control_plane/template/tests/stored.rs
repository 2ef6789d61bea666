//! Stored forms read back, also those that earlier versions wrote.

use std::sync::Arc;

use serde_json::json;

use super::super::archive::record;
use super::super::format::wire::{self, Facts};
use super::super::good::{Good, Link, seal};
use super::super::model::Signer;
use super::super::trust::signature::{Algorithm, Scheme, Signed};
use super::super::version::{By, Cause, Publication, Published, RolledBack, Standing};
use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;

fn good(scheme: Scheme) -> Good {
    let resolved = json!({"name": "a", "version": "1.0.0", "extends": "b", "system_prompt": "é"});
    let (algorithm, legacy) = match scheme {
        Scheme::V1 => (Algorithm::Ed25519, None),
        Scheme::Legacy => (Algorithm::RsaPssSha256, Some(Digest::from_bytes([5; 32]))),
    };
    let signer = Signer { key_id: "ops".parse().expect("id"), algorithm, scheme };
    let signed = Signed { signer: signer.clone(), signature: vec![1, 2, 3], legacy };
    let signer = Some(signer);
    let link = |name: &str, byte: u8, signature| Link {
        name: name.parse().expect("a name"),
        version: "1.0.0".parse().expect("a version"),
        own: Digest::from_bytes([byte; 32]),
        signature,
    };
    let facts = Facts { digest: Digest::from_bytes([9; 32]), signer, published_at: Timestamp::from_micros(77) };
    Good {
        template: Arc::new(wire::typed(&resolved, facts).expect("typed")),
        resolved: Arc::new(resolved),
        lineage: vec![link("a", 1, Some(signed)), link("b", 2, None)],
        until: None,
    }
}

fn published(scheme: Scheme) -> Published {
    let good = good(scheme);
    Published {
        own: Digest::from_bytes([1; 32]),
        resolved: good.template.digest,
        seal: seal(&good.lineage),
        signer: good.template.signer.clone(),
        published_at: Timestamp::from_micros(77),
    }
}

#[test]
fn what_is_stored_reads_back() {
    for scheme in [Scheme::V1, Scheme::Legacy] {
        let good = good(scheme);
        let record = record::content_record(&good).expect("encoded");
        let back = record::read_content(good.template.digest, &record).expect("decoded");
        assert_eq!(
            (back.template, back.resolved, back.lineage),
            (good.template.clone(), good.resolved.clone(), good.lineage)
        );
        let record = record::version_record(&published(scheme)).expect("encoded");
        assert_eq!(record::read_version(&record), Ok(published(scheme)));
    }
    let good = good(Scheme::V1);
    let record = record::current_record(&good.template.digest).expect("encoded");
    assert_eq!(record::read_current(&record), Ok(good.template.digest));
}

fn publication() -> Publication {
    Publication {
        at: Timestamp::from_micros(78),
        version: "1.0.0".parse().expect("a version"),
        digest: Digest::from_bytes([9; 32]),
        own: Digest::from_bytes([1; 32]),
        signer: good(Scheme::V1).template.signer.clone(),
        cause: Cause::RolledBack,
        by: By { name: Some("ann".into()), uid: Some(1000) },
        policy: Digest::from_bytes([3; 32]),
    }
}

fn standing(pin: Option<RolledBack>) -> Standing {
    let floors = [("".into(), "2.0.0".parse().expect("a version"))].into();
    Standing { floors, next: 7, pin }
}

#[test]
fn what_is_known_about_versions_reads_back() {
    let record = record::publication_record(&publication()).expect("encoded");
    assert_eq!(record::read_publication(&record), Ok(publication()));
    let bare = Publication { signer: None, by: By::default(), ..publication() };
    assert_eq!(record::read_publication(&record::publication_record(&bare).expect("encoded")), Ok(bare));
    for cause in Cause::ALL {
        assert_eq!(Cause::from_word(cause.as_str()), Some(cause));
    }
    let mark = RolledBack {
        version: "1.0.0".parse().expect("a version"),
        digest: Digest::from_bytes([9; 32]),
        by: "ann".into(),
        at: Timestamp::from_micros(79),
        from: Some("2.0.0".parse().expect("a version")),
    };
    for standing in [standing(None), standing(Some(mark.clone())), standing(Some(RolledBack { from: None, ..mark }))] {
        let record = record::standing_record(&standing).expect("encoded");
        assert_eq!(record::read_standing(&record), Ok(standing));
    }
}

#[test]
fn the_encodings_of_the_log_and_the_standing_never_change() {
    let hex = |record: crate::store::Record| hex::encode(record.body);
    let written = hex(record::publication_record(&publication()).expect("encoded"));
    let (one, nine, three) = ("01".repeat(32), "09".repeat(32), "03".repeat(32));
    assert_eq!(
        written,
        format!(
            "8a184e65312e302e305820{nine}5820{one}636f707367656432353531396b726f6c6c65645f6261636b63616e6e1903e85820{three}"
        )
    );
    assert_eq!(hex(record::standing_record(&standing(None)).expect("encoded")), "8281826065322e302e3007");
}

#[test]
fn records_of_other_kinds_and_versions_are_refused() {
    let mut record = record::version_record(&published(Scheme::V1)).expect("encoded");
    assert!(record::read_current(&record).is_err());
    record.version = 2;
    assert!(record::read_version(&record).is_err());
    record.version = 1;
    record.body.truncate(5);
    assert!(record::read_version(&record).is_err());
}

#[test]
fn the_first_encoding_never_changes() {
    let hex = |record: crate::store::Record| hex::encode(record.body);
    assert_eq!(
        hex(record::current_record(&Digest::from_bytes([9; 32])).expect("encoded")),
        format!("815820{}", "09".repeat(32))
    );
    let version = hex(record::version_record(&published(Scheme::V1)).expect("encoded"));
    assert!(version.starts_with(&format!("865820{}5820{}", "01".repeat(32), "09".repeat(32))), "{version}");
    assert!(version.ends_with("636f70736765643235353139184d"), "{version}");
}

#[test]
fn keys_of_one_template_are_no_prefix_of_another_s() {
    let (short, long) = ("a".parse().expect("a name"), "a1".parse().expect("a name"));
    let version = "1.0.0".parse().expect("a version");
    let prefix = record::version_key(&short, None);
    assert!(record::version_key(&short, Some(&version)).starts_with(&prefix));
    assert!(!record::version_key(&long, Some(&version)).starts_with(&prefix));
    assert_eq!(record::version_of_key(&short, &record::version_key(&short, Some(&version))), Some(version));
}
