//! Bodies read member by member, so that whatever cannot be read is named; borrowed from the body as far as can be.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::error::{Answer, ApiError};
use crate::api::fault::without_values;
use crate::domain::failure::Class;
use crate::domain::private::Text;

/// Text of a body; owned only where escapes had to be resolved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Str<'_>> for Text {
    fn from(text: &Str<'_>) -> Self {
        Self::from(&*text.0)
    }
}

/// A text, or a list of parts; both APIs write content in either way.
#[derive(Debug, Default)]
pub(super) enum Content<'a, P> {
    /// Null, or left out.
    #[default]
    Nothing,
    /// One text.
    Text(Str<'a>),
    /// Parts.
    Parts(Vec<P>),
}

impl<'de: 'a, 'a, P: Deserialize<'de>> Deserialize<'de> for Content<'a, P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<'a, P>(PhantomData<(&'a (), P)>);

        impl<'de: 'a, 'a, P: Deserialize<'de>> Visitor<'de> for Reader<'a, P> {
            type Value = Content<'a, P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Str(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Str(Cow::Owned(text.to_owned()))))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Content::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut read = Vec::new();
                while let Some(part) = parts.next_element()? {
                    read.push(part);
                }
                Ok(Content::Parts(read))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// The members of a body that have a meaning here.
pub(super) trait Members<'a>: Default {
    /// Takes the value of a member; says whether it is one of these.
    fn take<A: MapAccess<'a>>(&mut self, name: &str, body: &mut A) -> Result<bool, A::Error>;
}

/// A member that has no meaning here.
#[derive(Debug)]
pub(super) struct Other<'a> {
    name: String,
    value: &'a RawValue,
}

/// Reads a body: what is known, and the rest.
pub(super) fn read<'a, T: Members<'a>>(bytes: &'a [u8]) -> Answer<(T, Vec<Other<'a>>)> {
    let at = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Body(&at, PhantomData).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|fault| match at.into_inner().filter(|_| fault.is_data()) {
        Some(name) => wrong(name, &format!("is not what is expected: {}", without_values(&fault))),
        None => ApiError::malformed(format!("the body is not what is expected: {}", without_values(&fault))),
    })
}

/// Reads an object, and notes in which member it is.
struct Body<'n, T>(&'n RefCell<Option<String>>, PhantomData<T>);

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Body<'_, T> {
    type Value = (T, Vec<Other<'de>>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Body<'_, T> {
    type Value = (T, Vec<Other<'de>>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut body: A) -> Result<Self::Value, A::Error> {
        let (mut known, mut others) = (T::default(), Vec::new());
        while let Some(name) = body.next_key::<Str<'de>>()? {
            match known.take(&name, &mut body) {
                Ok(true) => {}
                Ok(false) => others.push(Other { name: name.0.into_owned(), value: body.next_value()? }),
                Err(fault) => {
                    self.0.replace(Some(name.0.into_owned()));
                    return Err(A::Error::custom(fault));
                }
            }
        }
        Ok((known, others))
    }
}

/// What is done about a parameter that has no meaning here.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unmeant {
    /// A hint, which changes no answer: it is let pass.
    Hint,
    /// It is let pass at these values, which ask for nothing, as does null; others are refused. In JSON.
    At(&'static [&'static str]),
}

/// Refuses parameters that ask for what is not done here, by name.
pub(super) fn judge(others: &[Other<'_>], known: &[(&str, Unmeant)]) -> Answer<()> {
    others.iter().try_for_each(|other| {
        let rule = known.iter().find(|(name, _)| *name == other.name).map(|(_, rule)| *rule);
        match rule {
            _ if other.value.get() == "null" => Ok(()),
            Some(Unmeant::Hint) => Ok(()),
            Some(Unmeant::At(values)) if values.iter().any(|value| same(value, other.value.get())) => Ok(()),
            Some(Unmeant::At([])) => Err(unsupported(&other.name, "is not supported here")),
            Some(Unmeant::At(values)) => {
                let why = format!("is not supported here at another value than {}", values.join(" or "));
                Err(unsupported(&other.name, &why))
            }
            None => Err(unsupported(&other.name, "is no parameter that is known here")),
        }
    })
}

/// Whether two documents say the same.
fn same(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    read(one) == read(other)
}

/// A parameter asks for what is not done here.
pub(super) fn unsupported(parameter: &str, why: &str) -> ApiError {
    ApiError::new(Class::Malformed, "parameter_unsupported", format!("{parameter} {why}")).about(parameter)
}

/// A parameter is not as it must be.
pub(super) fn wrong(parameter: impl Into<String>, why: &str) -> ApiError {
    let parameter = parameter.into();
    ApiError::malformed(format!("{parameter} {why}")).about(parameter)
}

/// A number within bounds, both of which are allowed.
pub(super) fn within(parameter: &str, value: Option<f64>, least: f64, most: f64) -> Answer<Option<f64>> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(wrong(parameter, &format!("is not between {least} and {most}")))
        }
        value => Ok(value),
    }
}
