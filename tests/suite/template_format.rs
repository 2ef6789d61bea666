//! The form of templates as its writers meet it: the schema, what is said about mistakes, and a first template of one's own.

use agent_factory::control_plane::template::SCHEMA;
use serde_json::{Value, json};

use crate::harness::{Daemon, Provider, Workshop, factoryctl, until};

async fn reasons(daemon: &Daemon, name: &str) -> Vec<String> {
    until(&format!("{name} is looked at"), async || {
        let (status, template) = daemon.get(&format!("/factory/templates/{name}")).await;
        let told = template["reasons"].as_array().cloned().unwrap_or_default();
        let told = told.iter().map(|reason| reason.as_str().expect("text").to_owned()).collect::<Vec<_>>();
        (status == 200 && !told.is_empty()).then_some(told)
    })
    .await
}

#[tokio::test]
async fn the_schema_is_served_and_printed_and_its_name_is_taken() {
    let workshop = Workshop::new("");
    workshop.template("schema", json!({}));
    let daemon = Daemon::start(workshop).await;
    let (status, served) = daemon.get("/factory/templates/schema").await;
    let embedded: Value = serde_json::from_str(SCHEMA).expect("JSON");
    assert_eq!((status, &served), (200, &embedded));
    let none = daemon.workshop.path("none.sock");
    let printed = factoryctl(&none, &["templates", "schema"], "").await;
    assert_eq!((printed.code, printed.out.as_str()), (Some(0), SCHEMA), "{}", printed.err);
    let (_, listed) = daemon.get("/factory/templates").await;
    let named = listed["items"].as_array().expect("items").iter().find(|item| item["name"] == "schema");
    let reasons = named.expect("listed")["reasons"].to_string();
    assert!(reasons.contains("taken by GET /factory/templates/schema"), "{reasons}");
}

#[tokio::test]
async fn the_daemon_and_the_command_line_say_the_same_of_a_bad_file() {
    let workshop = Workshop::new("").worker(json!({}));
    workshop.template("base", json!({"supervision": {"backoff": {"max": "1s"}}}));
    let cases = [
        ("fields", json!({"colour": "red", "model": {"temprature": 1}, "supervision": {"period": "0s"}})),
        (
            "inherits",
            json!({"extends": "base", "supervision": {"backoff": {"initial": "2s"}}, "plan": {"steps": [{"id": "a"}]}}),
        ),
        ("orphan", json!({"extends": "bass", "pool": {"max": 0}})),
        ("below", json!({"extends": "orphan"})),
        ("one", json!({"extends": "two"})),
        ("two", json!({"extends": "one", "budget": {"per_task_usd": "1000000001"}})),
    ];
    for (name, over) in &cases {
        workshop.template(name, over.clone());
    }
    let text = "{\n \"name\": \"slips\",\n \"version\": \"1.0.0\",\n // no\n \"tools\": [],\n}";
    workshop.write("templates/slips.json", text);
    let daemon = Daemon::start(workshop).await;
    for name in cases.iter().map(|(name, _)| *name).chain(["slips"]) {
        let file = daemon.workshop.path(&format!("templates/{name}.json"));
        let judged = factoryctl(
            &daemon.workshop.socket(),
            &["templates", "validate", file.to_str().expect("text"), "--json"],
            "",
        )
        .await;
        assert_eq!(judged.code, Some(3), "{}", judged.err);
        let items = judged.json();
        let told: Vec<&str> =
            items["items"][0]["reasons"].as_array().expect("reasons").iter().filter_map(Value::as_str).collect();
        // The command line alone can be told where else a parent may lie.
        let hint = " (--environment NAME looks into the directory above as well)";
        let same: Vec<&str> = told.iter().map(|told| told.strip_suffix(hint).unwrap_or(told)).collect();
        assert_eq!(reasons(&daemon, name).await, same, "{name}");
        let spot = &items["items"][0]["mistakes"][0];
        let line = format!("line {}, column {}: ", spot["line"], spot["column"]);
        assert!(told[0].starts_with(&line) && told[0].ends_with(spot["message"].as_str().expect("text")), "{spot}");
        assert!(told.iter().all(|reason| reason.starts_with("line ")), "{told:?}");
    }
    let orphan = reasons(&daemon, "orphan").await.join("\n");
    assert!(orphan.contains("orphan -> bass; did you mean base?") && orphan.contains("/pool/max"), "{orphan}");
    assert!(reasons(&daemon, "below").await[0].contains("below -> orphan"));
    assert!(reasons(&daemon, "one").await[0].contains("one -> two -> one"));
    let inherits = reasons(&daemon, "inherits").await;
    assert_eq!(inherits.len(), 2, "{inherits:?}");
}

#[tokio::test]
async fn a_first_template_of_one_s_own_is_made_served_and_tried_by_one_command() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "").worker(json!({}));
    let key = workshop.private_key().to_str().expect("text").to_owned();
    let dir = workshop.path("templates").to_str().expect("text").to_owned();
    let daemon = Daemon::start(workshop).await;
    let socket = daemon.workshop.socket();
    let new = |name: &str, more: &[&str]| {
        let line: Vec<String> =
            ["templates", "new", name, "--dir", &dir].iter().chain(more).map(|word| (*word).to_owned()).collect();
        let socket = socket.clone();
        async move {
            let words: Vec<&str> = line.iter().map(String::as_str).collect();
            factoryctl(&socket, &words, "").await
        }
    };

    let made =
        new("greeter", &["--prompt", "Greet.", "--route", "free", "--key", &key, "--try", "hello", "--json"]).await;
    assert_eq!(made.code, Some(0), "{} {}", made.out, made.err);
    let document = made.json();
    assert_eq!((&document["served"], &document["task"]["output"]), (&json!(true), &json!("echo: hello")));
    let (_, served) = daemon.get("/factory/templates/greeter").await;
    assert_eq!(served["digest"], document["digest"]);

    let again = new("greeter", &["--key", &key, "--json"]).await;
    assert_eq!((again.code, &again.json()["code"]), (Some(3), &json!("template_exists")));
    assert!(again.err.contains("what to do:"), "{}", again.err);

    let child = new("child", &["--extends", "greeter", "--key", &key, "--try", "again"]).await;
    assert_eq!((child.code, child.out.as_str()), (Some(0), "echo: again\n"), "{}", child.err);

    let orphan = new("orphan", &["--extends", "greter", "--key", &key, "--json"]).await;
    assert_eq!((orphan.code, &orphan.json()["code"]), (Some(3), &json!("template_invalid")));
    assert!(orphan.json()["reasons"].to_string().contains("did you mean greeter?"), "{}", orphan.out);
    assert!(!daemon.workshop.path("templates/orphan.json").exists());

    let plan =
        new("mailroom", &["--kind", "orchestrator", "--worker", "greeter", "--key", &key, "--try", "x", "--json"])
            .await;
    assert_eq!(plan.code, Some(0), "{} {}", plan.out, plan.err);
    assert_eq!(plan.json()["task"]["state"], "succeeded");

    let unsigned = new("unsigned", &["--route", "free", "--try", "x", "--json"]).await;
    assert_eq!((unsigned.code, &unsigned.json()["code"]), (Some(3), &json!("template_refused")));
    assert!(unsigned.json()["reasons"].to_string().contains("signature"), "{}", unsigned.out);
}

#[tokio::test]
async fn a_template_is_made_without_a_daemon_up_to_its_signature() {
    let workshop = Workshop::new("");
    let none = workshop.path("none.sock");
    let dir = workshop.path("templates").to_str().expect("text").to_owned();
    let key = workshop.private_key().to_str().expect("text").to_owned();
    let made = factoryctl(&none, &["templates", "new", "a", "--dir", &dir, "--key", &key, "--json"], "").await;
    assert_eq!((made.code, &made.json()["served"]), (Some(0), &json!(false)), "{}", made.err);
    let file = workshop.path("templates/a.json");
    let verify = ["templates", "verify", file.to_str().expect("text"), "--keys", "keys"];
    assert_eq!(factoryctl(&none, &verify, "").await.code, Some(0));

    let unsigned = factoryctl(&none, &["templates", "new", "b", "--dir", &dir, "--json"], "").await;
    assert_eq!(unsigned.code, Some(0), "{}", unsigned.err);
    assert!(unsigned.json()["next"].as_str().expect("advice").contains("templates sign"), "{}", unsigned.out);

    let tried = factoryctl(&none, &["templates", "new", "c", "--dir", &dir, "--key", &key, "--try", "x"], "").await;
    assert_eq!(tried.code, Some(4), "{}", tried.err);
    let nowhere = factoryctl(&none, &["templates", "new", "d", "--dir", "/nowhere"], "").await;
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.err);
    assert!(nowhere.err.contains("mkdir -p"), "{}", nowhere.err);
}

#[tokio::test]
async fn templates_are_listed_page_by_page_and_whole_by_the_command() {
    let workshop = Workshop::new("");
    for name in ["a", "b", "c"] {
        workshop.template(name, json!({}));
    }
    let daemon = Daemon::start(workshop).await;
    let (mut names, mut path) = (Vec::new(), "/factory/templates?limit=2".to_owned());
    loop {
        let (_, page) = daemon.get(&path).await;
        names.extend(page["items"].as_array().expect("items").iter().map(|item| item["name"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/factory/templates?limit=2&after={next}");
    }
    let told = factoryctl(&daemon.workshop.socket(), &["templates", "ls", "--json"], "").await;
    let listed: Value = serde_json::from_str(&told.out).expect("JSON");
    let whole: Vec<_> = listed["items"].as_array().expect("items").iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, whole);
    assert!(names.len() >= 3, "{names:?}");
}
