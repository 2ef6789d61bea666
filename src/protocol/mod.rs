//! The control API's wire types: `api` speaks them, `client` reads them. Shapes only; parsing into domain types happens at the edge.
//!
//! Requests refuse unknown fields; answers may gain fields, so readers ignore what they do not know. Money is a decimal string
//! in USD, times are RFC 3339 in UTC.

pub mod agent;
pub mod audit;
pub mod budget;
pub mod chaos;
pub mod dlp;
pub mod encryption;
pub mod erasure;
pub mod event;
pub mod experiment;
pub mod export;
pub mod page;
pub mod policy;
pub mod problem;
pub mod status;
pub mod task;
pub mod template;
pub mod tree;
