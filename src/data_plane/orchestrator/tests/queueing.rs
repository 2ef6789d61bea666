//! Places in the queues for tools' slots.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::config::settings::{KeySource, Tool, ToolUrl};
use crate::data_plane::orchestrator::calling::Calls;
use crate::data_plane::tool::Tools;
use crate::domain::name::ToolName;

fn tool() -> ToolName {
    "publish".parse().expect("a name")
}

/// One that takes one call at once.
fn tools() -> Tools {
    let settings = Tool {
        url: ToolUrl::Http("http://127.0.0.1:1".to_owned()),
        api_key: KeySource::None,
        timeout: Duration::from_secs(1),
        idempotent: false,
        max_concurrency: NonZeroUsize::MIN,
    };
    Tools::new(&BTreeMap::from([(tool(), settings)]))
}

/// INVARIANT I86: whoever came later, hooks among them, is not served before, however often the plan wakes up meanwhile.
#[tokio::test]
async fn a_plan_keeps_its_place_in_a_tools_queue_from_round_to_round() {
    let (tools, name) = (tools(), tool());
    let crowded = BTreeSet::from([name.clone()]);
    let held = tools.try_slot(&name).expect("the only one");
    let mut calls = Calls::default();
    calls.queue_for(&tools, crowded.clone());
    assert!(futures::poll!(Box::pin(calls.news())).is_pending());
    let mut rival = Box::pin(tools.slot(&name));
    assert!(futures::poll!(rival.as_mut()).is_pending());
    // Something else woke the plan up, and its next round wants the same.
    calls.give_back_slots();
    calls.queue_for(&tools, crowded);
    drop(held);
    assert!(calls.news().await.is_none());
    assert!(futures::poll!(rival.as_mut()).is_pending());
    let slot = calls.slot(&tools, &name).expect("it was kept");
    assert!(tools.try_slot_behind(&name).is_none(), "the next one is the rival's");
    drop(slot);
    assert!(futures::poll!(rival.as_mut()).is_ready());
}

#[tokio::test]
async fn a_plan_that_leaves_a_queue_keeps_nobody_from_the_slot() {
    let (tools, name) = (tools(), tool());
    let held = tools.try_slot(&name).expect("the only one");
    let mut calls = Calls::default();
    calls.queue_for(&tools, BTreeSet::from([name.clone()]));
    assert!(futures::poll!(Box::pin(calls.news())).is_pending());
    drop(held);
    assert!(tools.try_slot(&name).is_none(), "it is held for the plan");
    calls.queue_for(&tools, BTreeSet::new());
    assert!(tools.try_slot(&name).is_some());
}
