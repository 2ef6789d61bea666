//! How many tokens a task may still use, and how many of them a call. Pure.
//!
//! INVARIANT I99: what a call is counted to read, and the longest answer that it asks for, fit what its task has left.
//!
//! What counts as used is what the finished calls used, and what arrived of those that broke off. Nobody tells the tokens of a
//! call that gave nothing, nor of one that was not listened to: money bounds those.

use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::usage::{Tokens, Usage};
use crate::journal::order::Order;
use crate::journal::state::Task;

/// The tokens of a task that has a limit on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    used: Tokens,
    max: Tokens,
}

/// A call that the tokens of its task do not suffice for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// None are left.
    #[error("the task used {used} tokens before it was done, and its template gives it {max}")]
    UsedUp {
        /// What it used.
        used: Tokens,
        /// What it may use.
        max: Tokens,
    },
    /// The input alone takes all that is left.
    #[error("the next call may read {input} tokens, and of {max} the task has used {used}")]
    NoRoom {
        /// What the call reads, as it may count at worst.
        input: Tokens,
        /// What the task used.
        used: Tokens,
        /// What it may use.
        max: Tokens,
    },
}

impl Allowance {
    /// What a task may use; none where it has no limit.
    #[must_use]
    pub fn of(task: &Task) -> Option<Self> {
        let Usage { input_tokens, output_tokens, .. } = task.totals.usage;
        Self::whole(&task.order).map(|whole| whole.beside(input_tokens.plus(output_tokens)))
    }

    /// What a task may use that has not begun.
    #[must_use]
    pub fn whole(order: &Order) -> Option<Self> {
        order.tokens_max.map(|max| Self { used: Tokens::default(), max: Tokens::new(max) })
    }

    /// Why no call may follow, where none may.
    #[must_use]
    pub fn used_up(self) -> Option<Exceeded> {
        let Self { used, max } = self;
        (used >= max).then_some(Exceeded::UsedUp { used, max })
    }

    /// What is left beside something that may use so many.
    #[must_use]
    pub fn beside(self, tokens: Tokens) -> Self {
        Self { used: self.used.plus(tokens), ..self }
    }

    /// The longest answer that a call may ask for which reads so much and wants one of at most `wanted` tokens.
    ///
    /// # Errors
    /// There is no room for a single token of an answer.
    pub fn answer_max(self, input: Tokens, wanted: u32) -> Result<u32, Exceeded> {
        let Self { used, max } = self;
        match max.minus(used).minus(input).count() {
            0 => Err(Exceeded::NoRoom { input, used, max }),
            left => Ok(u32::try_from(left).unwrap_or(u32::MAX).min(wanted)),
        }
    }
}

impl Failure for Exceeded {
    fn code(&self) -> &'static str {
        "task_tokens_exceeded"
    }

    fn class(&self) -> Class {
        Class::Budget
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn detail(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowance(used: u64, max: u64) -> Allowance {
        Allowance { used: Tokens::new(used), max: Tokens::new(max) }
    }

    #[test]
    fn an_answer_is_as_long_as_is_wanted_or_as_is_left() {
        for (used, max, input, wanted, answer) in [
            (0, 100, 10, 50, Some(50)),
            (0, 100, 50, 50, Some(50)),
            (0, 100, 51, 50, Some(49)),
            (40, 100, 50, 50, Some(10)),
            (40, 100, 59, 50, Some(1)),
            (40, 100, 60, 50, None),
            (100, 100, 0, 50, None),
            (u64::MAX, 100, u64::MAX, 50, None),
            (0, u64::MAX, 1, u32::MAX, Some(u32::MAX)),
        ] {
            let told = allowance(used, max).answer_max(Tokens::new(input), wanted);
            assert_eq!(told.ok(), answer, "{used} of {max} used, {input} to read, {wanted} wanted");
        }
    }

    proptest! {
        /// INVARIANT I99: no call fits that could pass the limit, and none is refused for which there is room.
        #[test]
        fn no_call_that_is_let_through_passes_the_limit(used: u32, max: u32, input: u32, wanted in 1..=u32::MAX) {
            let (read, free) = (u64::from(input), u64::from(max).saturating_sub(u64::from(used)));
            let allowed = allowance(used.into(), max.into());
            match allowed.answer_max(Tokens::new(read), wanted) {
                Ok(answer) => {
                    prop_assert!((1..=wanted).contains(&answer) && read + u64::from(answer) <= free);
                    prop_assert!(answer == wanted || read + u64::from(answer) == free, "no shorter than it must be");
                    prop_assert_eq!(allowed.used_up(), None);
                }
                Err(_) => prop_assert!(read >= free),
            }
        }
    }
}
