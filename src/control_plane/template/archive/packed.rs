//! A resolved template as it is kept in memory and in the store.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::dictionary::{Dictionary, Pressing};

/// The canonical JSON of a resolved template, compressed.
#[derive(Clone)]
pub struct Packed {
    bytes: Arc<[u8]>,
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// As it is: it was made a moment ago, and is about to be compressed together with the others of its look.
    Plain,
    /// A zstd frame.
    Frame(Arc<Dictionary>),
}

impl fmt::Debug for Packed {
    /// Leaves out the content, which holds prompts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Plain => write!(f, "{} bytes of JSON", self.bytes.len()),
            Form::Frame(dictionary) => write!(f, "{} bytes with {dictionary:?}", self.bytes.len()),
        }
    }
}

impl Packed {
    pub(in crate::control_plane::template) fn plain(json: &[u8]) -> Self {
        Self { bytes: json.into(), form: Form::Plain }
    }

    /// A frame that was made with this dictionary.
    pub(in crate::control_plane::template) fn frame(frame: &[u8], dictionary: &Arc<Dictionary>) -> Self {
        Self { bytes: frame.into(), form: Form::Frame(dictionary.clone()) }
    }

    /// The same content, compressed.
    pub(in crate::control_plane::template) fn press(
        &self,
        dictionary: &Arc<Dictionary>,
        pressing: &mut Pressing<'_>,
    ) -> Result<Self, String> {
        match &self.form {
            Form::Plain => Ok(Self::frame(&pressing.frame(&self.bytes)?, dictionary)),
            Form::Frame(_) => Ok(self.clone()),
        }
    }

    pub(in crate::control_plane::template) fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain)
    }

    /// The bytes that are kept, and the dictionary that they need.
    pub(in crate::control_plane::template) fn kept(&self) -> (&[u8], Option<&Arc<Dictionary>>) {
        match &self.form {
            Form::Plain => (&self.bytes, None),
            Form::Frame(dictionary) => (&self.bytes, Some(dictionary)),
        }
    }

    /// The canonical JSON.
    ///
    /// # Errors
    /// The bytes are damaged.
    pub fn json(&self) -> Result<Cow<'_, [u8]>, String> {
        match &self.form {
            Form::Plain => Ok(Cow::Borrowed(&self.bytes)),
            Form::Frame(dictionary) => dictionary.unpack(&self.bytes).map(Cow::Owned),
        }
    }

    /// The template with everything that it inherits.
    ///
    /// # Errors
    /// The bytes are damaged.
    pub fn value(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.json()?).map_err(|fault| format!("is not JSON any more: {fault}"))
    }
}
