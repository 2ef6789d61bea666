//! The room as a whole: real signatures, the pure decisions, and the actor over a real directory and store.

mod cached;
mod catalog;
mod compressed;
mod going_back;
mod mutations;
mod outlived;
mod publishing;
mod replayed;
mod rig;
mod shipped;
mod signatures;
mod stored;
mod trust;
mod trusted_times;
mod versions;
