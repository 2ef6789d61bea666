//! Dictionaries: what most templates have in common, so that only the rest of each is kept.
//!
//! One is shipped. Once a host has templates enough, one is trained on them; it tells itself apart by zstd's dictionary id,
//! is stored before anything that was compressed with it, and is kept as long as the daemon has a store: what was published
//! is never rewritten.

use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, OnceLock};

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe;

use crate::control_plane::template::TEMPLATE_BYTES_MAX;

/// The largest dictionary that is trained, in bytes. A larger one makes templates smaller still (`cargo bench --bench
/// template_storage` tells by how much), but hardly by its own size, and each look that publishes something digests the whole
/// of it: some 3 ms.
pub const DICTIONARY_BYTES_MAX: usize = 256 * 1024;
/// The smallest; below it zstd's trainer has nothing to choose from.
const DICTIONARY_BYTES_MIN: usize = 8 * 1024;
/// How much smaller than its samples a dictionary is, at least: its own bytes are storage too.
const SAMPLE_PER_DICTIONARY_BYTE: usize = 16;
/// The samples that a dictionary is trained on, in bytes: `SAMPLE_PER_DICTIONARY_BYTE` times the largest dictionary. zstd's
/// manual wants a hundred times; that would be trained in six times the time.
pub const SAMPLE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The largest single sample, so that one giant does not make out the whole dictionary.
pub(super) const SAMPLE_EACH_BYTES_MAX: usize = 16 * 1024;
/// How hard is pressed: see `docs/performance.md` for what the other levels cost and save.
const LEVEL: i32 = 9;

const SHIPPED: &[u8] = include_bytes!("shipped.dict");
static SHIPPED_ONE: LazyLock<Arc<Dictionary>> = LazyLock::new(|| Arc::new(Dictionary::of(SHIPPED.to_vec())));

/// A zstd dictionary.
pub struct Dictionary {
    id: u32,
    bytes: Vec<u8>,
    /// Digested at the first use.
    decoder: OnceLock<DecoderDictionary<'static>>,
}

impl fmt::Debug for Dictionary {
    /// Leaves out the content, which holds pieces of prompts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dictionary {} of {} bytes", self.id, self.bytes.len())
    }
}

impl Dictionary {
    /// The one that comes with the daemon.
    #[must_use]
    pub fn shipped() -> Arc<Self> {
        SHIPPED_ONE.clone()
    }

    fn of(bytes: Vec<u8>) -> Self {
        let id = zstd_safe::get_dict_id(&bytes).map_or(0, std::num::NonZeroU32::get);
        Self { id, bytes, decoder: OnceLock::new() }
    }

    /// A dictionary from its bytes.
    ///
    /// # Errors
    /// They are none.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let read = Self::of(bytes);
        if read.id == 0 { Err("not a zstd dictionary".to_owned()) } else { Ok(read) }
    }

    /// Trains one on samples, of which as many are taken, evenly spread, as [`SAMPLE_BYTES_MAX`] allows.
    ///
    /// # Errors
    /// There are too few samples, or they have too little in common.
    pub fn train(samples: &[&[u8]]) -> Result<Self, String> {
        Self::train_within(samples, SAMPLE_BYTES_MAX, DICTIONARY_BYTES_MAX)
    }

    /// As [`Self::train`], within other limits.
    ///
    /// # Errors
    /// There are too few samples, or they have too little in common.
    pub fn train_within(samples: &[&[u8]], sample_max: usize, dictionary_max: usize) -> Result<Self, String> {
        let (data, sizes) = sample(samples, sample_max.max(1));
        let size = (data.len() / SAMPLE_PER_DICTIONARY_BYTE).max(DICTIONARY_BYTES_MIN).min(dictionary_max);
        let bytes = zstd::dict::from_continuous(&data, &sizes, size).map_err(|fault| fault.to_string())?;
        Self::read(bytes)
    }

    /// What tells it from others: zstd writes it into each frame.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gets ready to compress. Costs about a millisecond and some hundred kilobytes, so that one serves a whole look.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn press(self: &Arc<Self>) -> Result<Press, String> {
        self.press_at(LEVEL)
    }

    /// As [`Self::press`], at another level.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn press_at(self: &Arc<Self>, level: i32) -> Result<Press, String> {
        let told = |fault: io::Error| format!("cannot compress: {fault}");
        let prepared = EncoderDictionary::try_copy(&self.bytes, level).map_err(told)?;
        Ok(Press { dictionary: self.clone(), prepared })
    }

    /// What a frame holds.
    ///
    /// # Errors
    /// It is damaged, was made with another dictionary, or holds more than a template may.
    pub fn unpack(&self, frame: &[u8]) -> Result<Vec<u8>, String> {
        let told = |fault: io::Error| format!("cannot be decompressed: {fault}");
        if frame_dictionary(frame) != Some(self.id) {
            return Err(format!("is not compressed with the dictionary {}", self.id));
        }
        let size = Decompressor::upper_bound(frame).ok_or("does not tell its size")?;
        if size > UNPACKED_BYTES_MAX {
            return Err(format!("holds {size} bytes; at most {UNPACKED_BYTES_MAX} are read"));
        }
        let decoder = match self.decoder.get() {
            Some(decoder) => decoder,
            None => {
                let made = DecoderDictionary::try_copy(&self.bytes).map_err(told)?;
                self.decoder.get_or_init(|| made)
            }
        };
        Decompressor::with_prepared_dictionary(decoder).and_then(|mut one| one.decompress(frame, size)).map_err(told)
    }
}

/// The most bytes that are unpacked: a template, or the files that it was made from.
const UNPACKED_BYTES_MAX: usize = TEMPLATE_BYTES_MAX;

/// The dictionary that a frame was made with.
#[must_use]
pub(super) fn frame_dictionary(frame: &[u8]) -> Option<u32> {
    zstd_safe::get_dict_id_from_frame(frame).map(std::num::NonZeroU32::get)
}

/// A dictionary that is ready to compress; see [`Dictionary::press`].
pub struct Press {
    dictionary: Arc<Dictionary>,
    prepared: EncoderDictionary<'static>,
}

impl fmt::Debug for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "press with {:?}", self.dictionary)
    }
}

impl Press {
    /// Compresses one after another with the same memory.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn begin(&self) -> Result<Pressing<'_>, String> {
        let compressor = Compressor::with_prepared_dictionary(&self.prepared);
        Ok(Pressing { compressor: compressor.map_err(|fault| format!("cannot compress: {fault}"))? })
    }

    /// The dictionary.
    #[must_use]
    pub fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }
}

/// A thread's own memory for compressing.
pub struct Pressing<'a> {
    compressor: Compressor<'a>,
}

impl fmt::Debug for Pressing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pressing")
    }
}

impl Pressing<'_> {
    /// One frame that holds the bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.compressor.compress(bytes).map_err(|fault| format!("cannot compress: {fault}"))
    }
}

/// Samples, evenly spread, up to the limits, one behind the other with their sizes.
fn sample(samples: &[&[u8]], sample_max: usize) -> (Vec<u8>, Vec<usize>) {
    let samples: Vec<&[u8]> =
        samples.iter().map(|sample| sample.get(..SAMPLE_EACH_BYTES_MAX).unwrap_or(sample)).collect();
    let all: usize = samples.iter().map(|sample| sample.len()).fold(0, usize::saturating_add);
    let (mut data, mut sizes) = (Vec::new(), Vec::new());
    let mut passed = 0_usize;
    for sample in samples.into_iter().filter(|sample| !sample.is_empty()) {
        passed = passed.saturating_add(sample.len());
        // As much of the limit as of all samples is behind: so those that are taken are spread evenly.
        let due = if all <= sample_max { passed } else { share(sample_max, passed, all) };
        if data.len().saturating_add(sample.len()) <= due {
            data.extend(sample);
            sizes.push(sample.len());
        }
    }
    (data, sizes)
}

/// `whole` times `part` of `all`.
fn share(whole: usize, part: usize, all: usize) -> usize {
    let wide = |size: usize| u128::try_from(size).unwrap_or(u128::MAX);
    let share = wide(whole).saturating_mul(wide(part)).checked_div(wide(all)).unwrap_or(0);
    usize::try_from(share).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn samples_are_spread_evenly_and_keep_within_their_limit(
            lengths in prop::collection::vec(0_usize..200, 0..200),
            limit in 1_usize..8_000,
        ) {
            let samples: Vec<Vec<u8>> = lengths.iter().map(|length| vec![7; *length]).collect();
            let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
            let all: usize = lengths.iter().sum();
            let (data, sizes) = sample(&samples, limit);
            prop_assert!(data.len() <= limit.min(all));
            prop_assert_eq!(sizes.iter().sum::<usize>(), data.len());
            // No sample is larger than 200 bytes, so that no more of the limit than that is left unused.
            prop_assert!(data.len() + 200 > limit.min(all), "{} of {all}, at most {limit}", data.len());
        }
    }

    #[test]
    fn the_largest_dictionary_is_trained_on_the_most_samples() {
        assert_eq!(SAMPLE_BYTES_MAX, SAMPLE_PER_DICTIONARY_BYTE * DICTIONARY_BYTES_MAX);
    }
}
