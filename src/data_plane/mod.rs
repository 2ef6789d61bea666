//! Does the work that the control plane ordered.

/// Finds personal data and secrets in texts, and hides them.
pub mod dlp;
