//! Stored forms read back, also those that earlier versions wrote.

use std::sync::Arc;

use serde_json::json;

use super::super::archive::record;
use super::super::format::wire::{self, Facts};
use super::super::good::{Good, Link, seal};
use super::super::model::Signer;
use super::super::trust::signature::{Algorithm, Envelope};
use super::super::version::Published;
use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;

fn good() -> Good {
    let resolved = json!({"name": "a", "version": "1.0.0", "extends": "b", "system_prompt": "é"});
    let envelope =
        Envelope { key_id: "ops".parse().expect("id"), algorithm: Algorithm::Ed25519, signature: vec![1, 2, 3] };
    let signer = Some(Signer { key_id: envelope.key_id.clone(), algorithm: envelope.algorithm });
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
        lineage: vec![link("a", 1, Some(envelope)), link("b", 2, None)],
    }
}

fn published() -> Published {
    let good = good();
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
    let good = good();
    let record = record::content_record(&good).expect("encoded");
    let back = record::read_content(good.template.digest, &record).expect("decoded");
    assert_eq!(
        (back.template, back.resolved, back.lineage),
        (good.template.clone(), good.resolved.clone(), good.lineage)
    );
    let record = record::version_record(&published()).expect("encoded");
    assert_eq!(record::read_version(&record), Ok(published()));
    let record = record::current_record(&good.template.digest).expect("encoded");
    assert_eq!(record::read_current(&record), Ok(good.template.digest));
}

#[test]
fn records_of_other_kinds_and_versions_are_refused() {
    let mut record = record::version_record(&published()).expect("encoded");
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
    let version = hex(record::version_record(&published()).expect("encoded"));
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
