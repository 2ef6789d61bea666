//! The rules, and the actor over a directory.

mod loading;
mod shipped;
