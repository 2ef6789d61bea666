//! Compiled templates: what is served was verified lately, by the keys of now, and memory has an end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::super::archive::packed::Packed;
use super::super::cache::{Authority, Cache, Memo, TOUCH_EVERY, Unfit};
use super::super::format::document::{self, Document};
use super::super::format::wire::{self, Facts};
use super::super::good::{Good, Link};
use super::super::model::Signer;
use super::super::trust::keys::{self, KeyPaths, PrivateKey};
use super::super::trust::signature::{Scheme, Signed, message};
use super::super::{Algorithm, Template, TrustStore};
use crate::domain::clock::Timestamp;
use crate::domain::name::TemplateName;

const TTL: Duration = Duration::from_secs(60);

/// Keys in a directory, and templates signed with one of them.
struct Bench {
    _directory: tempfile::TempDir,
    authority: Authority,
    key: PrivateKey,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let KeyPaths { private, .. } =
            keys::generate(&"ops".parse().expect("id"), Algorithm::Ed25519, directory.path()).expect("keys");
        let authority = Authority::of(Some(Arc::new(TrustStore::read(Some(directory.path()), None))));
        let key = PrivateKey::read(&private).expect("a key");
        Self { _directory: directory, authority, key }
    }

    fn link(&self, file: &Document) -> Link {
        let algorithm = self.key.algorithm();
        let signature = self.key.sign(&message(&self.key.id, algorithm, &file.digest()));
        let signer = Signer { key_id: self.key.id.clone(), algorithm, scheme: Scheme::V1 };
        let signed = Signed { signer, signature, legacy: None };
        let (name, version) = (file.name().clone(), file.version().clone());
        Link { name, version, own: file.digest(), signature: Some(signed), environment: None }
    }

    fn good(&self, name: &str, parents: &[Link]) -> Good {
        let value = json!({"name": name, "version": "1.0.0", "system_prompt": format!("Answer as {name}.")});
        let file = Document::parse(value.to_string().as_bytes()).expect("a template");
        let (digest, canonical) = document::resolved_form(&value).expect("canonical");
        let facts = Facts { digest, signer: None, published_at: Timestamp::from_micros(1) };
        let template = wire::typed(&value, facts).expect("typed");
        let lineage = std::iter::once(self.link(&file)).chain(parents.iter().cloned()).collect();
        Good::new(&template, Packed::plain(&canonical), lineage, None)
    }
}

fn served(cache: &Cache, good: &Good, memo: &Memo, authority: &Authority) -> Arc<Template> {
    match cache.get(good, memo, authority) {
        Ok(template) => template,
        Err(Unfit::Distrusted(reasons)) => panic!("{reasons:?}"),
        Err(Unfit::Damaged(reason)) => panic!("{reason}"),
    }
}

fn distrusted(cache: &Cache, good: &Good, memo: &Memo, authority: &Authority) -> String {
    match cache.get(good, memo, authority) {
        Ok(template) => panic!("{} is served", template.name),
        Err(Unfit::Distrusted(reasons)) => reasons.join("; "),
        Err(Unfit::Damaged(reason)) => panic!("{reason}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_is_compiled_once_until_its_verification_is_too_old() {
    let bench = Bench::new();
    let (cache, memo, good) = (Cache::new(10, TTL), Memo::default(), bench.good("a", &[]));
    let first = served(&cache, &good, &memo, &bench.authority);
    for _ in 0..3 * TOUCH_EVERY {
        assert!(Arc::ptr_eq(&first, &served(&cache, &good, &memo, &bench.authority)));
    }
    // A snapshot later the memo is another one.
    assert!(Arc::ptr_eq(&first, &served(&cache, &good, &Memo::default(), &bench.authority)));
    tokio::time::advance(TTL - Duration::from_millis(1)).await;
    assert!(Arc::ptr_eq(&first, &served(&cache, &good, &memo, &bench.authority)));
    tokio::time::advance(Duration::from_millis(1)).await;
    let second = served(&cache, &good, &memo, &bench.authority);
    assert!(!Arc::ptr_eq(&first, &second) && first == second, "verified and made anew");
}

/// INVARIANT I69.
#[tokio::test(start_paused = true)]
async fn nothing_is_served_on_a_verification_that_is_too_old_or_by_keys_of_before() {
    let bench = Bench::new();
    let (cache, memo, good) = (Cache::new(10, TTL), Memo::default(), bench.good("a", &[]));
    served(&cache, &good, &memo, &bench.authority);
    let nobody = Authority::of(Some(Arc::default()));
    assert!(distrusted(&cache, &good, &memo, &nobody).contains("not trusted"), "at once");
    let mut other = bench.good("a", &[]);
    other.lineage[0].signature.as_mut().expect("signed").signature[0] ^= 1;
    let other = Good::new(&other.compile().expect("typed"), other.resolved, other.lineage, None);
    assert!(distrusted(&cache, &other, &Memo::default(), &bench.authority).contains("does not fit"), "same content");
    tokio::time::advance(TTL).await;
    assert!(distrusted(&cache, &good, &memo, &nobody).contains("not trusted"));
    served(&cache, &good, &memo, &bench.authority);
}

#[tokio::test(start_paused = true)]
async fn a_child_is_believed_no_longer_than_its_parent() {
    let bench = Bench::new();
    let cache = Cache::new(10, TTL);
    let base = bench.good("base", &[]);
    served(&cache, &base, &Memo::default(), &bench.authority);
    tokio::time::advance(TTL / 2).await;
    // The parent's verification is half as old as it may be, and so is the child's.
    let (child, memo) = (bench.good("child", &base.lineage), Memo::default());
    let first = served(&cache, &child, &memo, &bench.authority);
    tokio::time::advance(TTL / 2 - Duration::from_millis(1)).await;
    assert!(Arc::ptr_eq(&first, &served(&cache, &child, &memo, &bench.authority)));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!Arc::ptr_eq(&first, &served(&cache, &child, &memo, &bench.authority)));
    assert_eq!(cache.verifications(), 2, "a parent's file is verified once for all its children");
}

#[tokio::test]
async fn the_cache_has_an_end_and_what_it_let_go_is_made_again() {
    let bench = Bench::new();
    let cache = Cache::new(8, TTL);
    let goods: Vec<(Good, Memo)> = (0..64).map(|n| (bench.good(&format!("t{n}"), &[]), Memo::default())).collect();
    for _ in 0..3 {
        for (good, memo) in &goods {
            assert_eq!(served(&cache, good, memo, &bench.authority).name, good.template.name);
        }
    }
    assert!(cache.settle() <= 8, "{}", cache.settle());
}

#[tokio::test]
async fn what_a_task_began_with_is_found_without_being_verified_again() {
    let bench = Bench::new();
    let (cache, memo, good) = (Cache::new(8, TTL), Memo::default(), bench.good("a", &[]));
    assert!(cache.pinned(good.template.digest, Some(&memo)).is_none());
    let template = Arc::new(good.compile().expect("typed"));
    cache.pin(&template);
    assert!(Arc::ptr_eq(&template, &cache.pinned(good.template.digest, None).expect("pinned")));
    // Yet nobody else is served it unverified.
    let nobody = Authority::of(Some(Arc::default()));
    assert!(distrusted(&cache, &good, &memo, &nobody).contains("not trusted"));
    let name: TemplateName = "a".parse().expect("a name");
    assert_eq!(template.name, name);
}
