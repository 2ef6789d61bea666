//! How domain values stand in stored records (CBOR, RFC 8949). Domain types know no encoding; these functions are the only
//! place where one is chosen, and a released choice never changes.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

/// A value written as the text that `Display` gives and `FromStr` reads.
pub mod as_text {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};

    /// Writes the text.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, T, W>(value: &T, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>>
    where
        T: std::fmt::Display,
        W: Write,
    {
        e.str(&value.to_string())?.ok()
    }

    /// Reads the text back.
    ///
    /// # Errors
    /// The text is not what the type takes.
    pub fn decode<'b, C, T>(d: &mut Decoder<'b>, _: &mut C) -> Result<T, DecodeError>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        d.str()?.parse().map_err(DecodeError::custom)
    }
}

/// An optional value written as text.
pub mod as_optional_text {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};

    /// Writes the text, or null.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, T, W>(value: &Option<T>, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>>
    where
        T: std::fmt::Display,
        W: Write,
    {
        match value {
            Some(value) => super::as_text::encode(value, e, ctx),
            None => e.null()?.ok(),
        }
    }

    /// Reads the text back, or null.
    ///
    /// # Errors
    /// The text is not what the type takes.
    pub fn decode<'b, C, T>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Option<T>, DecodeError>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            return Ok(None);
        }
        super::as_text::decode(d, ctx).map(Some)
    }

    /// What an absent field stands for.
    #[must_use]
    pub fn nil<T>() -> Option<Option<T>> {
        Some(None)
    }

    /// Whether the field may be left out.
    #[must_use]
    pub fn is_nil<T>(value: &Option<T>) -> bool {
        value.is_none()
    }
}

macro_rules! integer_codec {
    ($(#[$doc:meta])* $module:ident, $type:ty, $get:ident, $make:path, $write:ident) => {
        $(#[$doc])*
        pub mod $module {
            use super::{DecodeError, Decoder, EncodeError, Encoder, Write};

            /// Writes the integer.
            ///
            /// # Errors
            /// The writer fails.
            pub fn encode<C, W: Write>(
                value: &$type,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), EncodeError<W::Error>> {
                e.$write(value.$get())?.ok()
            }

            /// Reads the integer back.
            ///
            /// # Errors
            /// It is not an integer in range.
            pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<$type, DecodeError> {
                d.$write().map($make)
            }
        }
    };
}

integer_codec!(
    /// An instant as microseconds since 1970.
    time,
    crate::domain::clock::Timestamp,
    micros,
    crate::domain::clock::Timestamp::from_micros,
    i64
);
integer_codec!(
    /// An amount as nano-dollars.
    usd,
    crate::domain::money::Usd,
    nanos,
    crate::domain::money::Usd::from_nanos,
    i64
);

/// An optional instant.
pub mod optional_time {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};
    use crate::domain::clock::Timestamp;

    /// Writes microseconds, or null.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, W: Write>(
        value: &Option<Timestamp>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.encode(value.map(Timestamp::micros))?.ok()
    }

    /// Reads microseconds back, or null.
    ///
    /// # Errors
    /// It is neither.
    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Option<Timestamp>, DecodeError> {
        Ok(d.decode::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    /// What an absent field stands for.
    #[must_use]
    pub fn nil() -> Option<Option<Timestamp>> {
        Some(None)
    }

    /// Whether the field may be left out.
    #[must_use]
    pub fn is_nil(value: &Option<Timestamp>) -> bool {
        value.is_none()
    }
}

/// An optional amount.
pub mod optional_usd {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};
    use crate::domain::money::Usd;

    /// Writes nano-dollars, or null.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, W: Write>(
        value: &Option<Usd>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.encode(value.map(Usd::nanos))?.ok()
    }

    /// Reads nano-dollars back, or null.
    ///
    /// # Errors
    /// It is neither.
    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Option<Usd>, DecodeError> {
        Ok(d.decode::<Option<i64>>()?.map(Usd::from_nanos))
    }

    /// What an absent field stands for.
    #[must_use]
    pub fn nil() -> Option<Option<Usd>> {
        Some(None)
    }

    /// Whether the field may be left out.
    #[must_use]
    pub fn is_nil(value: &Option<Usd>) -> bool {
        value.is_none()
    }
}

/// Private text as a text string.
pub mod text {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};
    use crate::domain::private::Text;

    /// Writes the text.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, W: Write>(value: &Text, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.str(value.expose())?.ok()
    }

    /// Reads the text back.
    ///
    /// # Errors
    /// It is not text.
    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Text, DecodeError> {
        d.str().map(Text::from)
    }
}

/// Sixteen or thirty-two bytes: identifiers and digests.
pub mod bytes {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};
    use crate::domain::id::{AgentId, ErasureId, ExperimentId, TaskId};
    use crate::domain::name::Digest;

    /// A value that is an array of bytes.
    pub trait Fixed: Sized {
        /// Its bytes.
        fn bytes(&self) -> &[u8];
        /// The value of these bytes, if there are as many as it has.
        fn of(bytes: &[u8]) -> Option<Self>;
    }

    macro_rules! fixed {
        ($($type:ty),+) => {$(
            impl Fixed for $type {
                fn bytes(&self) -> &[u8] {
                    self.as_bytes()
                }
                fn of(bytes: &[u8]) -> Option<Self> {
                    bytes.try_into().ok().map(Self::from_bytes)
                }
            }
        )+};
    }
    fixed!(TaskId, AgentId, ErasureId, ExperimentId, Digest);

    /// Writes the bytes.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, T: Fixed, W: Write>(
        value: &T,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.bytes(value.bytes())?.ok()
    }

    /// Reads the bytes back.
    ///
    /// # Errors
    /// There are more or fewer than the type has.
    pub fn decode<'b, C, T: Fixed>(d: &mut Decoder<'b>, _: &mut C) -> Result<T, DecodeError> {
        T::of(d.bytes()?).ok_or_else(|| DecodeError::message("wrong number of bytes"))
    }
}

/// Tokens used, as an array of counts: four in records of the first version, five since; more are left aside, so that a record of
/// a later version reads too.
pub mod usage {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};
    use crate::domain::usage::{Tokens, Usage};

    /// The counts that every record has.
    const COUNTS_MIN: u64 = 4;

    /// Writes input, output, cached input, reasoning, written to the cache.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, W: Write>(value: &Usage, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        let counts = [
            value.input_tokens,
            value.output_tokens,
            value.cached_input_tokens,
            value.reasoning_tokens,
            value.cache_write_tokens,
        ];
        e.encode(counts.map(Tokens::count))?.ok()
    }

    /// Reads the counts back; one that the record does not have is zero.
    ///
    /// # Errors
    /// There are fewer than four, or they are no counts.
    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Usage, DecodeError> {
        let length = d.array()?.ok_or_else(|| DecodeError::message("usage of unknown length"))?;
        if length < COUNTS_MIN {
            return Err(DecodeError::message("usage of fewer than four counts"));
        }
        let mut counts = [0_u64; 5];
        for index in 0..length {
            let count = d.u64()?;
            if let Some(slot) = usize::try_from(index).ok().and_then(|index| counts.get_mut(index)) {
                *slot = count;
            }
        }
        let [input, output, cached, reasoning, written] = counts.map(Tokens::new);
        Ok(Usage {
            input_tokens: input,
            output_tokens: output,
            cached_input_tokens: cached,
            reasoning_tokens: reasoning,
            cache_write_tokens: written,
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn read(counts: &[u64]) -> Result<Usage, DecodeError> {
            let mut bytes = Vec::new();
            Encoder::new(&mut bytes).encode(counts).expect("encoded");
            decode(&mut Decoder::new(&bytes), &mut ())
        }

        #[test]
        fn usage_of_every_version_reads() {
            let tokens = Tokens::new;
            let first = Usage {
                input_tokens: tokens(9),
                output_tokens: tokens(8),
                cached_input_tokens: tokens(7),
                reasoning_tokens: tokens(6),
                cache_write_tokens: tokens(0),
            };
            assert_eq!(read(&[9, 8, 7, 6]).expect("the first version"), first);
            let now = Usage { cache_write_tokens: tokens(5), ..first };
            assert_eq!(read(&[9, 8, 7, 6, 5]).expect("this version"), now);
            assert_eq!(read(&[9, 8, 7, 6, 5, 4]).expect("a later version"), now);
            assert!(read(&[9, 8, 7]).is_err());
            let mut written = Vec::new();
            encode(&now, &mut Encoder::new(&mut written), &mut ()).expect("written");
            assert_eq!(decode(&mut Decoder::new(&written), &mut ()).expect("read back"), now);
        }
    }
}

/// A mark that is left out where it is not set, as in records of before there was one.
pub mod flag {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};

    /// Writes the mark.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, W: Write>(value: &bool, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.encode(value)?.ok()
    }

    /// Reads the mark back; null is none.
    ///
    /// # Errors
    /// It is neither.
    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<bool, DecodeError> {
        d.decode::<Option<bool>>().map(Option::unwrap_or_default)
    }

    /// What an absent mark stands for.
    #[must_use]
    pub fn nil() -> Option<bool> {
        Some(false)
    }

    /// Whether the mark may be left out.
    #[must_use]
    pub fn is_nil(value: &bool) -> bool {
        !value
    }
}

/// A list that is left out where it is empty, as in records of before there was one.
pub mod list {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Write};

    /// Writes the list.
    ///
    /// # Errors
    /// The writer fails.
    pub fn encode<C, T, W>(value: &Vec<T>, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>>
    where
        T: minicbor::Encode<C>,
        W: Write,
    {
        e.encode_with(value, ctx)?.ok()
    }

    /// Reads the list back; null is an empty one.
    ///
    /// # Errors
    /// It is no list of these.
    pub fn decode<'b, C, T>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Vec<T>, DecodeError>
    where
        T: minicbor::Decode<'b, C>,
    {
        d.decode_with::<C, Option<Vec<T>>>(ctx).map(Option::unwrap_or_default)
    }

    /// What an absent list stands for.
    #[must_use]
    pub fn nil<T>() -> Option<Vec<T>> {
        Some(Vec::new())
    }

    /// Whether the list may be left out.
    #[must_use]
    #[expect(clippy::ptr_arg, reason = "the signature that the derive calls")]
    pub fn is_nil<T>(value: &Vec<T>) -> bool {
        value.is_empty()
    }
}
