//! One template file: strict parse, schema, canonical form.

use std::collections::BTreeSet;
use std::sync::Arc;

use semver::Version as SemVer;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::name::{Digest, TemplateName, Version};

use super::mistake::{Mark, Mistake, Place, in_order};
use super::{encoding, schema, strict, syntax};
use crate::control_plane::template::trust::python;

/// The largest template file, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 1024 * 1024;

/// The name that no template may have: `GET /factory/templates/schema` is the schema.
const NAME_TAKEN: &str = "schema";

/// A template file that keeps the schema, as written: nothing is inherited yet.
#[derive(Clone, PartialEq)]
pub struct Document {
    pub(in crate::control_plane::template) value: Value,
    pub(in crate::control_plane::template) name: TemplateName,
    pub(in crate::control_plane::template) version: Version,
    pub(in crate::control_plane::template) extends: Option<TemplateName>,
    pub(in crate::control_plane::template) digest: Digest,
    /// The file's text, for the places of mistakes that later stages find.
    pub(super) source: Arc<str>,
}

impl Document {
    /// Reads a template file.
    ///
    /// # Errors
    /// All mistakes of the file at once, at most [`MISTAKES_MAX`](super::mistake::MISTAKES_MAX).
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Mistake>> {
        let (text, value, mut mistakes) = read(bytes)?;
        mistakes.extend(judge(&value));
        if !mistakes.is_empty() {
            return Err(in_order(placed(text, mistakes)));
        }
        let field = |name: &str| value.get(name).and_then(Value::as_str);
        let name = field("name").and_then(|name| name.parse().ok());
        let version = field("version").and_then(|version| version.parse().ok());
        let extends = field("extends").and_then(|parent| parent.parse().ok());
        match (name, version) {
            (Some(name), Some(version)) => {
                let digest = digest(&value).map_err(|mistake| vec![mistake])?;
                Ok(Self { digest, name, version, extends, value, source: text.into() })
            }
            (_, _) => {
                let message = "name or version is too long or has characters that names do not have";
                Err(vec![Mistake::at("", message)])
            }
        }
    }

    /// The name that the file gives itself.
    #[must_use]
    pub fn name(&self) -> &TemplateName {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The template that it inherits from.
    #[must_use]
    pub fn extends(&self) -> Option<&TemplateName> {
        self.extends.as_ref()
    }

    /// The SHA-256 of the canonical form of the file as written: what is signed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Adds to mistakes that a later stage found their places in the file. What the file does not say comes from a parent,
    /// which `origin` names, and is told at `extends`.
    pub(in crate::control_plane::template) fn place(
        &self,
        mistakes: Vec<Mistake>,
        origin: impl Fn(&str) -> Option<TemplateName>,
    ) -> Vec<Mistake> {
        place_later(&self.source, &self.value, mistakes, origin)
    }
}

/// See [`Document::place`].
pub(super) fn place_later(
    source: &str,
    value: &Value,
    mistakes: Vec<Mistake>,
    origin: impl Fn(&str) -> Option<TemplateName>,
) -> Vec<Mistake> {
    let extends = placed(source, vec![Mistake::at("/extends", "")]).into_iter().find_map(|mistake| mistake.place);
    let told = |mistake: Mistake| {
        let inherited = if value.pointer(&mistake.pointer).is_none() { origin(&mistake.pointer) } else { None };
        match inherited {
            Some(parent) => {
                let message = format!("{} (inherited from {parent})", mistake.message);
                Mistake { message, ..mistake }.placed(extends)
            }
            None => mistake,
        }
    };
    in_order(placed(source, mistakes.into_iter().map(told).collect()))
}

/// What is wrong with a file's value by itself.
pub(super) fn judge(value: &Value) -> Vec<Mistake> {
    let mut mistakes = schema::check(value);
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let told = |pointer: &str, mistakes: &[Mistake]| mistakes.iter().any(|mistake| mistake.pointer == pointer);
    if field("version").is_some_and(|version| SemVer::parse(version).is_err()) && !told("/version", &mistakes) {
        mistakes.push(Mistake::at("/version", "must be a semantic version, such as \"1.0.0\""));
    }
    if field("name") == Some(NAME_TAKEN) {
        let message = format!("{NAME_TAKEN:?} is taken by GET /factory/templates/{NAME_TAKEN}; choose another name");
        mistakes.push(Mistake::at("/name", message));
    }
    mistakes
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "document {} {} {}", self.name, self.version, self.digest)
    }
}

/// The digest of a file's canonical form, whether or not it is a good template: signing vouches for the content, and
/// judging it is left to validation.
///
/// # Errors
/// The file is not JSON that every reader reads alike.
pub fn canonical_digest(bytes: &[u8]) -> Result<Digest, Vec<Mistake>> {
    let (_, value, mistakes) = read(bytes)?;
    if mistakes.is_empty() { digest(&value).map_err(|mistake| vec![mistake]) } else { Err(mistakes) }
}

/// The digest of a file's form as the Python predecessor signs it.
///
/// # Errors
/// The file is not JSON that every reader reads alike.
pub fn legacy_digest(bytes: &[u8]) -> Result<Digest, Vec<Mistake>> {
    let (_, value, mistakes) = read(bytes)?;
    if mistakes.is_empty() { Ok(python::digest(&value)) } else { Err(mistakes) }
}

/// The version that a file names, where so much of it can be read: said beside a refusal.
pub(in crate::control_plane::template) fn claimed_version(bytes: &[u8]) -> Option<Version> {
    let (_, value, _) = read(bytes).ok()?;
    value.get("version")?.as_str()?.parse().ok()
}

/// The digest of a resolved template, and its canonical form, which is no larger than a file may be.
pub(in crate::control_plane::template) fn resolved_form(resolved: &Value) -> Result<(Digest, Vec<u8>), Mistake> {
    let canonical = canonical(resolved)?;
    if canonical.len() > TEMPLATE_BYTES_MAX {
        return Err(Mistake::at(
            "",
            format!("larger than {TEMPLATE_BYTES_MAX} bytes with everything that it inherits"),
        ));
    }
    Ok((Digest::from_bytes(Sha256::digest(&canonical).into()), canonical))
}

/// The SHA-256 of a value's canonical form (RFC 8785).
fn digest(value: &Value) -> Result<Digest, Mistake> {
    canonical(value).map(|canonical| Digest::from_bytes(Sha256::digest(canonical).into()))
}

/// A value's canonical form (RFC 8785).
pub(in crate::control_plane::template) fn canonical(value: &Value) -> Result<Vec<u8>, Mistake> {
    serde_json_canonicalizer::to_vec(value).map_err(|fault| Mistake::at("", format!("has no canonical form: {fault}")))
}

/// The text, its value, and what is ambiguous in it.
pub(super) fn read(bytes: &[u8]) -> Result<(&str, Value, Vec<Mistake>), Vec<Mistake>> {
    if bytes.len() > TEMPLATE_BYTES_MAX {
        return Err(vec![Mistake::at("", format!("larger than {TEMPLATE_BYTES_MAX} bytes"))]);
    }
    let text = encoding::text(bytes).map_err(|mistake| vec![mistake])?;
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(fault) => return Err(not_json(text, &fault)),
    };
    if !value.is_object() {
        let place = Some(Place { line: 1, column: 1 });
        return Err(vec![Mistake::at("", "a template is a JSON object, which begins with {").placed(place)]);
    }
    let ambiguous = strict::check(text);
    Ok((text, value, ambiguous))
}

/// Our own words, and the parser's where we find nothing.
fn not_json(text: &str, fault: &serde_json::Error) -> Vec<Mistake> {
    let mistakes = syntax::mistakes(text);
    if !mistakes.is_empty() {
        return mistakes;
    }
    let place = Place { line: fault.line().max(1), column: fault.column().max(1) };
    let message = fault.to_string();
    let reason = message.split(" at line ").next().unwrap_or("malformed");
    vec![Mistake::at("", format!("not JSON: {reason}")).placed(Some(place))]
}

/// Adds their places to mistakes that know only their pointers; what is missing is placed where it should be.
pub(super) fn placed(text: &str, mistakes: Vec<Mistake>) -> Vec<Mistake> {
    let unplaced = mistakes.iter().filter(|mistake| mistake.place.is_none() && !mistake.pointer.is_empty());
    let wanted: BTreeSet<&str> = unplaced.flat_map(|mistake| around(&mistake.pointer)).collect();
    let offsets = strict::locate(text, &wanted);
    let place = |mistake: &Mistake| {
        let pointer = Some(mistake.pointer.as_str()).filter(|pointer| !pointer.is_empty())?;
        let found = around(pointer).find_map(|pointer| offsets.get(pointer))?;
        Some(Place::of(text, if mistake.mark == Mark::Key { found.key } else { found.value }))
    };
    let told = |mistake: Mistake| {
        let found = mistake.place.or_else(|| place(&mistake));
        mistake.placed(found)
    };
    mistakes.into_iter().map(told).collect()
}

/// A pointer and those of everything that the value lies in, the nearest first.
fn around(pointer: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(pointer), |inner| inner.rsplit_once('/').map(|(outer, _)| outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let mistakes = Document::parse(text.as_bytes()).expect_err("mistakes");
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn all_mistakes_of_a_file_are_told_at_once_with_their_pointers() {
        let told = told(
            "{\"name\": \"a\", \"version\": \"1\",\n \"colour\": 3,\n \"model\": {\"temperature\": 5},\n \"tools\": [7], \"x\": 2e1}",
        );
        for part in ["/version", "colour", "line 3, column 27: /model/temperature", "/tools/0", "exponent"] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_a_reason() {
        for (text, part) in [
            ("", "the file is empty"),
            ("[]", "JSON object"),
            ("{\"name\": \"a\",}", "line 1, column 13"),
            ("{\"name\": \"\\ud800\"}", "not JSON"),
            ("{}", "name"),
        ] {
            assert!(told(text).contains(part), "{text}: {}", told(text));
        }
        let told = |bytes: &[u8]| Document::parse(bytes).expect_err("mistakes")[0].to_string();
        assert!(told(b"{\"name\": \"\xff\"}").contains("not UTF-8 from byte 10"));
        assert!(told(&vec![b' '; TEMPLATE_BYTES_MAX + 1]).contains("larger than"));
        assert!(told("[".repeat(100_000).as_bytes()).contains("nested deeper"));
    }

    #[test]
    fn a_prompt_is_never_repeated_in_a_mistake() {
        assert!(
            !told(r#"{"name": "a", "version": "1.0.0", "model": "hunter2", "capabilities": "hunter2"}"#)
                .contains("hunter2")
        );
    }

    #[test]
    fn the_digest_does_not_depend_on_layout() {
        let one = Document::parse(br#"{"name":"a","version":"1.0.0","system_prompt":"x"}"#).expect("a document");
        let other = Document::parse(b"{ \"version\": \"1.0.0\",\n \"system_prompt\": \"\\u0078\", \"name\": \"a\" }")
            .expect("a document");
        assert_eq!(one.digest(), other.digest());
    }

    #[test]
    fn a_file_of_the_largest_size_is_judged_in_no_time() {
        let many = vec!["\"1\""; 250_000].join(",");
        let text = format!(r#"{{"name": "a", "version": "1.0.0", "capabilities": [{many}]}}"#);
        let began = std::time::Instant::now();
        let mistakes = Document::parse(text.as_bytes());
        assert!(mistakes.is_err() && began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
