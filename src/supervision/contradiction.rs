//! Which specs contradict themselves. Pure; asked before anything of a spec is started, so that a refusal changes nothing.
//!
//! What OTP refuses is refused here, and what it allows is allowed, also what its documentation advises against: a worker that
//! is given all the time it wants to stop, a supervisor that is killed at once. Beyond OTP, an intensity has an upper bound: one
//! that is never exceeded is a plan to restart for ever.

use std::collections::HashSet;
use std::time::Duration;

use super::{AutoShutdown, Backoff, ChildId, ChildSpec, Intensity, Restart, Shutdown, Strategy, SupervisorSpec};

/// The most restarts in a period that a spec may bear. No supervisor makes as many by accident in a period that matters, and the
/// times of those of the last period are kept: 1.6 MB at the most.
pub const INTENSITY_RESTARTS_MAX: u32 = 100_000;

/// How a spec contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The period of an intensity is zero: no two restarts are ever within it.
    #[error("period_zero: an intensity of {restarts} restarts has a period of zero")]
    PeriodZero {
        /// The restarts it would bear.
        restarts: u32,
    },
    /// More restarts are borne than [`INTENSITY_RESTARTS_MAX`].
    #[error("intensity_endless: {restarts} restarts in a period are never exceeded; at most {INTENSITY_RESTARTS_MAX}")]
    IntensityEndless {
        /// The restarts it would bear.
        restarts: u32,
    },
    /// The first delay is longer than the longest.
    #[error("backoff_inverted: the initial delay {:?} is longer than the longest, {:?}", .0.initial, .0.max)]
    BackoffInverted(Backoff),
    /// A stop is given no time, which is neither asking nor killing.
    #[error("shutdown_zero: a time-out of zero leaves no time to stop; use brutal")]
    ShutdownZero,
    /// Whatever takes any time would be stuck.
    #[error("stuck_zero: a child that is stuck after no time at all always is")]
    StuckZero,
    /// A permanent child is always restarted, so that its end never is one.
    #[error("significant_permanent: a permanent child cannot be significant: it never ends for good")]
    SignificantPermanent,
    /// A significant child's end means nothing to a supervisor that never shuts itself down.
    #[error("significant_never: a child is significant to a supervisor whose auto_shutdown is never")]
    SignificantNever,
    /// Children share their supervisor's intensity, but for dynamic ones and those that are quarantined alone.
    #[error("intensity_shared: under {} a child has no intensity of its own", .0.as_str())]
    IntensityShared(Strategy),
    /// A child of a group cannot stay down alone.
    #[error("quarantine_in_group: under {} a child shares its siblings' fate and cannot be quarantined alone", .0.as_str())]
    QuarantineInGroup(Strategy),
    /// Nothing says when to quarantine it.
    #[error("quarantine_without_intensity: a child that is to be quarantined needs an intensity of its own")]
    QuarantineWithoutIntensity,
    /// A temporary child is never restarted, and so never too often.
    #[error("quarantine_temporary: a temporary child is never restarted and cannot be quarantined")]
    QuarantineTemporary,
    /// Two of the first children have the same id.
    #[error("child_twice: two of the first children are called {0}")]
    ChildTwice(ChildId),
    /// There are more first children than there may be children.
    #[error("children_too_many: {children} first children where at most {limit} are allowed")]
    ChildrenTooMany {
        /// The first children.
        children: usize,
        /// How many there may be.
        limit: usize,
    },
}

impl Intensity {
    /// Whether it makes sense. Zero restarts do: the first failure is then one too many.
    ///
    /// # Errors
    /// Its period is zero, or it is never exceeded.
    pub fn check(self) -> Result<(), SpecError> {
        let Self { restarts, period } = self;
        if period.is_zero() {
            return Err(SpecError::PeriodZero { restarts });
        }
        if restarts > INTENSITY_RESTARTS_MAX {
            return Err(SpecError::IntensityEndless { restarts });
        }
        Ok(())
    }
}

impl Backoff {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// Its first delay is longer than its longest.
    pub fn check(self) -> Result<(), SpecError> {
        if self.initial > self.max { Err(SpecError::BackoffInverted(self)) } else { Ok(()) }
    }
}

/// What a supervisor's spec says that its children's specs must agree with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) strategy: Strategy,
    pub(super) auto_shutdown: AutoShutdown,
}

impl Terms {
    /// Whether a child of this spec can be supervised on these terms.
    pub(super) fn check(self, child: &ChildSpec) -> Result<(), SpecError> {
        child.backoff.check()?;
        if child.shutdown == Shutdown::Timeout(Duration::ZERO) {
            return Err(SpecError::ShutdownZero);
        }
        if child.stuck.is_some_and(|rule| rule.limit.is_zero()) {
            return Err(SpecError::StuckZero);
        }
        self.check_significance(child)?;
        self.check_intensity(child)
    }

    fn check_significance(self, child: &ChildSpec) -> Result<(), SpecError> {
        match (child.significant, child.restart, self.auto_shutdown) {
            (false, _, _) => Ok(()),
            (true, _, AutoShutdown::Never) => Err(SpecError::SignificantNever),
            (true, Restart::Permanent, _) => Err(SpecError::SignificantPermanent),
            (true, Restart::Transient | Restart::Temporary, _) => Ok(()),
        }
    }

    fn check_intensity(self, child: &ChildSpec) -> Result<(), SpecError> {
        if let Some(intensity) = child.intensity {
            intensity.check()?;
        }
        match (self.strategy, child.quarantine, child.intensity) {
            (Strategy::OneForAll | Strategy::RestForOne, true, _) => Err(SpecError::QuarantineInGroup(self.strategy)),
            (_, true, _) if child.restart == Restart::Temporary => Err(SpecError::QuarantineTemporary),
            (_, true, None) => Err(SpecError::QuarantineWithoutIntensity),
            (Strategy::OneForOne | Strategy::OneForAll | Strategy::RestForOne, false, Some(_)) => {
                Err(SpecError::IntensityShared(self.strategy))
            }
            (_, false, None) | (Strategy::Dynamic, _, Some(_)) | (Strategy::OneForOne, true, Some(_)) => Ok(()),
        }
    }
}

impl SupervisorSpec {
    pub(super) fn terms(&self) -> Terms {
        Terms { strategy: self.strategy, auto_shutdown: self.auto_shutdown }
    }

    /// Whether a supervisor can be started by this spec.
    ///
    /// # Errors
    /// How it, or one of its first children, contradicts itself.
    pub fn check(&self) -> Result<(), SpecError> {
        self.intensity.check()?;
        if self.children.len() > self.children_max {
            return Err(SpecError::ChildrenTooMany { children: self.children.len(), limit: self.children_max });
        }
        let (terms, mut ids) = (self.terms(), HashSet::with_capacity(self.children.len()));
        for child in &self.children {
            if !ids.insert(&child.id) {
                return Err(SpecError::ChildTwice(child.id.clone()));
            }
            terms.check(child)?;
        }
        Ok(())
    }
}
