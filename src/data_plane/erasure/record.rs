//! What is durable of an erasure. It belongs to the host, so that it outlives the keys that it destroys.

use minicbor::{Decode, Encode};

use crate::domain::clock::Timestamp;
use crate::domain::id::ErasureId;
use crate::domain::name::{Tenant, User};
use crate::domain::owner::Selector;
use crate::journal::{self, codec, decode, encode};
use crate::protocol::erasure::SignedReceipt;
use crate::store::{Batch, Keyspace, Record};

const KIND: u8 = 1;
const VERSION: u8 = 1;

/// An erasure as it is stored. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(super) struct Stored {
    /// The erasure.
    #[cbor(n(0), with = "codec::bytes")]
    pub(super) id: ErasureId,
    /// Whose data: of this tenant.
    #[cbor(n(1), with = "codec::as_optional_text", has_nil)]
    pub(super) tenant: Option<Tenant>,
    /// Of this user.
    #[cbor(n(2), with = "codec::as_optional_text", has_nil)]
    pub(super) user: Option<User>,
    /// Who asked.
    #[n(3)]
    pub(super) by: String,
    /// When.
    #[cbor(n(4), with = "codec::time")]
    pub(super) at: Timestamp,
    /// The audit entry that says so is this one or a later one.
    #[n(5)]
    pub(super) audit_from: u64,
    /// The keys that are being destroyed, noted before they are.
    #[n(6)]
    pub(super) key_ids: Vec<u32>,
    /// The signed receipt as JSON; there is one when everything is done.
    #[n(7)]
    pub(super) receipt: Option<String>,
}

impl Stored {
    /// Whose data; none of a record that names nobody, which no release writes.
    pub(super) fn whose(&self) -> Option<Selector> {
        Selector::new(self.tenant.clone(), self.user.clone())
    }

    /// Notes keys; says whether there were any that were not noted before.
    pub(super) fn note_keys(&mut self, key_ids: impl IntoIterator<Item = u32>) -> bool {
        let known = self.key_ids.len();
        self.key_ids.extend(key_ids);
        self.key_ids.sort_unstable();
        self.key_ids.dedup();
        self.key_ids.len() != known
    }

    pub(super) fn signed(&self) -> Option<SignedReceipt> {
        self.receipt.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }

    /// The change that writes it.
    pub(super) fn put(&self) -> Batch {
        let record = Record { kind: KIND, version: VERSION, body: encode(self) };
        Batch::new().put(Keyspace::Erasure, self.id.as_bytes().as_slice(), record)
    }

    pub(super) fn read(record: &Record) -> Result<Self, journal::Error> {
        decode(record, &"an erasure", 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_reads_back() {
        let stored = Stored {
            id: ErasureId::generate(),
            tenant: Some("acme".parse().expect("a tenant")),
            user: None,
            by: "ann".to_owned(),
            at: Timestamp::from_micros(7),
            audit_from: 41,
            key_ids: vec![2, 7],
            receipt: None,
        };
        let record = Record { kind: KIND, version: VERSION, body: encode(&stored) };
        assert_eq!(Stored::read(&record).expect("reads"), stored);
    }

    #[test]
    fn keys_that_were_noted_stay_noted() {
        let mut stored = Stored {
            id: ErasureId::generate(),
            tenant: None,
            user: Some("ann".parse().expect("a user")),
            by: "ann".to_owned(),
            at: Timestamp::from_micros(7),
            audit_from: 41,
            key_ids: vec![2, 7],
            receipt: None,
        };
        assert!(!stored.note_keys([]), "none are left when it is tried again");
        assert!(!stored.note_keys([7]));
        assert!(stored.note_keys([9, 2, 5]));
        assert_eq!(stored.key_ids, [2, 5, 7, 9]);
    }
}
