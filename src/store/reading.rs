//! Records read back: the envelope checked, pieces and payload files put together again.

use super::batch::Record;
use super::chain::{Link, Link32};
use super::engine::Engine;
use super::envelope::{self, Content};
use super::keyring::Keyring;
use super::payload::Payloads;
use super::{Error, Keyspace, key, sealing};

/// How often a record is read again whose pieces were replaced while they were read. Each time somebody must have overwritten it.
const READS_MAX: u32 = 16;

/// Reads one record at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) engine: &'a Engine,
    pub(super) payloads: &'a Payloads,
    pub(super) keys: Option<&'a Keyring>,
}

/// A record, and its link if it is chained.
pub(super) type Found = (Record, Option<Link32>);

impl Reader<'_> {
    /// The record under a full key.
    pub(super) fn get(self, key: &[u8]) -> Result<Option<Found>, Error> {
        match self.engine.get(key)? {
            Some(value) => self.assemble(key, value),
            None => Ok(None),
        }
    }

    /// The record whose value was found under `key`; none if it was removed meanwhile.
    pub(super) fn assemble(self, key: &[u8], value: sled::IVec) -> Result<Option<Found>, Error> {
        let mut value = value;
        let mut reads = 0_u32;
        loop {
            let fault = match self.open(key, &value) {
                Ok(found) => return Ok(Some(found)),
                Err(fault) => fault,
            };
            // Pieces and files go when their record does: only if it is still the same record is it damaged.
            match self.engine.get(key)? {
                Some(now) if now == value || reads >= READS_MAX => return Err(fault),
                Some(now) => value = now,
                None => return Ok(None),
            }
            reads = reads.saturating_add(1);
        }
    }

    fn open(self, key: &[u8], value: &[u8]) -> Result<Found, Error> {
        let (label, content) = envelope::open(key, value).map_err(|flaw| damaged(key, &flaw.to_string()))?;
        let mut body = match content {
            Content::Inline(body) => body.to_vec(),
            Content::Pieces { set, bytes } => {
                let mut body = Vec::new();
                for index in 0..envelope::pieces(bytes) {
                    let place = key::piece(set, index);
                    let piece =
                        self.engine.get(&place)?.ok_or_else(|| damaged(key, &format!("piece {index} is missing")))?;
                    match envelope::open(&place, &piece) {
                        Ok((_, Content::Inline(part))) => body.extend_from_slice(part),
                        Ok((_, Content::Pieces { .. } | Content::File { .. })) => {
                            return Err(damaged(key, &format!("piece {index} is no piece")));
                        }
                        Err(flaw) => return Err(damaged(key, &format!("piece {index}: {flaw}"))),
                    }
                }
                if u64::try_from(body.len()) != Ok(bytes) {
                    return Err(damaged(key, "its pieces have another length"));
                }
                body
            }
            Content::File { digest, bytes } => match self.payloads.read(&digest, bytes) {
                Ok(Some(body)) => body,
                Ok(None) => return Err(damaged(key, "its payload file is missing or was changed")),
                Err(fault) => return Err(Error::Read(format!("payload file: {fault}"))),
            },
        };
        sealing::open(self.keys, key, &label, &mut body)?;
        let link = sealing::link(self.keys, key, &label)?;
        Ok((Record { kind: label.kind, version: label.version, body }, link))
    }

    /// A chained record.
    pub(super) fn link(self, keyspace: Keyspace, key: &[u8], value: sled::IVec) -> Result<Option<Link>, Error> {
        let Some((record, link)) = self.assemble(key, value)? else { return Ok(None) };
        let sequence = key.get(1..).and_then(|sequence| sequence.try_into().ok()).map(u64::from_be_bytes);
        match (sequence, link) {
            (Some(sequence), Some(link)) => Ok(Some(Link { sequence, record, link })),
            (_, _) => Err(damaged(key, &format!("it is not part of the chain {keyspace:?}"))),
        }
    }
}

/// The error that names a damaged record by its full key.
pub(super) fn damaged(key: &[u8], reason: &str) -> Error {
    let (keyspace, key) = key.split_first().map_or(('?', key), |(keyspace, key)| (char::from(*keyspace), key));
    Error::Damaged { keyspace, key: hex::encode(key), reason: reason.to_owned() }
}
