//! Does the work that the control plane ordered.
