//! A version that may run, with everything that made it so.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::control_plane::policy::{MadeFrom, Policy, SignedBy};
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, Environment, TemplateName, Version};

use super::model::{Signer, Template};
use super::trust::Trust;
use super::trust::signature::{Scheme, Signed};

/// A template that was verified, resolved and checked.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) template: Arc<Template>,
    pub(super) resolved: Arc<Value>,
    /// The files that it was made from: its own, then its parent's, and so on. Never empty.
    pub(super) lineage: Vec<Link>,
    /// The first instant at which one of its signatures holds no longer, as the keys were when it was last verified.
    pub(super) until: Option<Timestamp>,
}

impl std::fmt::Debug for Good {
    /// Leaves out the resolved JSON, which holds prompts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Good").field("template", &self.template).field("lineage", &self.lineage).finish_non_exhaustive()
    }
}

/// One file that a template was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: TemplateName,
    pub(super) version: Version,
    /// The digest of the file as written: what is signed.
    pub(super) own: Digest,
    pub(super) signature: Option<Signed>,
    /// The environment whose file it is; none of the base.
    pub(super) environment: Option<Environment>,
}

impl Link {
    /// In the words of the policy.
    fn told(&self) -> MadeFrom<'_> {
        let signer = self.signature.as_ref().map(|signed| {
            let Signer { key_id, algorithm, scheme } = &signed.signer;
            SignedBy { key_id, algorithm: algorithm.as_str(), scheme: scheme.as_str() }
        });
        MadeFrom { name: &self.name, version: &self.version, environment: self.environment.as_ref(), signer }
    }
}

/// By what a template is judged.
pub(super) struct Rules<'a> {
    /// The trusted keys as they are now; none where signatures are not required.
    pub(super) trust: Option<Trust<'a>>,
    /// Tells these keys from those before: a file that was verified by others proves nothing.
    pub(super) key_epoch: u64,
    pub(super) policy: &'a Policy,
}

impl Good {
    /// The other template that it inherits from.
    pub(super) fn parent(&self) -> Option<&TemplateName> {
        self.lineage.iter().map(|link| &link.name).find(|name| **name != self.template.name)
    }

    /// An environment that one of its files is of, other than this one.
    pub(super) fn foreign(&self, here: Option<&Environment>) -> Option<&Environment> {
        self.lineage.iter().filter_map(|link| link.environment.as_ref()).find(|environment| Some(*environment) != here)
    }

    /// The environment whose file it was made from; none of the base.
    pub(super) fn environment(&self) -> Option<&Environment> {
        self.lineage.first().and_then(|link| link.environment.as_ref())
    }
}

impl Rules<'_> {
    /// Why the policy denies a resolved template that was made from these files.
    pub(super) fn denials(&self, resolved: &Value, lineage: &[Link]) -> Vec<String> {
        let lineage: Vec<MadeFrom<'_>> = lineage.iter().map(Link::told).collect();
        let denials = self.policy.check(resolved, &lineage).err().unwrap_or_default();
        denials.iter().map(ToString::to_string).collect()
    }

    /// Until when a template that was good is trusted now; or why it is good no more: a key is no longer trusted, or the policy
    /// has changed.
    pub(super) fn recheck(&self, good: &Good) -> Result<Option<Timestamp>, Vec<String>> {
        let until = self.trusted_until(&good.lineage)?;
        let denials = self.denials(&good.resolved, &good.lineage);
        if denials.is_empty() { Ok(until) } else { Err(denials) }
    }

    /// Verifies all signatures of a lineage; tells the first instant at which one of them holds no longer.
    pub(super) fn trusted_until(&self, lineage: &[Link]) -> Result<Option<Timestamp>, Vec<String>> {
        let Some(trust) = self.trust else { return Ok(None) };
        let (mut until, mut faults): (Option<Timestamp>, Vec<String>) = (None, Vec::new());
        for Link { name, own, signature, .. } in lineage {
            match signature.as_ref().map(|signed| trust.again(name, signed, *own)) {
                None => faults.push(format!("{name} was published without a signature")),
                Some(Err(fault)) => faults.push(format!("{name}: {fault}")),
                Some(Ok(trusted)) => until = earlier(until, trusted.until),
            }
        }
        if faults.is_empty() { Ok(until) } else { Err(faults) }
    }
}

/// The earlier of two instants, either of which may never come.
pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Tells one lineage, with its signatures, from another.
pub(super) fn seal(lineage: &[Link]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for link in lineage {
        let signature = link.signature.as_ref();
        let texts = [
            link.name.as_str(),
            link.version.as_str(),
            signature.map_or("", |signed| signed.signer.key_id.as_str()),
            // As it was before there was a second form: a version that was stored then has the same seal.
            signature.map_or("", |signed| match signed.signer.scheme {
                Scheme::V1 => signed.signer.algorithm.as_str(),
                Scheme::Legacy => Scheme::Legacy.as_str(),
            }),
        ];
        for bytes in texts
            .map(str::as_bytes)
            .into_iter()
            .chain([signature.map_or(&[][..], |e| &e.signature), link.own.as_bytes()])
        {
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        // Files of the base are told as before there were environments.
        if let Some(environment) = &link.environment {
            hash.update("environment");
            hash.update(environment.as_str());
        }
    }
    hash.finalize().into()
}
