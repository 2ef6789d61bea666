//! `[audit]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::host::Host;
use crate::config::reader::{Report, Section, path_from};
use crate::config::settings::Audit;
use crate::config::tree::Node;
use crate::config::value;
use crate::domain::key_file::KeyFile;

/// How often when nothing is said.
const CHECKPOINT_EVERY_DEFAULT: Duration = Duration::from_secs(60);
/// What may be set: what is between two checkpoints is bound by the chain alone.
const CHECKPOINT_EVERY_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
/// The credential that holds the key, where systemd passes one of this name.
const CREDENTIAL: &str = "factoryd.audit-key";

pub(super) fn read(mut section: Section, host: &Host, report: &mut Report) -> Audit {
    let checkpoint_every = section.read_or(report, "checkpoint_every", CHECKPOINT_EVERY_DEFAULT, checkpoint_every);
    let named = section.read(report, "key_file", path_from).map(|located| KeyFile::File(located.value));
    let credential = host.credentials.as_ref().map(|directory| directory.join(CREDENTIAL));
    let key_file = named.or_else(|| credential.filter(|file| file.exists()).map(KeyFile::Credential));
    section.finish(report);
    Audit { checkpoint_every, key_file }
}

fn checkpoint_every(node: &Node) -> Result<Duration, String> {
    let every = value::duration(node)?;
    let expected = || "expected a duration from 1s to 1day, such as \"60s\"".to_owned();
    CHECKPOINT_EVERY_RANGE.contains(&every).then_some(every).ok_or_else(expected)
}
