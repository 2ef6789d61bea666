//! Stored forms read back, also those that earlier versions wrote.

use std::sync::Arc;

use minicbor::bytes::{ByteArray, ByteVec};
use serde_json::json;

use super::super::archive::dictionary::Dictionary;
use super::super::archive::packed::Packed;
use super::super::archive::shelf::Trained;
use super::super::archive::{content, record};
use super::super::format::wire::{self, Facts};
use super::super::good::{Good, Link, seal};
use super::super::model::Signer;
use super::super::trust::signature::{Algorithm, Scheme, Signed};
use super::super::version::{By, Cause, Publication, Published, RolledBack, Standing};
use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;
use crate::store::Record;

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
        environment: None,
    };
    let facts = Facts { digest: Digest::from_bytes([9; 32]), signer, published_at: Timestamp::from_micros(77) };
    let template = wire::typed(&resolved, facts).expect("typed");
    let json = serde_json::to_vec(&resolved).expect("JSON");
    Good::new(&template, Packed::plain(&json), vec![link("a", 1, Some(signed)), link("b", 2, None)], None)
}

fn encoded(good: &Good, dictionary: &Arc<Dictionary>) -> Record {
    let press = dictionary.press().expect("a press");
    content::content_record(good, dictionary, &mut press.begin().expect("begun")).expect("encoded")
}

fn same(one: &Good, other: &Good) {
    assert_eq!(
        (&one.template, one.resolved.value(), &one.lineage, one.seal),
        (&other.template, other.resolved.value(), &other.lineage, other.seal)
    );
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
        let record = encoded(&good, &Dictionary::shipped());
        let back = content::read_content(good.template.digest, &record, &Dictionary::shipped()).expect("decoded");
        same(&back, &good);
        let record = record::version_record(&published(scheme)).expect("encoded");
        assert_eq!(record::read_version(&record), Ok(published(scheme)));
    }
    let good = good(Scheme::V1);
    let record = record::current_record(&good.template.digest).expect("encoded");
    assert_eq!(record::read_current(&record), Ok(good.template.digest));
}

/// As the first release wrote it: plain JSON, and the lineage beside it.
#[test]
fn content_of_the_first_encoding_is_still_read() {
    let good = good(Scheme::V1);
    let json = good.resolved.json().expect("JSON");
    let hex = format!(
        "8358{:02x}{}82846161{version}5820{}83636f70736765643235353139430102038461 62{version}5820{}f6184d",
        json.len(),
        hex::encode(&*json),
        "01".repeat(32),
        "02".repeat(32),
        version = "65312e302e30",
    );
    let body = hex::decode(hex.replace(' ', "")).expect("hex");
    let record = Record { kind: 2, version: 1, body };
    assert_eq!(content::content_dictionary(&record), Ok(None));
    let back = content::read_content(good.template.digest, &record, &Dictionary::shipped()).expect("decoded");
    same(&back, &good);
    assert!(!back.resolved.is_plain(), "in memory it is compressed like all others");
}

#[test]
fn content_names_its_dictionary_and_is_not_read_with_another() {
    let shipped = encoded(&good(Scheme::V1), &Dictionary::shipped());
    assert_eq!(content::content_dictionary(&shipped), Ok(Some(Dictionary::shipped().id())));
    let samples: Vec<String> =
        (0..500).map(|n| format!("{{\"name\":\"t{n}\",\"prompt\":\"{}\"}}", n * 7_919)).collect();
    let samples: Vec<&[u8]> = samples.iter().map(String::as_bytes).collect();
    let other = Arc::new(Dictionary::train(&samples).expect("trained"));
    let told = content::read_content(Digest::from_bytes([9; 32]), &shipped, &other).expect_err("another dictionary");
    assert!(told.contains("is not compressed with the dictionary"), "{told}");
    let trained = Trained { dictionary: other, templates: 500, trained_at: Timestamp::from_micros(5) };
    let record = record::dictionary_record(&trained).expect("encoded");
    let back = record::read_dictionary(&record).expect("decoded");
    assert_eq!((back.dictionary.bytes(), back.templates), (trained.dictionary.bytes(), 500));
    assert_eq!(back.trained_at, trained.trained_at);
}

#[test]
fn damaged_content_is_refused() {
    let mut record = encoded(&good(Scheme::V1), &Dictionary::shipped());
    for end in 0..record.body.len() {
        let cut = Record { body: record.body[..end].to_vec(), ..record };
        assert!(content::read_content(Digest::from_bytes([9; 32]), &cut, &Dictionary::shipped()).is_err(), "{end}");
    }
    record.version = 3;
    assert!(content::read_content(Digest::from_bytes([9; 32]), &record, &Dictionary::shipped()).is_err());
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

/// Contents as they were stored before there were environments.
#[derive(minicbor::Encode)]
struct EarlierContent {
    #[n(0)]
    resolved: ByteVec,
    #[n(1)]
    lineage: Vec<EarlierLink>,
    #[n(2)]
    published_micros: i64,
}

#[derive(minicbor::Encode)]
struct EarlierLink {
    #[n(0)]
    name: String,
    #[n(1)]
    version: String,
    #[n(2)]
    own: ByteArray<32>,
    #[n(3)]
    signature: Option<()>,
}

#[test]
fn a_content_from_before_there_were_environments_reads_as_one_of_the_base() {
    let link = EarlierLink { name: "a".into(), version: "1.0.0".into(), own: [7; 32].into(), signature: None };
    let resolved = br#"{"name": "a", "version": "1.0.0", "system_prompt": "x"}"#.to_vec().into();
    let body = EarlierContent { resolved, lineage: vec![link], published_micros: 77 };
    let body = minicbor::to_vec(&body).expect("encoded");
    let stored = Record { version: 1, body, ..encoded(&good(Scheme::V1), &Dictionary::shipped()) };
    let read = content::read_content(Digest::from_bytes([9; 32]), &stored, &Dictionary::shipped()).expect("read");
    assert_eq!((read.lineage.len(), read.environment()), (1, None));
}

#[test]
fn the_first_encoding_never_changes() {
    let hex = |record: Record| hex::encode(record.body);
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
