//! Who waits for a free slot, in order of arrival.

use std::collections::VecDeque;
use std::time::Instant;

/// The most calls that may wait at one provider; one more is refused.
pub(super) const WAITING_MAX: usize = 1024;

/// The calls that wait. Those whose time has passed give way to those that still have some.
pub(super) struct Line<T> {
    waiting: VecDeque<(Instant, T)>,
    most: usize,
}

impl<T> Line<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: VecDeque::new(), most }
    }

    /// Puts a call at the end, or gives it back when the line is full of calls that still have time.
    pub(super) fn push(&mut self, call: T, deadline: Instant, now: Instant) -> Result<(), T> {
        if self.waiting.len() >= self.most {
            self.waiting.retain(|(deadline, _)| *deadline > now);
        }
        if self.waiting.len() >= self.most {
            return Err(call);
        }
        self.waiting.push_back((deadline, call));
        Ok(())
    }

    /// Whether a call waits that still has time. Late ones at the front are let go.
    pub(super) fn has_waiting(&mut self, now: Instant) -> bool {
        while self.waiting.pop_front_if(|(deadline, _)| *deadline <= now).is_some() {}
        !self.waiting.is_empty()
    }

    /// Takes out the first call that still has time.
    pub(super) fn next(&mut self, now: Instant) -> Option<T> {
        while let Some((deadline, call)) = self.waiting.pop_front() {
            if deadline > now {
                return Some(call);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn calls_are_served_in_order_and_late_ones_are_passed_over() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut line = Line::new(3);
        assert_eq!(line.push("late", at(1), now), Ok(()));
        assert_eq!(line.push("first", at(9), now), Ok(()));
        assert_eq!(line.push("second", at(9), now), Ok(()));
        assert_eq!(line.push("too many", at(9), now), Err("too many"));
        assert_eq!(line.push("in the late one's place", at(9), at(1)), Ok(()));
        assert!(line.has_waiting(at(2)));
        assert_eq!(line.next(at(2)), Some("first"));
        assert!(line.has_waiting(at(2)) && !line.has_waiting(at(10)));
        assert_eq!(line.next(at(10)), None);
    }

    proptest! {
        /// INVARIANT P5: the line is never longer than its limit, and gives out every call once, in order.
        #[test]
        fn the_line_is_bounded_and_fair(steps in proptest::collection::vec(any::<bool>(), 0..200)) {
            let now = Instant::now();
            let later = now + Duration::from_secs(1);
            let (mut line, mut model) = (Line::new(4), VecDeque::new());
            for (number, push) in steps.into_iter().enumerate() {
                if push {
                    let taken = line.push(number, later, now).is_ok();
                    prop_assert_eq!(taken, model.len() < 4);
                    if taken {
                        model.push_back(number);
                    }
                } else {
                    prop_assert_eq!(line.next(now), model.pop_front());
                }
            }
        }
    }
}
