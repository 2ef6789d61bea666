//! What Gemini wants back with a call of a tool: its own name for the call, and the signature of the thoughts that led to it.
//!
//! Models since Gemini 3 refuse a conversation whose calls have lost their signatures, and clients of other APIs send back nothing
//! of a call but its name and its arguments. So both travel in the name of the call:
//!
//! ```text
//! call_<24 hexadecimal digits>                                      nothing to carry
//! call_<24 hexadecimal digits>_<base64url of "model\nid\nsignature">
//! ```
//!
//! The digits follow from the request and the call's number in its answer, so that names differ throughout a conversation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::data_plane::provider::calling;
use crate::data_plane::provider::error::Error;

/// The largest signature that is carried, in bytes.
const SIGNATURE_BYTES_MAX: usize = 32 * 1024;
/// What Google's documentation names for calls that another model made: the check of signatures is passed over.
const NOT_SIGNED_HERE: &str = "skip_thought_signature_validator";

/// Which of the API's two manners a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// Until Gemini 2.5.
    Second,
    /// Since Gemini 3, and models of other names.
    Later,
}

impl Generation {
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        if name.starts_with("gemini-1") || name.starts_with("gemini-2") { Self::Second } else { Self::Later }
    }
}

/// What a call's name carries; nothing, where it is not of our making.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    is_ours: bool,
    model: String,
    id: String,
    signature: String,
}

impl Carried {
    /// The name of the call of this number in the answer to a request.
    ///
    /// # Errors
    /// [`Error::Nonsense`] where what is to be carried is over the limit.
    pub(super) fn name(
        request: &str,
        number: usize,
        model: &str,
        id: Option<&str>,
        signature: Option<&str>,
    ) -> Result<String, Error> {
        let (id, signature) = (id.unwrap_or_default(), signature.unwrap_or_default());
        let name = calling::derived_id(&format!("{request}/{number}"));
        if id.is_empty() && signature.is_empty() {
            return Ok(name);
        }
        if id.len() > SIGNATURE_BYTES_MAX || signature.len() > SIGNATURE_BYTES_MAX || id.contains('\n') {
            return Err(Error::Nonsense { what: "a call of a tool over the limit" });
        }
        Ok(format!("{name}_{}", URL_SAFE_NO_PAD.encode(format!("{model}\n{id}\n{signature}"))))
    }

    /// What a name carries.
    pub(super) fn of(name: &str) -> Self {
        Self::read(name).unwrap_or_default()
    }

    fn read(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("call_")?;
        let (digits, tail) = rest.split_at_checked(calling::DIGEST_CHARS)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        if tail.is_empty() {
            return Some(Self { is_ours: true, ..Self::default() });
        }
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(tail.strip_prefix('_')?).ok()?).ok()?;
        let (model, rest) = text.split_once('\n')?;
        let (id, signature) = rest.split_once('\n')?;
        Some(Self { is_ours: true, model: model.to_owned(), id: id.to_owned(), signature: signature.to_owned() })
    }

    /// Gemini's own name for the call, where it gave one.
    pub(super) fn id(&self) -> Option<String> {
        (!self.id.is_empty()).then(|| self.id.clone())
    }

    /// The signature to send with the call to a model. Only the one that signed takes its signature; of later models, each wants
    /// one with the first call of a turn.
    pub(super) fn signature_for(&self, model: &str, generation: Generation, is_first: bool) -> Option<String> {
        if self.model == model && !self.signature.is_empty() {
            return Some(self.signature.clone());
        }
        let is_wanted = is_first && generation == Generation::Later;
        is_wanted.then(|| NOT_SIGNED_HERE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_others_carry_nothing() {
        let ours = Carried::name("task-1", 0, "gemini-3", None, None).expect("a name");
        assert!(Carried::of(&ours).is_ours && Carried::of(&ours).id().is_none());
        for other in
            ["", "toolu_01A", "call_abc", "call_0123456789abcdef01234567x", "call_0123456789abcdef01234567_!", "call_é"]
        {
            assert_eq!(Carried::of(other), Carried::default(), "{other}");
        }
        assert_ne!(ours, Carried::name("task-1", 1, "gemini-3", None, None).expect("a name"));
        assert_ne!(ours, Carried::name("task-2", 0, "gemini-3", None, None).expect("a name"));
    }

    #[test]
    fn only_the_model_that_signed_gets_its_signature() {
        let name = Carried::name("task-1", 0, "gemini-3-pro", Some("a1"), Some("c2ln+/==")).expect("a name");
        let carried = Carried::of(&name);
        let signature = |model: &str, is_first| carried.signature_for(model, Generation::of(model), is_first);
        assert_eq!(signature("gemini-3-pro", true).as_deref(), Some("c2ln+/=="));
        assert_eq!(signature("gemini-3-pro", false).as_deref(), Some("c2ln+/=="));
        assert_eq!(signature("gemini-4-flash", true).as_deref(), Some(NOT_SIGNED_HERE));
        assert_eq!(signature("gemini-4-flash", false), None);
        assert_eq!(signature("gemini-2.5-flash", true), None);
    }

    #[test]
    fn what_is_too_large_to_carry_is_nonsense() {
        let large = "x".repeat(SIGNATURE_BYTES_MAX + 1);
        for (id, signature) in [(None, Some(large.as_str())), (Some(large.as_str()), None), (Some("a\nb"), None)] {
            assert!(matches!(Carried::name("t", 0, "m", id, signature), Err(Error::Nonsense { .. })));
        }
    }

    proptest! {
        #[test]
        fn what_is_carried_comes_back(id in "[^\n]{0,20}", signature in "\\PC{0,40}", model in "[a-z0-9./-]{0,20}") {
            let name = Carried::name("task", 3, &model, Some(&id), Some(&signature)).expect("a name");
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            let carried = Carried::of(&name);
            prop_assert_eq!((carried.id.as_str(), carried.signature.as_str()), (id.as_str(), signature.as_str()));
            prop_assert!(carried.is_ours);
        }

        #[test]
        fn any_name_is_read(name in "(call_)?[0-9a-f]{0,30}[\\PC]{0,10}") {
            let _carried = Carried::of(&name);
        }
    }
}
