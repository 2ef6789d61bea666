//! Texts that broke a worker, so that no other worker is given them.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::domain::private::Text;

/// The most texts that are remembered. Beyond that the one is forgotten that was not seen for longest; given again, it breaks
/// one worker again.
const TEXTS_MAX: usize = 1_024;

/// A digest of a text under a key that is this process's own, with the text's length: whoever does not know the key cannot
/// make another text that counts as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    digest: u64,
    length: usize,
}

/// The texts, by their marks; the texts themselves are not kept.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    key: RandomState,
    /// The latest last.
    marks: Mutex<VecDeque<Mark>>,
    /// What had ended all its workers once: they may have been killed by something else. The latest last.
    suspects: Mutex<VecDeque<Mark>>,
    /// How many there are, so that nothing is computed while there are none.
    count: AtomicUsize,
}

impl Quarantine {
    /// Whether one of the texts, or all of them together, broke a worker before.
    pub(super) fn holds(&self, texts: &[Text]) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let given: Vec<Mark> = texts.iter().map(|text| self.mark(text)).chain([self.mark_of_all(texts)]).collect();
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = marks.iter().position(|mark| given.contains(mark)) else { return false };
        let seen = marks.remove(place);
        marks.extend(seen);
        true
    }

    /// Keeps one text from all workers.
    pub(super) fn add(&self, text: &Text) {
        self.remember(self.mark(text));
    }

    /// Takes down that texts ended all the workers that they were given to; says whether it was so before. Then they are kept from
    /// all workers when they come together: which of them does it is not known, and each may be a part of what others send.
    pub(super) fn suspect_together(&self, texts: &[Text]) -> bool {
        let mark = self.mark_of_all(texts);
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = suspects.iter().position(|suspect| *suspect == mark) {
            suspects.remove(place);
            drop(suspects);
            self.remember(mark);
            return true;
        }
        if suspects.len() >= TEXTS_MAX {
            suspects.pop_front();
        }
        suspects.push_back(mark);
        false
    }

    fn remember(&self, mark: Mark) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.contains(&mark) {
            return;
        }
        if marks.len() >= TEXTS_MAX {
            marks.pop_front();
        }
        marks.push_back(mark);
        self.count.store(marks.len(), Ordering::Release);
    }

    fn mark(&self, text: &Text) -> Mark {
        Mark { digest: self.key.hash_one(text.expose()), length: text.len() }
    }

    fn mark_of_all(&self, texts: &[Text]) -> Mark {
        let exposed: Vec<&str> = texts.iter().map(Text::expose).collect();
        let length = texts.iter().map(Text::len).fold(0, usize::saturating_add);
        Mark { digest: self.key.hash_one(exposed), length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_held_alone_and_among_others() {
        let quarantine = Quarantine::default();
        let (bad, good) = (Text::from("bad"), Text::from("good"));
        assert!(!quarantine.holds(std::slice::from_ref(&bad)));
        quarantine.add(&bad);
        assert!(quarantine.holds(&[good.clone(), bad.clone()]) && !quarantine.holds(&[good]));
    }

    #[test]
    fn texts_that_ended_their_workers_twice_are_held_together_only() {
        let quarantine = Quarantine::default();
        let (one, other) = (Text::from("one"), Text::from("other"));
        assert!(!quarantine.suspect_together(&[one.clone(), other.clone()]));
        assert!(!quarantine.holds(&[one.clone(), other.clone()]));
        assert!(quarantine.suspect_together(&[one.clone(), other.clone()]));
        assert!(quarantine.holds(&[one.clone(), other.clone()]));
        assert!(!quarantine.holds(&[one]) && !quarantine.holds(&[other]));
    }

    #[test]
    fn the_one_not_seen_for_longest_is_forgotten() {
        let quarantine = Quarantine::default();
        let text = |number: usize| Text::from(format!("text {number}"));
        (0..TEXTS_MAX).for_each(|number| quarantine.add(&text(number)));
        assert!(quarantine.holds(&[text(0)]));
        quarantine.add(&text(TEXTS_MAX));
        assert!(quarantine.holds(&[text(0)]) && quarantine.holds(&[text(TEXTS_MAX)]) && !quarantine.holds(&[text(1)]));
    }
}
