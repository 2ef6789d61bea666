//! The lines of an export (pure).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::control_plane::audit::handle::Recorded;
use crate::control_plane::audit::key::{AuditKey, PublicKey, Purpose};
use crate::control_plane::audit::render::readable;
use crate::domain::clock::Timestamp;
use crate::protocol::audit::AuditEntry;
use crate::store::Record;
use crate::store::chain::FIRST_SEQUENCE;

/// The name of the form.
pub const FORMAT: &str = "agent-factory/audit/v1";
/// The longest line, in bytes: an entry's six texts of 512 bytes, escaped, and its record fit into half of it.
pub const LINE_BYTES_MAX: usize = 64 * 1_024;

/// How the lines begin that are no header.
pub(super) const ENTRY: &str = "{\"entry\":";
pub(super) const CHECKPOINT: &str = "{\"checkpoint\":";
pub(super) const END: &str = "{\"end\":";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: String,
    /// The id of the log, which is the key's.
    pub(super) log: String,
    /// The public key: 32 bytes in base64.
    pub(super) key: String,
    pub(super) exported_at: String,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Header {
    pub(super) fn new(key: &PublicKey, exported_at: Timestamp, last: u64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            log: key.log_id(),
            key: key.to_base64(),
            exported_at: exported_at.to_string(),
            first: FIRST_SEQUENCE,
            last,
        }
    }
}

/// One entry: as it reads, and as it was recorded.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    pub(super) entry: AuditEntry,
    /// Kind, version and body of the record in base64.
    pub(super) record: String,
}

impl EntryLine {
    pub(super) fn new(recorded: &Recorded, record: &Record) -> Self {
        let bytes = [&[record.kind, record.version], record.body.as_slice()].concat();
        Self { entry: readable(recorded), record: BASE64.encode(bytes) }
    }

    /// The record as it was chained; nothing where it is none.
    pub(super) fn record(&self) -> Option<Record> {
        let bytes = BASE64.decode(&self.record).ok()?;
        let (&[kind, version], body) = bytes.split_first_chunk::<2>()?;
        Some(Record { kind, version, body: body.to_vec() })
    }
}

/// A signed note.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointLine {
    pub(super) checkpoint: String,
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) end: End,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) entries: u64,
    /// Of every byte before this line, in hexadecimal.
    pub(super) sha256: String,
    /// Over the 32 bytes of that, for [`Purpose::Export`].
    pub(super) signature: String,
}

/// A line in its only form, with its end.
pub(super) fn line(content: &impl Serialize) -> String {
    // Plain data without maps: serialising it has no way to fail.
    let mut text = serde_json::to_string(content).unwrap_or_default();
    text.push('\n');
    text
}

/// The lines of one export, and the hash over them.
pub(super) struct Lines {
    key: AuditKey,
    hash: Sha256,
    text: String,
}

impl Lines {
    pub(super) fn new(key: AuditKey) -> Self {
        Self { key, hash: Sha256::new(), text: String::new() }
    }

    pub(super) fn header(&mut self, exported_at: Timestamp, last: u64) {
        let header = Header::new(&self.key.public(), exported_at, last);
        self.push(&header);
    }

    pub(super) fn entry(&mut self, recorded: &Recorded, record: &Record) {
        self.push(&EntryLine::new(recorded, record));
    }

    pub(super) fn checkpoint(&mut self, note: &str) {
        self.push(&CheckpointLine { checkpoint: note.to_owned() });
    }

    /// The last line: nothing is added behind it.
    pub(super) fn end(&mut self, entries: u64) {
        let digest = std::mem::take(&mut self.hash).finalize();
        let signature = self.key.sign(Purpose::Export, &digest).to_string();
        self.push(&EndLine { end: End { entries, sha256: hex::encode(digest), signature } });
    }

    fn push(&mut self, content: &impl Serialize) {
        let line = line(content);
        self.hash.update(&line);
        self.text.push_str(&line);
    }

    /// What was added since it was last asked.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
