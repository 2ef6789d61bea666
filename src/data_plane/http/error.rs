//! How an exchange fails, by what was sent.

/// An exchange without an answer. No variant holds a key or anything of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The key that the settings name cannot be used; nothing was sent.
    #[error("{0}")]
    MissingKey(String),
    /// There is no way there; nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before the answer did.
    #[error("{0}")]
    Cut(String),
    /// Nothing more of the answer came for too long.
    #[error("no more of the answer in time")]
    Quiet,
    /// The answer is larger than the caller reads.
    #[error("a body over the limit")]
    TooLarge,
}
