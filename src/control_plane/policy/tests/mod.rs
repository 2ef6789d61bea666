//! The rules, and the actor over a directory.

mod acting;
mod loading;
mod shipped;
