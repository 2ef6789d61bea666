//! Policies in the store: the last good one of a directory, which goes on after a restart if the files are bad by then, and the
//! texts that earlier audit entries name by digest.
//!
//! | key | record |
//! |---|---|
//! | `c` | which digest is the last good one, and of which directory |
//! | `d` digest | the files, and since when |

use std::path::Path;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};

use crate::domain::clock::Timestamp;
use crate::domain::name::Digest;
use crate::store::{Batch, Direction, Keyspace, Record, Store};

use super::source::{File, Source};

const KIND_CURRENT: u8 = 1;
const KIND_CONTENT: u8 = 2;
const ENCODING: u8 = 1;
const CURRENT: &[u8] = b"c";
const CONTENT: &[u8] = b"d";
/// The most texts that are kept; the oldest go first.
pub const POLICIES_MAX: usize = 64;

#[derive(Encode, Decode)]
struct CurrentBody {
    #[n(0)]
    digest: ByteArray<32>,
    #[n(1)]
    directory: String,
}

#[derive(Encode, Decode)]
struct ContentBody {
    #[n(0)]
    files: Vec<FileBody>,
    #[n(1)]
    since_micros: i64,
}

#[derive(Encode, Decode)]
struct FileBody {
    #[n(0)]
    name: String,
    #[n(1)]
    text: String,
}

fn content_key(digest: &Digest) -> Vec<u8> {
    [CONTENT, digest.as_bytes()].concat()
}

/// The change that keeps a good policy. Blocks.
pub(super) fn keep(store: &Store, directory: &Path, source: &Source, now: Timestamp) -> Result<Batch, String> {
    let digest = source.digest();
    let files = source.files.iter().map(|file| FileBody { name: file.name.clone(), text: file.text.clone() });
    let content = ContentBody { files: files.collect(), since_micros: now.micros() };
    let current = CurrentBody { digest: (*digest.as_bytes()).into(), directory: directory.display().to_string() };
    let batch = Batch::new().put(Keyspace::Policy, content_key(&digest), encode(KIND_CONTENT, &content)?).put(
        Keyspace::Policy,
        CURRENT,
        encode(KIND_CURRENT, &current)?,
    );
    let kept = store
        .range(Keyspace::Policy, CONTENT, None, Direction::Ascending, POLICIES_MAX.saturating_mul(2))
        .map_err(|fault| fault.to_string())?;
    let mut others: Vec<(i64, Vec<u8>)> = kept
        .into_iter()
        .filter(|(key, _)| *key != content_key(&digest))
        .map(|(key, record)| (decode::<ContentBody>(KIND_CONTENT, &record).map_or(0, |body| body.since_micros), key))
        .collect();
    others.sort();
    let too_many = others.len().saturating_add(1).saturating_sub(POLICIES_MAX);
    Ok(others.into_iter().take(too_many).fold(batch, |batch, (_, key)| batch.delete(Keyspace::Policy, key)))
}

/// The last good policy of a directory. Blocks.
pub(super) fn last_good(store: &Store, directory: &Path) -> Result<Option<Source>, String> {
    let get = |key: &[u8]| store.get(Keyspace::Policy, key).map_err(|fault| fault.to_string());
    let Some(current) = get(CURRENT)? else { return Ok(None) };
    let current: CurrentBody = decode(KIND_CURRENT, &current)?;
    if current.directory != directory.display().to_string() {
        return Ok(None);
    }
    let digest = Digest::from_bytes(current.digest.into());
    let Some(content) = get(&content_key(&digest))? else { return Ok(None) };
    let content: ContentBody = decode(KIND_CONTENT, &content)?;
    let files = content.files.into_iter().map(|file| File { name: file.name, text: file.text }).collect();
    Source::of(files).map(Some).map_err(|mistakes| mistakes.join("; "))
}

fn encode<T: Encode<()>>(kind: u8, body: &T) -> Result<Record, String> {
    let body = minicbor::to_vec(body).map_err(|fault| fault.to_string())?;
    Ok(Record { kind, version: ENCODING, body })
}

fn decode<'a, T: Decode<'a, ()>>(kind: u8, record: &'a Record) -> Result<T, String> {
    if (record.kind, record.version) != (kind, ENCODING) {
        return Err(format!("unknown kind {} version {}", record.kind, record.version));
    }
    minicbor::decode(&record.body).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    fn source(text: &str) -> Source {
        Source::of(vec![File { name: "a.rego".to_owned(), text: text.to_owned() }]).expect("small")
    }

    #[tokio::test]
    async fn the_last_good_policy_of_a_directory_is_kept_and_old_texts_are_bounded() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path(), Options { cache_bytes: 1 << 20 }).expect("opens");
        let _committer = store.run_committer().expect("runs");
        let here = Path::new("/etc/policy");
        assert_eq!(last_good(&store, here), Ok(None));
        let most = i64::try_from(POLICIES_MAX).expect("small") + 5;
        for at in 1..=most {
            let batch = keep(&store, here, &source(&format!("package a{at}")), Timestamp::from_micros(at));
            store.commit(batch.expect("kept")).await.expect("committed");
        }
        assert_eq!(last_good(&store, here), Ok(Some(source(&format!("package a{most}")))));
        assert_eq!(last_good(&store, Path::new("/elsewhere")), Ok(None), "another directory's is not this one's");
        let kept = store.range(Keyspace::Policy, CONTENT, None, Direction::Ascending, 1_000).expect("read");
        assert_eq!(kept.len(), POLICIES_MAX);
    }
}
