//! The same work on many things, on all cores: reading, verifying and judging templates costs processor time, not waiting.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Things that one thread takes at a time; fewer than two such portions are not worth a second thread.
const PORTION: usize = 16;
/// The most threads at one time.
const THREADS_MAX: usize = 64;

/// What a function makes of each thing, in their order, whatever thread it ran on. A panic goes on in the caller.
pub(super) fn map<T: Sync, R: Send>(things: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    Cores(thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS_MAX)).map(things, act)
}

/// The threads that work at one time.
#[derive(Debug, Clone, Copy)]
struct Cores(usize);

impl Cores {
    fn map<T: Sync, R: Send>(self, things: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let portions: Vec<&[T]> = things.chunks(PORTION).collect();
        let threads = self.0.min(portions.len());
        if threads <= 1 {
            return things.iter().map(act).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(portion) = portions.get(number) else { return done };
                done.push((number, portion.iter().map(&act).collect::<Vec<R>>()));
            }
        };
        let mut parts = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut parts = work();
            for other in others {
                parts.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            parts
        });
        parts.sort_unstable_by_key(|(number, _)| *number);
        parts.into_iter().flat_map(|(_, part)| part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_is_in_the_order_of_what_went_in() {
        for count in [0_usize, 1, 15, 16, 17, 1_000] {
            let things: Vec<usize> = (0..count).collect();
            for cores in [1, 2, 7] {
                let doubled = Cores(cores).map(&things, |thing| thing * 2);
                assert_eq!(doubled, things.iter().map(|thing| thing * 2).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_panic_is_not_swallowed() {
        let things: Vec<usize> = (0..100).collect();
        let caught = std::panic::catch_unwind(|| Cores(3).map(&things, |thing| assert_ne!(*thing, 77)));
        assert!(caught.is_err());
    }
}
