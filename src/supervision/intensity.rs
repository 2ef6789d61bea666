//! Restart intensity: how many restarts within how long are borne.

use std::collections::VecDeque;
use std::time::Duration;

/// How many restarts within how long are borne before the supervisor gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// The most restarts in a period; zero bears none.
    pub restarts: u32,
    /// The period.
    pub period: Duration,
}

impl Default for Intensity {
    /// Ten restarts in ten seconds.
    fn default() -> Self {
        Self { restarts: 10, period: Duration::from_secs(10) }
    }
}

/// The restarts of the last period. Never holds more than the intensity bears, and the one beyond it.
#[derive(Debug, Clone, Default)]
pub(super) struct Window(VecDeque<Duration>);

impl Window {
    /// Counts a restart at `now`, the time since some fixed instant. Answers whether it is borne.
    pub(super) fn bears(&mut self, intensity: Intensity, now: Duration) -> bool {
        while self.0.front().is_some_and(|&then| now.saturating_sub(then) > intensity.period) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.is_borne(intensity)
    }

    /// Counts restarts that were before, in any order. Returns nothing: what they exceed shows at the next one.
    pub(super) fn recall(&mut self, intensity: Intensity, then: impl Iterator<Item = Duration>) {
        let most = usize::try_from(intensity.restarts).unwrap_or(usize::MAX);
        let mut times: Vec<Duration> = self.0.iter().copied().chain(then).collect();
        times.sort_unstable();
        self.0 = times.into_iter().rev().take(most).rev().collect();
    }

    fn is_borne(&self, intensity: Intensity) -> bool {
        self.0.len() <= usize::try_from(intensity.restarts).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_restart_leaves_the_window_only_after_a_whole_period() {
        let intensity = Intensity { restarts: 1, period: Duration::from_secs(5) };
        let table = [(0, true), (5, false), (11, true), (16, false), (22, true)];
        let mut window = Window::default();
        for (second, borne) in table {
            assert_eq!(window.bears(intensity, Duration::from_secs(second)), borne, "at {second} s");
        }
    }

    #[test]
    fn an_intensity_of_zero_bears_no_restart() {
        let intensity = Intensity { restarts: 0, period: Duration::from_secs(5) };
        assert!(!Window::default().bears(intensity, Duration::ZERO));
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_counting_over_the_whole_history(
            gaps in prop::collection::vec(0_u64..4_000, 1..60),
            restarts in 0_u32..6,
            period in 1_u64..6_000,
        ) {
            let intensity = Intensity { restarts, period: Duration::from_millis(period) };
            let (mut window, mut history, mut now) = (Window::default(), Vec::new(), 0);
            for gap in gaps {
                now += gap;
                history.push(now);
                let recent = history.iter().filter(|&&then| now - then <= period).count();
                prop_assert_eq!(window.bears(intensity, Duration::from_millis(now)), recent <= restarts as usize);
            }
        }
    }
}
