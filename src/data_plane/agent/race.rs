//! Two models asked at once: the second where the first lets wait, and whoever is heard first is listened to.
//!
//! ```text
//! first ──┬───────────────────── hung up on
//!         └ silent for `after`
//! rival      └────── a word, or the answer ──────> told
//! ```
//!
//! Who is hung up on may bill all the same: its worst case was reserved with the other's, and is paid.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;

use super::call::Prepared;
use super::ear::{Ear, Floor, Side};
use super::exchange::{Asking, Heard};
use crate::data_plane::provider::Charge;
use crate::domain::name::ModelRef;

/// A model that is asked as well where the first lets wait.
pub(super) struct Rival {
    pub(super) prepared: Prepared,
    pub(super) model: ModelRef,
    /// For so long the first is listened to alone.
    pub(super) after: Duration,
}

/// What a race came to.
pub(super) struct Raced {
    /// What the one said that counts.
    pub(super) heard: Heard,
    /// Which of the two that is.
    pub(super) side: Side,
    /// What the other may bill: nothing where it was not asked, or ran no model.
    pub(super) other: Charge,
}

/// Asks the first model, and the rival where nothing is heard of the first for a while. The first answer counts, in a stream the
/// first word; where both fail, the first model's failure.
pub(super) async fn race(
    first: Asking<'_>,
    rival: &Rival,
    stop: impl Future<Output = ()> + Send,
    floor: &Floor,
    ears: (Ear, Ear),
) -> Raced {
    let stop = stop.shared();
    let second = Asking { prepared: &rival.prepared, model: &rival.model, ..first };
    let mut one = Box::pin(first.answer(stop.clone(), ears.0));
    tokio::select! {
        biased;
        heard = one.as_mut() => return Raced { heard, side: Side::First, other: Charge::None },
        _first = floor.taken() => return Raced { heard: one.await, side: Side::First, other: Charge::None },
        () = tokio::time::sleep(rival.after) => {}
    }
    let mut two = Box::pin(second.answer(stop, ears.1));
    // Whoever is left out is dropped, which hangs up on its provider.
    let (heard, side) = tokio::select! {
        biased;
        side = floor.taken() => match side {
            Side::First => {
                drop(two);
                return Raced { heard: one.await, side, other: Charge::Unknown };
            }
            Side::Rival => {
                drop(one);
                return Raced { heard: two.await, side, other: Charge::Unknown };
            }
        },
        heard = one.as_mut() => (heard, Side::First),
        heard = two.as_mut() => (heard, Side::Rival),
    };
    if heard.result.is_ok() {
        return Raced { heard, side, other: Charge::Unknown };
    }
    let other = match side {
        Side::First => two.await,
        Side::Rival => one.await,
    };
    match (other.result.is_ok() || other.ear.heard_words(), side) {
        (true, _) | (false, Side::Rival) => Raced { other: charge(&heard), heard: other, side: side.opposite() },
        (false, Side::First) => Raced { other: charge(&other), heard, side },
    }
}

/// What a call that failed may cost.
fn charge(heard: &Heard) -> Charge {
    heard.result.as_ref().err().map_or(Charge::Unknown, |error| error.charge())
}
