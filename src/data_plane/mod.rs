//! Does the work that the control plane ordered.

// One agent: its lifecycle, its tasks, its memory, its actor.
pub mod agent;
// Finds personal data and secrets in texts, and hides them.
pub mod dlp;
// Erases what belongs to somebody, and signs that it is gone.
pub mod erasure;
// Creates, finds, activates and passivates agents.
pub mod factory;
// Tells tools when tasks start and end.
pub mod hook;
// HTTP to what the settings name: one endpoint, its key.
pub(crate) mod http;
// Brings tasks to whoever does them, and runs plans over several workers.
pub mod orchestrator;
// Calls models: one adapter for each wire format, and one that answers from the input itself.
pub mod provider;
// Calls tools: HTTP endpoints that the settings declare.
pub mod tool;
