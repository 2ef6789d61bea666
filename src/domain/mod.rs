//! Shared vocabulary: identifiers, names, money, time, failures. Depends on nothing.
//!
//! Every type here is a value with private fields, made by parsing at the edge and trusted afterwards. None derives serde:
//! wire shapes live in `protocol`, stored shapes beside the records that hold them.

pub mod budget;
pub mod certificate;
pub mod clock;
pub mod entity;
pub mod failure;
pub mod hook;
pub mod id;
pub mod model;
pub mod money;
pub mod name;
pub mod owner;
pub mod private;
pub mod protection;
pub mod usage;
