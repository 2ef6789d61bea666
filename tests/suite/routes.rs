//! A route's models are passed over where they do not suit, and a refusal says why of each; prices and routes are taken up while the
//! daemon runs.

use std::time::Duration;

use agent_factory::client::Error;
use agent_factory::protocol::task::{SubmitTask, TaskState};
use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop, factoryd, until};

/// A provider without prices, a route that asks it first, and one that asks nobody else.
const UNPRICED: &str = "half = [\"mock/unknown\", \"builtin/extractive\"]\nnever = [\"mock/unknown\"]\n";

fn on(route: &str) -> serde_json::Value {
    json!({"model": {"route": route, "max_output_tokens": 64}})
}

fn work(template: &str, input: &str) -> SubmitTask {
    SubmitTask { template_name: Some(template.into()), input: input.into(), ..SubmitTask::default() }
}

/// Status, code and detail of a refusal, which leaves nothing behind.
async fn refused(daemon: &Daemon, template: &str, input: &str) -> (u16, String, String) {
    let before = daemon.holdings().await;
    let answer = daemon.client.submit(&work(template, input), None, Duration::ZERO).await;
    let Err(Error::Problem { problem, .. }) = answer else { panic!("no refusal but {answer:?}") };
    assert_eq!(daemon.holdings().await, before, "a refusal has left something behind");
    (problem.status, problem.code, problem.detail)
}

/// Who answered.
async fn answered_by(daemon: &Daemon, template: &str, input: &str) -> String {
    let task = daemon.run(template, input).await;
    assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
    task.steps[0].name.clone()
}

#[tokio::test]
async fn a_model_without_a_price_is_never_called_and_warned_of() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, UNPRICED);
    let checked = factoryd(&workshop, &["--check-config"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    let fix = "add [models.\"mock/unknown\"] with its prices, or with free = true";
    assert!(
        checked.out.contains(&format!(
            "route never: mock/unknown has no price and is passed over; the route can never be used: {fix}"
        )),
        "{}",
        checked.out
    );

    let workshop = workshop.worker(on("never"));
    workshop.template("other", on("half"));
    let daemon = Daemon::start(workshop).await;
    assert!(daemon.workshop.log().contains("can never be used"), "{}", daemon.workshop.log());
    let (status, code, told) = refused(&daemon, "worker", "hello").await;
    assert_eq!((status, code.as_str()), (422, "model_unpriced"), "{told}");
    assert_eq!(answered_by(&daemon, "other", "hello").await, "builtin/extractive");
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_call_that_may_cost_more_than_its_route_allows_goes_to_the_next_model_or_is_refused() {
    let provider = Provider::echo().await;
    let capped = "[routes.capped]\nmodels = [\"mock/priced\", \"builtin/extractive\"]\nmax_usd_per_call = \"0.0001\"\n\
        [routes.alone]\nmodels = [\"mock/priced\"]\nmax_usd_per_call = \"0.0001\"\n";
    let workshop = Workshop::with(&provider, capped).worker(on("capped"));
    workshop.template("alone", on("alone"));
    let daemon = Daemon::start(workshop).await;
    assert_eq!(answered_by(&daemon, "worker", "hello").await, "builtin/extractive");
    let (status, code, told) = refused(&daemon, "alone", "hello").await;
    assert_eq!((status, code.as_str()), (422, "route_unsuitable"), "{told}");
    assert!(told.contains("mock/priced: may cost 0.000") && told.contains("ceiling 0.0001"), "{told}");
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn an_input_that_no_model_takes_is_refused_before_any_call_and_one_that_fits_another_goes_there() {
    let provider = Provider::echo().await;
    let short = "tight = [\"mock/short\"]\nroomy = [\"mock/short\", \"mock/free\"]\n[models.\"mock/short\"]\nfree = true\ncontext_tokens = 200\n";
    let workshop = Workshop::with(&provider, short).worker(on("tight"));
    workshop.template("other", on("roomy"));
    let daemon = Daemon::start(workshop).await;
    assert_eq!(answered_by(&daemon, "worker", "hello").await, "mock/short");
    let long = "word ".repeat(400);
    let (status, code, told) = refused(&daemon, "worker", &long).await;
    assert_eq!((status, code.as_str()), (413, "input_exceeds_context"), "{told}");
    assert!(told.contains("mock/short: takes 200 tokens") && told.contains("the answer may have 64"), "{told}");
    assert_eq!(provider.count(), 1);
    assert_eq!(answered_by(&daemon, "other", &long).await, "mock/free");
}

#[tokio::test]
async fn prices_and_routes_are_taken_up_on_hang_up_and_what_is_not_is_named() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, UNPRICED).worker(on("never"))).await;
    assert_eq!(refused(&daemon, "worker", "hello").await.1, "model_unpriced");
    daemon.workshop.edit_settings(|text| {
        text.replace("never = [\"mock/unknown\"]", "never = [\"mock/other\"]")
            .replace("timeout = \"20s\"", "timeout = \"19s\"")
            + "[models.\"mock/other\"]\nfree = true\n"
    });
    daemon.signal(rustix::process::Signal::HUP);
    until("the settings", async || daemon.workshop.log().contains("settings re-read").then_some(())).await;
    assert_eq!(answered_by(&daemon, "worker", "hello").await, "mock/other");
    let log = daemon.workshop.log();
    assert!(log.contains("NOT in force") && log.contains("providers"), "{log}");
}
