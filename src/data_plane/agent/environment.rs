//! What every agent works with.

use std::sync::Arc;

use super::cache::ResultCache;
use super::first::FirstCalls;
use super::floor::HostFloor;
use super::live::Live;
use crate::control_plane::admission::Admission;
use crate::control_plane::budget::Budget;
use crate::control_plane::budget::price::PriceList;
use crate::data_plane::dlp::Dlp;
use crate::data_plane::provider::Providers;
use crate::data_plane::tool::Tools;
use crate::domain::clock::Timestamp;
use crate::journal::Journal;

/// The rooms that an agent calls on. One for the whole process; cloning shares it.
#[derive(Clone)]
pub struct Environment(Arc<Rooms>);

/// See [`Environment`].
pub struct Rooms {
    /// Where everything is written down.
    pub journal: Journal,
    /// Turns stored orders back into work orders.
    pub admission: Admission,
    /// Money.
    pub budget: Budget,
    /// Prices.
    pub prices: PriceList,
    /// The filter in front of every provider.
    pub dlp: Dlp,
    /// What the host lets templates ask of the filter.
    pub floor: HostFloor,
    /// Models.
    pub providers: Providers,
    /// Tools.
    pub tools: Tools,
    /// First calls on their way from submissions to agents.
    pub first: FirstCalls,
    /// Answers while they are written.
    pub live: Live,
    /// Answers that were given before.
    pub results: ResultCache,
    /// When the daemon started: a step that started before was cut off by its predecessor's end, not by an agent's.
    pub started_at: Timestamp,
}

impl Environment {
    /// The environment of a process.
    #[must_use]
    pub fn new(rooms: Rooms) -> Self {
        Self(Arc::new(rooms))
    }
}

impl std::ops::Deref for Environment {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.0
    }
}
