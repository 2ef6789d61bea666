//! Operators' rules: what is taken, what is refused with which words, and what they can do.

use serde_json::{Value, json};

use crate::control_plane::policy::{Asker, File, Policy, Source};
use crate::domain::name::{Digest, KeyId, Tenant};

fn load(files: &[(&str, &str)]) -> Result<Policy, Vec<String>> {
    let file = |(name, text): &(&str, &str)| File { name: (*name).to_owned(), text: (*text).to_owned() };
    Policy::load(Source::of(files.iter().map(file).collect()).expect("small"), Some("production".to_owned()))
}

fn module(body: &str) -> Result<Policy, Vec<String>> {
    load(&[("a.rego", &format!("package operator.template\n\n{body}\n"))])
}

const DENY: &str = r#"deny contains {"rule": "no_secrets", "message": "x"} if { input.template.name == "secret" }"#;

fn denied(policy: &Policy, template: &Value) -> Vec<String> {
    policy.check(template, None).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

// INVARIANT I29: whatever goes wrong denies.
#[test]
fn a_policy_that_cannot_be_used_is_refused_with_its_place() {
    for (text, part) in [
        ("this is not rego", "a.rego:1:"),
        ("package other\n\ndeny contains 1 if true", "a.rego:1:1: package other is not looked at"),
        ("package operator.template\n\ndeny[x] { x := 1 }", "a.rego:3:9: `if` keyword"),
        (
            "package operator.template\n\ndeny contains d if {\n  input.template.nothing\n  d := no_such(input)\n}",
            "a.rego:5:8: there is no function no_such",
        ),
        (
            "package operator.template\n\ndeny contains d if { d := count(1, 2, 3) }",
            "a.rego:3:27: count takes 1 arguments",
        ),
        (
            "package operator.template\n\nf(x) := f(x)\n\ndeny contains d if { d := f(1) }",
            "rules must not need themselves",
        ),
        (
            "package operator.template\n\nf(x) := g(x)\n\ng(x) := [y | y := f(x)]\n\ndeny contains d if { d := f(1) }",
            "data.operator.template.f -> data.operator.template.g",
        ),
        (
            "package operator.template\n\na := b\n\nb := a\n\ndeny contains d if { d := a }",
            "rules must not need themselves",
        ),
        (
            "package operator.template\n\ndeny contains d if { d := numbers.range(0, 9) }",
            "numbers.range is not allowed",
        ),
        ("package operator.template\n\ndeny := true", "is not a set of {rule, message}"),
        ("package operator.template\n\ndeny contains \"x\" if true", "is not a set of {rule, message}"),
        ("package operator.template\n\ndenies contains \"x\" if true", "no module has a rule deny"),
        (
            "package operator.template\n\ndeny contains d if { d := to_number(input.template.name) }",
            "cannot be evaluated: a.rego:3:",
        ),
        ("package operator.template\n\ndeny contains d if { d := unheard_of }", "a.rego:3:"),
    ] {
        let told = load(&[("a.rego", text)]).expect_err(text);
        assert!(told.iter().any(|reason| reason.contains(part)), "{text}: {told:?}");
    }
}

#[test]
fn all_files_mistakes_are_told_at_once() {
    let told = load(&[("a.rego", "x"), ("b.rego", "y"), ("data.json", "{")]).expect_err("refused");
    for file in ["a.rego:", "b.rego:", "data.json:"] {
        assert!(told.iter().any(|reason| reason.starts_with(file)), "{file}: {told:?}");
    }
}

#[test]
fn an_endless_evaluation_is_cut_off_and_denies() {
    let policy = module(
        "xs := input.template.tools\n\ndeny contains {\"rule\": \"x\", \"message\": \"y\"} if {\n\tsome a in xs\n\tsome b in xs\n\tsome c in xs\n\tsome d in xs\n\tconcat(\"\", [a, b, c, d]) == \"\"\n}",
    )
    .expect("good");
    let tools: Vec<String> = (0..300).map(|n| format!("t{n}")).collect();
    let told = denied(&policy, &json!({"name": "a", "tools": tools}));
    assert!(told.iter().any(|denial| denial.contains("deny takes more than 250 ms")), "{told:?}");
}

#[test]
fn a_policy_that_is_slow_when_it_is_tried_is_refused() {
    let some = ["a", "b", "c", "d", "e"].map(|name| format!("\tsome {name} in xs\n")).concat();
    let told = module(&format!(
        "xs := [{}0]\n\ndeny contains {{\"rule\": \"x\", \"message\": \"y\"}} if {{\n{some}\ta + b + c + d + e < 0\n}}",
        "1, ".repeat(100)
    ))
    .expect_err("slow");
    assert_eq!(told, ["the policy cannot be evaluated: deny takes more than 50 ms for one template"]);
}

// INVARIANT I64: operators' modules cannot weaken the shipped rules.
#[test]
fn operators_cannot_weaken_the_shipped_rules_but_by_grants() {
    let shell = json!({"name": "web-1", "tools": ["run_shell"]});
    for (name, text) in [
        ("a.rego", "package factory.template\n\ngranted(_) if true"),
        ("a.rego", "package factory\n\ntemplate := {\"deny\": []}"),
        ("data.json", r#"{"factory": {"template": {"deny": []}}}"#),
    ] {
        assert!(load(&[(name, text)]).is_err(), "{text}");
    }
    let rules = module(&format!("granted(_) := true\n\n{DENY}")).expect("good");
    assert_eq!(denied(&rules, &shell).len(), 1);
    let granted = load(&[("data.json", r#"{"grants": {"tools": {"run_shell": ["web-*"]}}}"#)]).expect("good");
    assert_eq!(denied(&granted, &shell), Vec::<String>::new());
    assert_eq!(denied(&granted, &json!({"name": "mail", "tools": ["run_shell"]})).len(), 1);
    let all = load(&[("data.json", r#"{"grants": {"tools": {"run_shell": true}}}"#)]).expect("good");
    assert_eq!(denied(&all, &json!({"name": "mail", "tools": ["run_shell"]})), Vec::<String>::new());
    assert_eq!(
        denied(&all, &json!({"name": "mail", "tools": ["run_shell", "bash"]})).len(),
        1,
        "the other is not granted"
    );
}

#[test]
fn signer_environment_and_data_are_known_to_the_rules() {
    let text = r#"package operator.template

deny contains {"rule": "signer", "message": "only ops signs"} if {
	not input.signer.key_id in data.signers
	input.environment == "production"
}"#;
    let policy = load(&[("a.rego", text), ("data.json", r#"{"signers": ["ops"]}"#)]).expect("good");
    let (ops, eve): (KeyId, KeyId) = ("ops".parse().expect("id"), "eve".parse().expect("id"));
    assert!(policy.check(&json!({}), Some((&ops, "ed25519"))).is_ok());
    assert!(policy.check(&json!({}), Some((&eve, "ed25519"))).is_err());
    assert_ne!(policy.digest(), Policy::shipped().digest());
}

#[test]
fn who_may_use_what_is_decided_once_for_each() {
    let policy = module(
        r#"deny_use contains {"rule": "team", "message": sprintf("%s is not of the team", [input.principal.name])} if {
	input.template.name == "payroll"
	input.principal.tenant != "finance"
}"#,
    )
    .expect("good");
    assert!(policy.judges_use() && !Policy::shipped().judges_use());
    let asker = |tenant: &str| Asker {
        name: "ann".into(),
        role: "submitter".into(),
        tenant: tenant.parse::<Tenant>().expect("a tenant"),
        user: None,
    };
    let payroll = json!({"name": "payroll"});
    let digest = Digest::from_bytes([1; 32]);
    assert!(policy.known_use(digest, &asker("finance")).is_none());
    assert_eq!(policy.check_use(&payroll, digest, &asker("finance")), Ok(()));
    let no = policy.check_use(&payroll, digest, &asker("sales")).expect_err("denied");
    assert_eq!(no[0].message, "ann is not of the team");
    assert_eq!(policy.known_use(digest, &asker("finance")), Some(Ok(())));
    assert_eq!(policy.known_use(digest, &asker("sales")), Some(Err(no)));
}

#[test]
fn a_closed_policy_denies_everything() {
    let closed = Policy::closed(vec!["a.rego:1:1: why".to_owned()]);
    assert!(denied(&closed, &json!({"name": "plain"}))[0].contains("a.rego:1:1: why"));
    assert!(closed.judges_use());
    assert_ne!(closed.digest(), Policy::shipped().digest());
}

#[test]
fn checks_from_several_threads_agree() {
    let policy = module(DENY).expect("good");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let _thread = scope.spawn(|| {
                for n in 0..50 {
                    assert!(policy.check(&json!({"name": format!("a{n}"), "tools": ["plain"]}), None).is_ok());
                    assert_eq!(denied(&policy, &json!({"name": "secret"})).len(), 1);
                }
            });
        }
    });
}
