//! What a template is made from: its file, the one beneath it where it extends its own name, and its parent. Pure.

use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::name::{Environment, TemplateName};

use super::format::inherit;
use super::good::{Good, Link, earlier};
use super::source::look::{Beneath, Checked, Refusal, Seen};

/// The files of its own name that a template is made from.
#[derive(Clone, Copy)]
pub(super) struct MadeOf<'a> {
    pub(super) own: &'a Checked,
    /// The base file that the environment's own inherits from.
    pub(super) beneath: Option<&'a Checked>,
    pub(super) environment: Option<&'a Environment>,
}

/// The files of its own name, if all of them are good by themselves.
pub(super) fn made_of(seen: &Seen) -> Result<MadeOf<'_>, Refusal> {
    let own = seen.outcome.as_ref().map_err(Clone::clone)?;
    let environment = seen.environment.as_ref();
    let name = own.document.name();
    let beneath = match &seen.beneath {
        None => None,
        Some(Beneath::Missing) => {
            let reason =
                format!("/extends: {name} is to inherit from the base file beneath it, and there is no {name}.json");
            return Err(Refusal { reasons: vec![reason], ..Refusal::default() });
        }
        Some(Beneath::There(outcome)) => match outcome.as_ref() {
            Ok(beneath) => Some(beneath),
            Err(refusal) => {
                let told = |reason: &String| format!("/extends: the base file {name}.json: {reason}");
                let reasons = refusal.reasons.iter().map(told).collect();
                return Err(Refusal { reasons, fault: refusal.fault.clone(), ..Refusal::default() });
            }
        },
    };
    Ok(MadeOf { own, beneath, environment })
}

impl MadeOf<'_> {
    /// The files, its own first, and those of its parents.
    pub(super) fn lineage(self, parent: Option<&Good>) -> Vec<Link> {
        let link = |checked: &Checked, environment: Option<&Environment>| Link {
            name: checked.document.name().clone(),
            version: checked.document.version().clone(),
            own: checked.document.digest(),
            signature: checked.signature.clone(),
            environment: environment.cloned(),
        };
        let own = std::iter::once(link(self.own, self.environment));
        let beneath = self.beneath.map(|beneath| link(beneath, None));
        own.chain(beneath).chain(parent.into_iter().flat_map(|parent| parent.lineage.iter().cloned())).collect()
    }

    /// The first instant at which a signature of theirs holds no longer.
    pub(super) fn until(self) -> Option<Timestamp> {
        earlier(self.own.until, self.beneath.and_then(|beneath| beneath.until))
    }

    /// The template itself, where the file beneath says something at a pointer.
    pub(super) fn origin(self, pointer: &str) -> Option<TemplateName> {
        let document = &self.beneath?.document;
        document.value.pointer(pointer).map(|_| document.name().clone())
    }

    /// The file with everything that it inherits.
    ///
    /// # Errors
    /// What is kept of the parent is damaged.
    pub(super) fn resolved(self, parent: Option<&Good>) -> Result<Value, String> {
        let onto = |parent: Option<&Value>, checked: &Checked| match parent {
            None => checked.document.value.clone(),
            Some(parent) => inherit::resolve(parent, &checked.document.value),
        };
        let parent = parent.map(|parent| parent.resolved.value()).transpose()?;
        let beneath = self.beneath.map(|beneath| onto(parent.as_ref(), beneath));
        Ok(onto(beneath.as_ref().or(parent.as_ref()), self.own))
    }
}
