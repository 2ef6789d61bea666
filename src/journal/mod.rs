//! Records, replay, projections: the durable story of every task and agent.

pub mod events;
