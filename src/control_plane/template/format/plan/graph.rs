//! From a plan as written to a sound plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::control_plane::template::format::mistake::Mistake;
use crate::control_plane::template::format::nearest::nearest;
use crate::control_plane::template::format::wire;

use super::{Aggregate, Plan, PlanStep, STEPS_MAX, Work, step};

/// Checks a plan as written; `fan_out` is the most steps that the template allows, `tools` are those that it lists. All mistakes
/// are told at once.
pub(in crate::control_plane::template) fn validate(
    written: &wire::Plan,
    fan_out: u32,
    tools: &[String],
) -> Result<Plan, Vec<Mistake>> {
    if written.by.is_some() || written.route.is_some() || written.workers.is_some() {
        return Err(vec![Mistake::at(
            "/plan/by",
            "plans that a model makes are not run by this version; write the steps",
        )]);
    }
    let mut mistakes = Vec::new();
    let steps: Vec<PlanStep> = written
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| step::parse(step, tools, &format!("/plan/steps/{index}"), &mut mistakes))
        .collect();
    let allowed = usize::try_from(fan_out).unwrap_or(STEPS_MAX).min(STEPS_MAX);
    if written.steps.is_empty() {
        mistakes.push(Mistake::at("/plan/steps", "a plan has at least one step"));
    }
    if written.steps.len() > allowed {
        mistakes.push(Mistake::at("/plan/steps", format!("more steps than limits.fan_out allows ({allowed})")));
    }
    mistakes.extend(check_ids(&written.steps));
    if mistakes.is_empty() {
        mistakes.extend(check_graph(&steps));
    }
    let aggregate = parse_aggregate(written.aggregate.as_ref(), &steps, &mut mistakes);
    match aggregate {
        Some(aggregate) if mistakes.is_empty() => Ok(Plan { steps, aggregate }),
        Some(_) | None => Err(mistakes),
    }
}

/// Unknown and repeated ids, told whatever else is wrong with the steps.
fn check_ids(steps: &[wire::Step]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut ids = BTreeSet::new();
    for (index, step) in steps.iter().enumerate() {
        if !ids.insert(step.id.as_str()) {
            let message = format!("there are two steps {:?}; give each its own id", step.id);
            mistakes.push(Mistake::at(format!("/plan/steps/{index}/id"), message));
        }
    }
    for (index, step) in steps.iter().enumerate() {
        for (place, need) in step.needs.iter().enumerate().filter(|(_, need)| !ids.contains(need.as_str())) {
            let near =
                nearest(need, ids.iter().copied()).map(|id| format!("; did you mean {id:?}?")).unwrap_or_default();
            let at = format!("/plan/steps/{index}/needs/{place}");
            mistakes.push(Mistake::at(at, format!("there is no step {need:?}{near}")));
        }
    }
    mistakes
}

/// Cycles, and outputs that are read but not waited for. Ids are sound already.
fn check_graph(steps: &[PlanStep]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let by_id: BTreeMap<&str, &PlanStep> = steps.iter().map(|step| (step.id.as_str(), step)).collect();
    if let Some(cycle) = find_cycle(steps, &by_id) {
        mistakes.push(Mistake::at("/plan/steps", format!("steps wait for one another: {}", cycle.join(" -> "))));
    }
    if !mistakes.is_empty() {
        return mistakes;
    }
    for (index, step) in steps.iter().enumerate() {
        let waits_for = ancestors(step, &by_id);
        let field = if matches!(step.work, Work::Approve { .. }) { "approve" } else { "input" };
        let from_input = step.input.reads().map(|id| (field, id));
        for (field, id) in from_input.chain(step.map.iter().filter_map(|map| map.reads().map(|id| ("map", id)))) {
            let message = if !by_id.contains_key(id) {
                format!("there is no step {id:?}")
            } else if !waits_for.contains(id) {
                format!("reads the output of {id:?} without waiting for it; add it to needs")
            } else {
                continue;
            };
            mistakes.push(Mistake::at(format!("/plan/steps/{index}/{field}"), message));
        }
    }
    mistakes
}

/// All steps that must have ended before this one.
fn ancestors<'a>(step: &'a PlanStep, by_id: &BTreeMap<&str, &'a PlanStep>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&'a str> = step.needs.iter().map(String::as_str).collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(by_id.get(id).into_iter().flat_map(|step| step.needs.iter().map(String::as_str)));
        }
    }
    found
}

/// A chain of steps in which each needs the next and the last is the first. Takes away steps without open needs until
/// none is left or only such chains are.
fn find_cycle(steps: &[PlanStep], by_id: &BTreeMap<&str, &PlanStep>) -> Option<Vec<String>> {
    let mut stuck: BTreeSet<&str> = by_id.keys().copied().collect();
    loop {
        let free: Vec<&str> = steps
            .iter()
            .filter(|step| stuck.contains(step.id.as_str()))
            .filter(|step| !step.needs.iter().any(|need| stuck.contains(need.as_str())))
            .map(|step| step.id.as_str())
            .collect();
        if free.is_empty() {
            break;
        }
        for id in free {
            stuck.remove(id);
        }
    }
    let mut chain: Vec<&str> = vec![*stuck.first()?];
    loop {
        let step = by_id.get(*chain.last()?)?;
        let next = step.needs.iter().find(|need| stuck.contains(need.as_str()))?.as_str();
        let seen = chain.iter().position(|id| *id == next);
        chain.push(next);
        if let Some(begin) = seen {
            return Some(chain.into_iter().skip(begin).map(str::to_owned).collect());
        }
    }
}

fn parse_aggregate(
    written: Option<&wire::Aggregate>,
    steps: &[PlanStep],
    mistakes: &mut Vec<Mistake>,
) -> Option<Aggregate> {
    let Some(written) = written else {
        return Some(default_aggregate(steps));
    };
    let mut refuse = |at: &str, message: String| {
        mistakes.push(Mistake::at(at, message));
        None
    };
    match (written.mode.as_str(), written.step.as_deref()) {
        ("step", Some(id)) if steps.iter().any(|step| step.id == id) => Some(Aggregate::Step(id.to_owned())),
        ("step", Some(id)) => refuse("/plan/aggregate/step", format!("there is no step {id:?}")),
        ("step", None) => refuse("/plan/aggregate", "mode step names its step".to_owned()),
        ("model", _) => refuse(
            "/plan/aggregate/mode",
            "a model that aggregates is not run by this version; let a last step do it, with mode step".to_owned(),
        ),
        (_, Some(_)) => refuse("/plan/aggregate/step", "only mode step names a step".to_owned()),
        ("concat", None) => Some(Aggregate::Concat),
        ("merge", None) => Some(Aggregate::Merge),
        ("vote", None) => Some(Aggregate::Vote),
        (_, None) => refuse("/plan/aggregate/mode", "one of step, concat, merge and vote".to_owned()),
    }
}

/// The one last step where there is one, else all last steps one after the other.
fn default_aggregate(steps: &[PlanStep]) -> Aggregate {
    let needed: BTreeSet<&str> = steps.iter().flat_map(|step| step.needs.iter().map(String::as_str)).collect();
    let mut last = steps.iter().filter(|step| !needed.contains(step.id.as_str()));
    match (last.next(), last.next()) {
        (Some(only), None) => Aggregate::Step(only.id.clone()),
        (Some(_), Some(_)) | (None, _) => Aggregate::Concat,
    }
}
