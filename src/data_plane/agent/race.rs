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
use tokio::sync::oneshot;

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
    let (hang_up_one, one_hung_up) = oneshot::channel::<()>();
    let mut one = Box::pin(first.answer(either(stop.clone(), one_hung_up), ears.0));
    tokio::select! {
        biased;
        heard = one.as_mut() => return Raced { heard, side: Side::First, other: Charge::None },
        _first = floor.taken() => return Raced { heard: one.await, side: Side::First, other: Charge::None },
        () = tokio::time::sleep(rival.after) => {}
    }
    let (hang_up_two, two_hung_up) = oneshot::channel::<()>();
    let mut two = Box::pin(second.answer(either(stop, two_hung_up), ears.1));
    let (heard, side) = tokio::select! {
        biased;
        side = floor.taken() => return match side {
            Side::First => {
                let other = leave(hang_up_two, two);
                Raced { heard: one.await, side, other }
            }
            Side::Rival => {
                let other = leave(hang_up_one, one);
                Raced { heard: two.await, side, other }
            }
        },
        heard = one.as_mut() => (heard, Side::First),
        heard = two.as_mut() => (heard, Side::Rival),
    };
    if heard.counts() {
        let other = match side {
            Side::First => leave(hang_up_two, two),
            Side::Rival => leave(hang_up_one, one),
        };
        return Raced { heard, side, other };
    }
    let other = match side {
        Side::First => two.await,
        Side::Rival => one.await,
    };
    match (other.counts(), side) {
        (true, _) | (false, Side::Rival) => Raced { other: charge(&heard), heard: other, side: side.opposite() },
        (false, Side::First) => Raced { other: charge(&other), heard, side },
    }
}

/// Ends with the task's wish to stop, or when this one is hung up on.
async fn either(stop: impl Future<Output = ()>, hung_up: oneshot::Receiver<()>) {
    tokio::select! {
        () = stop => {}
        _hung_up = hung_up => {}
    }
}

/// Hangs up; tells what may be billed all the same: nothing where the call had not left.
fn leave(hang_up: oneshot::Sender<()>, asked: impl Future<Output = Heard>) -> Charge {
    drop(hang_up);
    asked.now_or_never().map_or(Charge::Unknown, |heard| charge(&heard))
}

/// What a call that failed may cost.
fn charge(heard: &Heard) -> Charge {
    heard.result.as_ref().err().map_or(Charge::Unknown, |error| error.charge())
}
