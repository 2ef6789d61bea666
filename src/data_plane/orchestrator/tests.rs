//! The decision table of plans.
