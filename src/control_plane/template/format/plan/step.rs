//! From a step as written to a step of a plan.

use std::time::Duration;

use crate::control_plane::template::format::mistake::Mistake;
use crate::control_plane::template::format::wire;

use super::{InputTemplate, MapSource, OnFailure, PlanStep, SIGNAL_NAME_BYTES_MAX, WAIT_MAX, Work, Worker};

/// What a step may do; exactly one is written.
const KINDS: &str = "template, capability, tool, wait, approve and signal";

/// Reads one step; `tools` are those of its template. What is wrong is added to `mistakes`.
pub(super) fn parse(step: &wire::Step, tools: &[String], at: &str, mistakes: &mut Vec<Mistake>) -> Option<PlanStep> {
    let mut reader = Reader { at, mistakes: Vec::new() };
    let work = reader.work(step, tools);
    let map = step.map.as_deref().map(MapSource::parse).transpose();
    let map = map.map_err(|message| reader.refuse("/map", message)).ok().flatten();
    let input = reader.input(step);
    let on_failure = match step.on_failure.as_deref() {
        None | Some("fail") => OnFailure::Fail,
        Some("skip") => OnFailure::Skip,
        Some("retry") => OnFailure::Retry,
        Some("ask") => OnFailure::Ask,
        Some(_) => {
            reader.refuse("/on_failure", "one of fail, skip, retry and ask");
            OnFailure::Fail
        }
    };
    let is_sound = reader.mistakes.is_empty();
    mistakes.append(&mut reader.mistakes);
    let read = PlanStep { id: step.id.clone(), work: work?, input: input?, needs: step.needs.clone(), map, on_failure };
    is_sound.then_some(read)
}

struct Reader<'a> {
    at: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake::at(format!("{}{field}", self.at), message));
    }

    fn work(&mut self, step: &wire::Step, tools: &[String]) -> Option<Work> {
        let wire::Step { template, capability, tool, wait, approve, signal, .. } = step;
        let written = [template, capability, tool, wait, approve, signal];
        if written.into_iter().flatten().count() != 1 {
            self.refuse("", format!("a step says what it does by exactly one of {KINDS}"));
            return None;
        }
        let timeout = self.duration("/timeout", step.timeout.as_deref());
        if step.timeout.is_some() && approve.is_none() && signal.is_none() {
            self.refuse("/timeout", "only a step with approve or signal has a timeout; a tool's is in the settings");
        }
        if let Some(name) = template {
            let read = name.parse().map(|name| Work::Delegate(Worker::Template(name)));
            return read.map_err(|fault| self.refuse("/template", fault.to_string())).ok();
        }
        if let Some(name) = capability {
            let read = name.parse().map(|name| Work::Delegate(Worker::Capability(name)));
            return read.map_err(|fault| self.refuse("/capability", fault.to_string())).ok();
        }
        if let Some(name) = tool {
            return self.tool(name, tools);
        }
        if wait.is_some() {
            return self.duration("/wait", wait.as_deref()).map(Work::Wait);
        }
        match signal {
            Some(name) => self.signal(name).map(|name| Work::Signal { name, timeout }),
            None => Some(Work::Approve { timeout }),
        }
    }

    fn tool(&mut self, name: &str, tools: &[String]) -> Option<Work> {
        if !tools.iter().any(|granted| granted == name) {
            self.refuse("/tool", format!("the template's tools do not list {name:?}; add it to `tools`"));
        }
        name.parse()
            .map(Work::Tool)
            .map_err(|fault: crate::domain::name::InvalidName| self.refuse("/tool", fault.to_string()))
            .ok()
    }

    fn signal(&mut self, name: &str) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_good = name.len() <= SIGNAL_NAME_BYTES_MAX && name.chars().all(plain) && !name.is_empty();
        if !is_good {
            let message = format!("not a signal's name: 1 to {SIGNAL_NAME_BYTES_MAX} ASCII letters, digits, - and _");
            self.refuse("/signal", message);
        }
        is_good.then(|| name.to_owned())
    }

    fn duration(&mut self, field: &str, text: Option<&str>) -> Option<Duration> {
        let text = text?;
        match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() && duration <= WAIT_MAX => Some(duration),
            Ok(_) | Err(_) => {
                self.refuse(field, "not a duration such as \"10m\", of more than zero and at most 366 days");
                None
            }
        }
    }

    /// What the step is given; for an approval, what is asked.
    fn input(&mut self, step: &wire::Step) -> Option<InputTemplate> {
        let takes_none = step.wait.is_some() || step.signal.is_some();
        if takes_none && step.map.is_some() {
            self.refuse("/map", "a step that waits is not repeated");
        }
        if step.input.is_some() && (takes_none || step.approve.is_some()) {
            self.refuse("/input", "only a step with template, capability or tool is given something");
        }
        let (field, text) = match (&step.approve, &step.input) {
            (Some(question), _) => ("/approve", Some(question.as_str())),
            (None, Some(input)) => ("/input", Some(input.as_str())),
            (None, None) => ("/input", takes_none.then_some("")),
        };
        let read = text.map_or_else(|| Ok(InputTemplate::whole_input()), InputTemplate::parse);
        let input = read.map_err(|message| self.refuse(field, message)).ok();
        if step.map.is_none() && input.as_ref().is_some_and(InputTemplate::reads_item) {
            self.refuse(field, "{{item}} has a meaning only in a step with map");
        }
        input
    }
}
