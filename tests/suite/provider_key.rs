//! A provider's key: named in the settings, read when used, and shown to nobody.

use agent_factory::protocol::task::TaskState;
use serde_json::json;

use crate::harness::{Daemon, Provider, Reply, Workshop};

const SECRET: &str = "sk-suite-7d1f0c2a9b";

fn keyed(provider: &Provider) -> Workshop {
    let workshop = Workshop::with(provider, "").worker(json!({}));
    workshop.edit_settings(|text| text.replace("kind = \"openai\"", "kind = \"openai\"\napi_key_env = \"MOCK_KEY\""));
    workshop
}

#[tokio::test]
async fn without_its_key_a_provider_is_not_asked_and_no_task_exists() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(keyed(&provider)).await;
    let before = daemon.holdings().await;
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "x"})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("route_unusable")), "{problem}");
    assert_eq!((daemon.holdings().await, provider.count()), (before, 0));
    let ran = daemon.ctl(&["run", "worker", "x"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("route_unusable"), "{}", ran.err);
}

#[tokio::test]
async fn a_key_reaches_its_provider_and_nothing_else() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start_in(keyed(&provider), &[("MOCK_KEY", SECRET)]).await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!(provider.asked()[0].authorization.as_deref(), Some(format!("Bearer {SECRET}").as_str()));
    let told = [serde_json::to_string(&task).expect("JSON"), daemon.metrics().await];
    assert!(daemon.stop().await.success());
    for text in told.into_iter().chain([daemon.workshop.log()]) {
        assert!(!text.contains(SECRET));
    }
}

#[tokio::test]
async fn a_credential_of_the_service_reaches_its_provider_and_nothing_else() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "").worker(json!({}));
    let credential = "kind = \"openai\"\napi_key_credential = \"mock\"";
    workshop.edit_settings(|text| text.replace("kind = \"openai\"", credential));
    std::fs::create_dir(workshop.path("credentials")).expect("a directory");
    workshop.write("credentials/mock", SECRET);
    let directory = workshop.path("credentials").display().to_string();
    let mut daemon = Daemon::start_in(workshop, &[("CREDENTIALS_DIRECTORY", &directory)]).await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!(provider.asked()[0].authorization.as_deref(), Some(format!("Bearer {SECRET}").as_str()));
    let told = [serde_json::to_string(&task).expect("JSON"), daemon.metrics().await];
    assert!(daemon.stop().await.success());
    for text in told.into_iter().chain([daemon.workshop.log()]) {
        assert!(!text.contains(SECRET));
    }
}

#[tokio::test]
async fn a_key_that_stops_working_is_left_alone_until_another_is_in_its_place() {
    const OLD: &str = "sk-suite-old-5e1b";
    let provider = Provider::start(|call| {
        let is_known = call.authorization.as_deref() == Some(&format!("Bearer {SECRET}"));
        if is_known { Reply::Echo } else { Reply::Status(401, None) }
    })
    .await;
    let workshop = Workshop::with(&provider, "both = [\"mock/free\", \"builtin/echo\"]").worker(json!({}));
    workshop.template("helped", json!({"model": {"route": "both", "max_output_tokens": 64}}));
    workshop.edit_settings(|text| text.replace("kind = \"openai\"", "kind = \"openai\"\napi_key_file = \"mock.key\""));
    workshop.write("mock.key", OLD);
    let mut daemon = Daemon::start(workshop).await;
    let task = daemon.run("worker", "hello").await;
    let error = task.error.as_ref().expect("it failed");
    assert_eq!((error.code.as_str(), task.cost_usd.as_str(), provider.count()), ("provider_key_rejected", "0.00", 1));
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "x"})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("route_unusable")), "{problem}");
    let helped = daemon.run("helped", "hello").await;
    assert_eq!((helped.state, helped.steps.len(), provider.count()), (TaskState::Succeeded, 1, 1), "{helped:?}");
    assert!(daemon.metrics().await.contains("factory_provider_breaker_open{provider=\"mock\"} 1"));

    daemon.workshop.write("mock.key", SECRET);
    let task = daemon.run("worker", "hello").await;
    assert_eq!((task.output, provider.count()), (json!("echo: hello"), 2), "the next call uses it");
    assert!(daemon.metrics().await.contains("factory_provider_breaker_open{provider=\"mock\"} 0"));
    assert!(daemon.stop().await.success());
    let log = daemon.workshop.log();
    assert!(log.contains("rejects its key") && !log.contains(OLD) && !log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn where_the_first_model_has_no_key_the_second_answers_as_if_the_first_were_not_there() {
    let provider = Provider::echo().await;
    let dear = format!(
        r#"both = ["dear/first", "mock/free"]
[providers.dear]
kind = "openai"
base_url = "http://127.0.0.1:{}/v1"
api_key_env = "DEAR_KEY"
[models."dear/first"]
input_usd_per_mtok = "50.00"
output_usd_per_mtok = "50.00"
[budgets.global]
limit_usd = "0.000001"
window = "total"
"#,
        provider.port()
    );
    let model = json!({"route": "both", "max_output_tokens": 64});
    let workshop = || Workshop::with(&provider, &dear).worker(json!({"model": model}));
    let daemon = Daemon::start(workshop()).await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!((task.output, task.cost_usd.as_str()), (json!("echo: hello"), "0.00"));
    let steps: Vec<_> = task.steps.iter().map(|step| (step.name.as_str(), step.state.as_str())).collect();
    assert_eq!(steps, [("mock/free", "finished")], "the first is no failed step");
    assert_eq!(provider.count(), 1);

    let daemon = Daemon::start_in(workshop(), &[("DEAR_KEY", SECRET)]).await;
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "hello"})).await;
    assert_eq!((status, &problem["code"]), (402, &json!("budget_exceeded")), "with its key it is the first: {problem}");
}
