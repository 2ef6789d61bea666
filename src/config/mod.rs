//! Files, environment and flags -> validated [`settings::Settings`].

pub mod settings;
