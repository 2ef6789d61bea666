//! A version that may run, with everything that made it so.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::control_plane::policy::Policy;
use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, Environment, TemplateName, Version};

use super::archive::packed::Packed;
use super::format::document::{self, Document};
use super::format::mistake::Mistake;
use super::format::wire::{self, Facts};
use super::metrics;
use super::model::{Signer, Summary, Template};
use super::trust::Trust;
use super::trust::signature::{Scheme, Signed};

/// A template that was verified, resolved and checked.
#[derive(Clone)]
pub(super) struct Good {
    pub(super) template: Arc<Summary>,
    /// The JSON with everything that it inherits.
    pub(super) resolved: Packed,
    /// The files that it was made from: its own, then its parent's, and so on. Never empty.
    pub(super) lineage: Vec<Link>,
    /// Tells the lineage, with its signatures, from another.
    pub(super) seal: [u8; 32],
    /// The first instant at which one of its signatures holds no longer, as the keys were when it was last verified.
    pub(super) until: Option<Timestamp>,
}

impl Good {
    pub(super) fn new(template: &Template, resolved: Packed, lineage: Vec<Link>, until: Option<Timestamp>) -> Self {
        let seal = seal(&lineage);
        Self { template: Arc::new(template.into()), resolved, lineage, seal, until }
    }

    /// A file that nobody signed and that has no parent, for benchmarks.
    pub(super) fn alone(file: &Document) -> Result<Self, Vec<Mistake>> {
        if file.extends().is_some() {
            return Err(vec![Mistake::at("/extends", "inherits from a template that is not at hand")]);
        }
        let (digest, canonical) = document::resolved_form(&file.value).map_err(|mistake| vec![mistake])?;
        let facts = Facts { digest, signer: None, published_at: Timestamp::from_micros(0) };
        let template = wire::typed(&file.value, facts)?;
        let (name, version) = (file.name().clone(), file.version().clone());
        let own = Link { name, version, own: file.digest(), signature: None, environment: None };
        Ok(Self::new(&template, Packed::plain(&canonical), vec![own], None))
    }

    /// Whether another has the same content, made from the same files with the same signatures.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        (self.template.digest, self.seal) == (other.template.digest, other.seal)
    }

    /// The typed form, which is made anew each time.
    pub(super) fn compile(&self) -> Result<Template, String> {
        let Summary { digest, signer, published_at, .. } = &*self.template;
        let facts = Facts { digest: *digest, signer: signer.clone(), published_at: *published_at };
        wire::typed(&self.resolved.value()?, facts)
            .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
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

/// By what a template is judged.
pub(super) struct Rules<'a> {
    /// The trusted keys as they are now; none where signatures are not required.
    pub(super) trust: Option<Trust<'a>>,
    pub(super) policy: &'a Policy,
}

impl Good {
    /// The other template that it inherits from.
    pub(super) fn parent(&self) -> Option<&TemplateName> {
        self.lineage.iter().map(|link| &link.name).find(|name| **name != self.template.name)
    }

    /// The environment whose file it was made from; none of the base.
    pub(super) fn environment(&self) -> Option<&Environment> {
        self.lineage.first().and_then(|link| link.environment.as_ref())
    }
}

impl Rules<'_> {
    /// Why the policy denies a resolved template.
    pub(super) fn denials(&self, resolved: &Value, signer: Option<&Signer>) -> Vec<String> {
        let signer = signer.map(|signer| (&signer.key_id, signer.algorithm.as_str()));
        let denials = self.policy.check(resolved, signer).err().unwrap_or_default();
        denials.iter().map(ToString::to_string).collect()
    }

    /// Until when a template that was good is trusted now; or why it is good no more: a key is no longer trusted, or the policy
    /// has changed.
    pub(super) fn recheck(&self, good: &Good) -> Result<Option<Timestamp>, Vec<String>> {
        let until = self.trusted_until(&good.lineage)?;
        let resolved = good.resolved.value().map_err(|reason| vec![reason])?;
        let denials = self.denials(&resolved, good.template.signer.as_ref());
        if denials.is_empty() { Ok(until) } else { Err(denials) }
    }

    /// Verifies all signatures of a lineage; tells the first instant at which one of them holds no longer.
    pub(super) fn trusted_until(&self, lineage: &[Link]) -> Result<Option<Timestamp>, Vec<String>> {
        let Some(trust) = self.trust else { return Ok(None) };
        let (mut until, mut faults): (Option<Timestamp>, Vec<String>) = (None, Vec::new());
        for link in lineage {
            match link.verify(trust) {
                Err(reason) => faults.push(reason),
                Ok(trusted) => until = earlier(until, trusted),
            }
        }
        if faults.is_empty() { Ok(until) } else { Err(faults) }
    }
}

impl Link {
    /// Tells this file, with its signature, from others.
    pub(super) fn seal(&self) -> [u8; 32] {
        seal(std::slice::from_ref(self))
    }

    /// Verifies the signature. Until when it is trusted; none for ever.
    pub(super) fn verify(&self, trust: Trust<'_>) -> Result<Option<Timestamp>, String> {
        let Self { name, own, signature, .. } = self;
        match signature {
            None => Err(format!("{name} was published without a signature")),
            Some(signed) => metrics::verified(signed.signer.algorithm, || trust.again(name, signed, *own))
                .map(|trusted| trusted.until)
                .map_err(|fault| format!("{name}: {fault}")),
        }
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
