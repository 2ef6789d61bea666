//! Scenarios over real actors, and tables over the pure decisions.

mod calls;
mod decisions;
mod memory;
mod model;
mod restarts;
mod shutdown;
mod specs;
mod stage;
