use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn plan(value: Value) -> Result<Plan, String> {
    let written = serde_json::from_value(value).expect("a plan as written");
    validate(&written, 64, &["publish".to_owned()])
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn step(id: &str, needs: &[&str], input: &str) -> Value {
    json!({"id": id, "template": "w", "needs": needs, "input": input})
}

#[test]
fn the_plan_of_the_blueprint_is_sound() {
    let plan = plan(json!({
        "steps": [
            {"id": "facts", "capability": "analysis", "input": "{{input}}"},
            {"id": "notes", "template": "documentaliste", "input": "{{input}}", "on_failure": "skip"},
            {"id": "report", "template": "documentaliste", "needs": ["facts", "notes"], "input": "{{steps.facts.output}}\n{{steps.notes.output}}"}
        ],
        "aggregate": {"mode": "step", "step": "report"}
    }))
    .expect("sound");
    assert_eq!(plan.aggregate, Aggregate::Step("report".to_owned()));
    assert_eq!(plan.step("notes").map(|step| step.on_failure), Some(OnFailure::Skip));
    assert_eq!(plan.leaves().iter().map(|step| step.id.as_str()).collect::<Vec<_>>(), ["report"]);
    assert!(matches!(plan.steps[0].work, Work::Delegate(Worker::Capability(_))));
}

#[test]
fn an_unsound_plan_is_refused_with_its_place() {
    let one = || step("a", &[], "{{input}}");
    for (steps, aggregate, part) in [
        (json!([]), None, "/plan/steps: a plan has at least one step"),
        (json!([one(), one()]), None, "/plan/steps/1/id: there are two steps \"a\""),
        (json!([step("a", &["b"], "x")]), None, "/plan/steps/0/needs/0: there is no step \"b\""),
        (json!([step("a", &["b"], "x"), step("b", &["a"], "x")]), None, "a -> b -> a"),
        (json!([step("c", &["a"], "x"), step("a", &["b"], "x"), step("b", &["a"], "x")]), None, "a -> b -> a"),
        (json!([step("a", &["a"], "x")]), None, "a -> a"),
        (
            json!([one(), step("b", &[], "{{steps.a.output}}")]),
            None,
            "/plan/steps/1/input: reads the output of \"a\" without waiting",
        ),
        (json!([step("a", &[], "{{steps.z.output}}")]), None, "/plan/steps/0/input: there is no step \"z\""),
        (json!([step("a", &[], "{{steps.a.output}}")]), None, "without waiting"),
        (json!([step("a", &[], "{{output}}")]), None, "/plan/steps/0/input: {{output}} is no placeholder"),
        (json!([step("a", &[], "{{steps.a}}")]), None, "is no placeholder"),
        (json!([step("a", &[], "{{input..x}}")]), None, "is no placeholder"),
        (json!([step("a", &[], "{{input")]), None, "not closed"),
        (json!([step("a", &[], "{{item}}")]), None, "only in a step with map"),
        (json!([{"id": "a", "input": "x"}]), None, "exactly one of template, capability, tool"),
        (json!([{"id": "a", "template": "w", "capability": "c"}]), None, "exactly one of template, capability, tool"),
        (json!([{"id": "a", "wait": "1s", "signal": "s"}]), None, "exactly one of template, capability, tool"),
        (json!([{"id": "a", "tool": "shell"}]), None, "/plan/steps/0/tool: the template's tools do not list \"shell\""),
        (json!([{"id": "a", "wait": "0s"}]), None, "/plan/steps/0/wait: not a duration"),
        (json!([{"id": "a", "wait": "367d"}]), None, "/plan/steps/0/wait: not a duration"),
        (json!([{"id": "a", "wait": "1s", "input": "x"}]), None, "/plan/steps/0/input: only a step with"),
        (json!([{"id": "a", "wait": "1s", "map": "{{input}}"}]), None, "/plan/steps/0/map: a step that waits"),
        (json!([{"id": "a", "wait": "1s", "timeout": "1s"}]), None, "/plan/steps/0/timeout: only a step"),
        (json!([{"id": "a", "tool": "publish", "timeout": "1s"}]), None, "/plan/steps/0/timeout: only a step"),
        (json!([{"id": "a", "signal": "s", "timeout": "soon"}]), None, "/plan/steps/0/timeout: not a duration"),
        (json!([{"id": "a", "signal": "a b"}]), None, "/plan/steps/0/signal: not a signal's name"),
        (json!([{"id": "a", "approve": "{{steps.z.output}}"}]), None, "/plan/steps/0/approve: there is no step"),
        (json!([{"id": "a", "approve": "{{item}}"}]), None, "/plan/steps/0/approve: {{item}}"),
        (json!([{"id": "a", "template": "w", "map": "all"}]), None, "/plan/steps/0/map: write one placeholder"),
        (
            json!([{"id": "a", "template": "w", "map": "{{steps.z.output}}"}]),
            None,
            "/plan/steps/0/map: there is no step",
        ),
        (json!([{"id": "a", "template": "w", "on_failure": "shrug"}]), None, "/plan/steps/0/on_failure: one of fail"),
        (json!([one()]), Some(json!({"mode": "step", "step": "b"})), "/plan/aggregate/step: there is no step \"b\""),
        (json!([one()]), Some(json!({"mode": "step"})), "names its step"),
        (json!([one()]), Some(json!({"mode": "vote", "step": "a"})), "only mode step"),
        (json!([one()]), Some(json!({"mode": "model"})), "not run by this version"),
    ] {
        let mut written = json!({ "steps": steps });
        if let Some(aggregate) = aggregate {
            written["aggregate"] = aggregate;
        }
        let told = plan(written.clone()).expect_err(&written.to_string());
        assert!(told.contains(part), "{written}: {told}");
    }
    assert!(
        plan(json!({"by": "model", "workers": ["a"]})).expect_err("by a model").contains("not run by this version")
    );
}

#[test]
fn a_step_may_call_a_tool_and_wait_for_a_time_a_person_or_a_signal() {
    let plan = plan(json!({
        "steps": [
            {"id": "draft", "template": "w", "on_failure": "ask"},
            {"id": "cool", "wait": "10m", "needs": ["draft"]},
            {"id": "yes", "approve": "Publish {{steps.draft.output}}?", "timeout": "24h", "needs": ["draft"]},
            {"id": "paid", "signal": "paid"},
            {"id": "out", "tool": "publish", "input": "{{steps.draft.output}}", "needs": ["cool", "yes", "paid"]}
        ]
    }))
    .expect("sound");
    let work: Vec<&Work> = plan.steps.iter().skip(1).map(|step| &step.work).collect();
    let day = Some(Duration::from_secs(24 * 60 * 60));
    let paid = Work::Signal { name: "paid".to_owned(), timeout: None };
    let publish = Work::Tool("publish".parse().expect("a name"));
    assert_eq!(work, [&Work::Wait(Duration::from_secs(600)), &Work::Approve { timeout: day }, &paid, &publish]);
    assert_eq!(plan.steps[0].on_failure, OnFailure::Ask);
}

#[test]
fn more_steps_than_the_fan_out_are_refused() {
    let steps: Vec<Value> = (0..3).map(|n| step(&format!("s{n}"), &[], "x")).collect();
    let written = serde_json::from_value(json!({ "steps": steps })).expect("written");
    assert!(validate(&written, 3, &[]).is_ok());
    assert!(validate(&written, 2, &[]).is_err_and(|mistakes| mistakes[0].message.contains("fan_out")));
}

#[test]
fn an_output_may_be_needed_through_others() {
    let steps = json!([step("a", &[], "x"), step("b", &["a"], "x"), step("c", &["b"], "{{steps.a.output}}")]);
    assert!(plan(json!({ "steps": steps })).is_ok());
}

#[test]
fn without_an_aggregate_the_last_step_or_all_last_steps_answer() {
    let one = plan(json!({"steps": [step("a", &[], "x"), step("b", &["a"], "x")]})).expect("sound");
    assert_eq!(one.aggregate, Aggregate::Step("b".to_owned()));
    let two = plan(json!({"steps": [step("a", &[], "x"), step("b", &[], "x")]})).expect("sound");
    assert_eq!(two.aggregate, Aggregate::Concat);
}

fn rendered(template: &str, item: Option<&Value>) -> Result<Value, Unrendered> {
    let input = json!({"who": "Ada", "list": [1, {"x": "y"}]});
    let outputs = BTreeMap::from([
        ("text".to_owned(), json!("an answer with {{input}} in it")),
        ("json".to_owned(), json!("{\"items\": [\"a\", \"b\"]}")),
        ("skipped".to_owned(), Value::Null),
    ]);
    InputTemplate::parse(template).expect("a template").render(&input, &outputs, item)
}

#[test]
fn placeholders_give_their_values() {
    let item = json!({"n": 7});
    for (template, expected) in [
        ("plain", json!("plain")),
        ("", json!("")),
        ("{{input.who}}", json!("Ada")),
        ("{{ input.list }}", json!([1, {"x": "y"}])),
        ("{{input}}", json!({"who": "Ada", "list": [1, {"x": "y"}]})),
        ("Hello {{input.who}}, {{input.list.1}}!", json!("Hello Ada, {\"x\":\"y\"}!")),
        ("<{{steps.json.output.items.1}}>", json!("<b>")),
        ("<{{steps.skipped.output}}{{steps.absent.output}}>", json!("<>")),
        ("{{item.n}}", json!(7)),
    ] {
        assert_eq!(rendered(template, Some(&item)), Ok(expected), "{template}");
    }
    for template in ["{{input.nobody}}", "x{{steps.text.output.items}}", "{{input.list.9}}", "{{input.who.x}}"] {
        assert!(matches!(rendered(template, None), Err(Unrendered::Missing(_))), "{template}");
    }
}

#[test]
fn what_is_put_in_is_never_read_for_placeholders_again() {
    assert_eq!(rendered("<{{steps.text.output}}>", None), Ok(json!("<an answer with {{input}} in it>")));
}

#[test]
fn a_map_goes_through_a_list_wherever_it_comes_from() {
    let input = json!([1, 2]);
    let outputs = BTreeMap::from([("a".to_owned(), json!("[\"x\"]")), ("b".to_owned(), json!("prose"))]);
    let items = |text: &str| MapSource::parse(text).expect("a map").items(&input, &outputs);
    assert_eq!(items("{{input}}"), Ok(vec![json!(1), json!(2)]));
    assert_eq!(items("{{steps.a.output}}"), Ok(vec![json!("x")]));
    assert_eq!(items("{{steps.skipped.output}}"), Ok(vec![]));
    assert!(matches!(items("{{steps.b.output}}"), Err(Unrendered::NotAList(_))));
}

proptest! {
    /// Whatever graph is written, a plan that passes can be run: some step is always free until all are done.
    #[test]
    fn a_sound_plan_never_waits_for_itself(edges in proptest::collection::vec((0_usize..6, 0_usize..6), 0..12)) {
        let steps: Vec<Value> = (0..6)
            .map(|n| {
                let needs: std::collections::BTreeSet<String> =
                    edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| format!("s{to}")).collect();
                json!({"id": format!("s{n}"), "template": "w", "needs": needs, "input": "x"})
            })
            .collect();
        let Ok(plan) = plan(json!({ "steps": steps })) else { return Ok(()) };
        let mut done: Vec<&str> = Vec::new();
        while done.len() < plan.steps.len() {
            let free = plan.steps.iter().find(|step| {
                !done.contains(&step.id.as_str()) && step.needs.iter().all(|need| done.contains(&need.as_str()))
            });
            prop_assert!(free.is_some(), "{:?}", edges);
            done.extend(free.map(|step| step.id.as_str()));
        }
    }

    #[test]
    fn text_without_placeholders_is_given_as_written(text in "[^{]{0,40}") {
        prop_assert_eq!(rendered(&text, None), Ok(Value::String(text)));
    }
}
