//! Experiments: assignment, halting, storage.
