//! Rules, parsed once and asked from several threads: each takes an engine that is at rest, or a copy of the first.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value as RegoValue};
use serde_json::Value;

use super::denial::Denial;
use super::source::File;

/// The longest evaluation of all rules for one template; a check takes well under a millisecond.
pub const EVALUATION_TIME_MAX: Duration = Duration::from_millis(250);
/// The longest evaluation when a policy is tried before it comes into force: many templates are judged one after the other, and
/// what takes long keeps revocations waiting.
pub const PROBE_TIME_MAX: Duration = Duration::from_millis(50);
/// The longest evaluation of one of the operators' tests, which nobody waits for.
pub(super) const TEST_TIME_MAX: Duration = Duration::from_secs(2);
/// The most denials that are told of one template.
pub const DENIALS_MAX: usize = 64;
/// Work units between two looks at the clock.
const CLOCK_INTERVAL: NonZeroU32 = NonZeroU32::new(64).unwrap();
/// The most engines at rest, each of some hundred kilobytes; more work at once makes copies of the first.
const AT_REST_MAX: usize = 16;

/// How long the rules may be evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For one evaluation.
    pub(super) time_max: Duration,
    /// How often one that took longer is begun: the machine may have been busy.
    pub(super) tries: usize,
}

impl Patience {
    /// When a template or a use is judged.
    pub(super) const JUDGING: Self = Self { time_max: EVALUATION_TIME_MAX, tries: 2 };
    /// When a policy is tried.
    pub(super) const PROBING: Self = Self { time_max: PROBE_TIME_MAX, tries: 5 };
    /// When the operators' tests are run.
    pub(super) const TESTING: Self = Self { time_max: TEST_TIME_MAX, tries: 1 };
}

/// Why there is no answer.
enum Fault {
    OutOfTime,
    Told(String),
}

/// Rules that are ready to be asked. Safe to share between threads.
pub(super) struct Rules {
    first: Engine,
    patience: Patience,
    at_rest: Mutex<Vec<Engine>>,
}

impl Rules {
    /// Parses modules; `data` is what they find under `data`. They are evaluated with the patience for judging.
    ///
    /// # Errors
    /// What is wrong with each file, with its line and column.
    pub(super) fn parse<'a>(files: impl Iterator<Item = &'a File>, data: &Value) -> Result<Self, Vec<String>> {
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(true);
        engine.set_gather_prints(true);
        let mut mistakes = Vec::new();
        for file in files {
            if let Err(reason) = super::nesting::check(&file.text) {
                mistakes.push(format!("{}:{reason}", file.name));
            } else if let Err(fault) = engine.add_policy(file.name.clone(), file.text.clone()) {
                mistakes.push(in_one_line(&fault));
            }
        }
        if let Err(fault) = engine.add_data(RegoValue::from(data.clone())) {
            mistakes.push(in_one_line(&fault));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut rules = Self { first: engine, patience: Patience::JUDGING, at_rest: Mutex::default() };
        rules.be_patient(Patience::JUDGING);
        Ok(rules)
    }

    /// Changes how long they may be evaluated.
    pub(super) fn be_patient(&mut self, patience: Patience) {
        let timer = ExecutionTimerConfig { limit: patience.time_max, check_interval: CLOCK_INTERVAL };
        self.first.set_execution_timer_config(timer);
        self.patience = patience;
        // Those at rest are copies with the patience of before.
        self.at_rest.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn first(&mut self) -> &mut Engine {
        &mut self.first
    }

    /// Evaluates one rule, such as `data.operator.template.deny`.
    pub(super) fn ask(&self, rule: &str, input: &Value) -> Result<RegoValue, String> {
        for _ in 0..self.patience.tries {
            match self.once(rule, input) {
                Ok(answer) => return Ok(answer),
                Err(Fault::OutOfTime) => {}
                Err(Fault::Told(fault)) => return Err(fault),
            }
        }
        // Without the time that it took: what is told of the same policy is the same each time.
        let name = rule.rsplit('.').next().unwrap_or(rule);
        Err(format!("{name} takes more than {} ms for one template", self.patience.time_max.as_millis()))
    }

    fn once(&self, rule: &str, input: &Value) -> Result<RegoValue, Fault> {
        let at_rest = self.at_rest.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut engine = at_rest.unwrap_or_else(|| self.first.clone());
        engine.set_input(RegoValue::from(input.clone()));
        // An engine that failed may hold half of what it worked out: it is not asked again.
        let answer = engine.eval_rule(rule.to_owned()).map_err(|fault| match fault.downcast_ref() {
            Some(LimitError::TimeLimitExceeded { .. }) => Fault::OutOfTime,
            Some(_) | None => Fault::Told(in_one_line(&fault)),
        })?;
        let mut at_rest = self.at_rest.lock().unwrap_or_else(PoisonError::into_inner);
        if at_rest.len() < AT_REST_MAX {
            at_rest.push(engine);
        }
        Ok(answer)
    }

    /// The denials in a set of `{"rule", "message"}`.
    pub(super) fn denials(&self, rule: &str, input: &Value) -> Result<Vec<Denial>, String> {
        let answer = self.ask(rule, input).map_err(|fault| format!("the policy cannot be evaluated: {fault}"))?;
        let name = rule.rsplit('.').next().unwrap_or(rule);
        let shape = || format!("the policy's {name} is not a set of {{rule, message}}");
        let denials = answer.as_set().map_err(|_| shape())?;
        denials.iter().take(DENIALS_MAX).map(|denial| Denial::read(denial).ok_or_else(shape)).collect()
    }
}

/// What the engine says in several lines, as `file:line:column: reason`.
pub(super) fn in_one_line(fault: &impl fmt::Display) -> String {
    let told = fault.to_string();
    let mut lines = told.lines().map(str::trim);
    let place = lines.clone().find_map(|line| line.strip_prefix("--> "));
    let reason = lines.find_map(|line| line.strip_prefix("error: "));
    match (place, reason) {
        (Some(place), Some(reason)) => format!("{place}: {}", reason.trim_end_matches(" when evaluating rule:")),
        (_, _) => told.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
