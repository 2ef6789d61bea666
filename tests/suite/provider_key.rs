//! A provider's key: named in the settings, read when used, and shown to nobody.

use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop};

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
