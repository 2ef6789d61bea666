//! How failures are told: a stable code, a class that decides the HTTP status and the exit code, and whether trying again may help.

use std::fmt;
use std::time::Duration;

/// The closed list of what a failure can be to a caller. `api::error` alone maps it to a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request cannot be understood.
    Malformed,
    /// The caller is not known.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It contradicts what is already so.
    Conflict,
    /// It exceeds a limit on size.
    TooLarge,
    /// A rule says no.
    Refused,
    /// The budget does not allow it.
    Budget,
    /// Too much at once.
    Overload,
    /// A part that is needed is not there now.
    Unavailable,
    /// Something outside, such as a provider, failed.
    Upstream,
    /// Our bug, or the host's fault.
    Internal,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not without a change.
    Never,
    /// After so long.
    After(Duration),
}

/// What every public error answers. `Display` is the inward message; it may name files. [`Failure::detail`] is the outward one.
pub trait Failure: fmt::Display {
    /// The stable code, with a paragraph in `docs/errors.md`.
    fn code(&self) -> &'static str;
    /// What it is to the caller.
    fn class(&self) -> Class;
    /// Whether to try again.
    fn retry(&self) -> Retry {
        Retry::Never
    }
    /// What the caller is told: never a path, a stack trace or a secret.
    fn detail(&self) -> String;
}
