//! Does the work that the control plane ordered.

/// Calls models: one adapter for each wire format, and one that answers from the input itself.
pub mod provider;
