//! A resolved template as its JSON has it, and its way into the typed form.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::hook::Hooks;
use crate::domain::money::Usd;
use crate::domain::name::{Digest, TemplateName, Version};
use crate::domain::private::Text;
use crate::domain::protection::Protection;
use crate::supervision::{Backoff, Intensity, Restart, SpecError};

use super::mistake::Mistake;
use super::{hooks, plan, protection};
use crate::control_plane::template::model::{self, Kind, Limits, Pool, Signer, Supervision, Template};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    name: String,
    version: String,
    #[serde(rename = "extends")]
    _extends: Option<String>,
    kind: Option<String>,
    description: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    system_prompt: Option<String>,
    #[serde(default)]
    model: Model,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    budget: Budget,
    #[serde(default)]
    dlp: protection::Wire,
    #[serde(default)]
    supervision: SupervisionWire,
    cache: Option<CacheWire>,
    #[serde(default)]
    refine: Refine,
    #[serde(default)]
    memory: Memory,
    #[serde(default)]
    pool: PoolWire,
    plan: Option<Plan>,
    #[serde(default)]
    limits: LimitsWire,
    #[serde(default)]
    hooks: hooks::Wire,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Model {
    route: Option<String>,
    max_output_tokens: Option<u32>,
    temperature: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Budget {
    per_task_usd: Option<String>,
    per_task_tokens: Option<u64>,
    per_task_time: Option<String>,
    per_day_usd: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SupervisionWire {
    restart: Option<String>,
    intensity: Option<u32>,
    period: Option<String>,
    #[serde(default)]
    backoff: BackoffWire,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct BackoffWire {
    initial: Option<String>,
    max: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheWire {
    ttl: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Memory {
    history: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Refine {
    passes: Option<u32>,
    prompt: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct PoolWire {
    warm: Option<u32>,
    max: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitsWire {
    depth: Option<u32>,
    fan_out: Option<u32>,
    budget_usd: Option<String>,
}

/// A plan as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control_plane::template) struct Plan {
    pub(in crate::control_plane::template) by: Option<String>,
    pub(in crate::control_plane::template) route: Option<String>,
    pub(in crate::control_plane::template) workers: Option<Vec<String>>,
    #[serde(default)]
    pub(in crate::control_plane::template) steps: Vec<Step>,
    pub(in crate::control_plane::template) aggregate: Option<Aggregate>,
}

/// A step as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control_plane::template) struct Step {
    pub(in crate::control_plane::template) id: String,
    pub(in crate::control_plane::template) template: Option<String>,
    pub(in crate::control_plane::template) capability: Option<String>,
    pub(in crate::control_plane::template) tool: Option<String>,
    pub(in crate::control_plane::template) wait: Option<String>,
    pub(in crate::control_plane::template) approve: Option<String>,
    pub(in crate::control_plane::template) signal: Option<String>,
    pub(in crate::control_plane::template) timeout: Option<String>,
    pub(in crate::control_plane::template) input: Option<String>,
    #[serde(default)]
    pub(in crate::control_plane::template) needs: Vec<String>,
    pub(in crate::control_plane::template) map: Option<String>,
    pub(in crate::control_plane::template) on_failure: Option<String>,
}

/// An aggregate as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control_plane::template) struct Aggregate {
    pub(in crate::control_plane::template) mode: String,
    pub(in crate::control_plane::template) step: Option<String>,
}

/// What a template's own JSON does not say.
pub(in crate::control_plane::template) struct Facts {
    pub(in crate::control_plane::template) digest: Digest,
    pub(in crate::control_plane::template) signer: Option<Signer>,
    pub(in crate::control_plane::template) published_at: Timestamp,
}

/// Gives a resolved template its typed form; all mistakes are told at once.
pub(in crate::control_plane::template) fn typed(resolved: &Value, facts: Facts) -> Result<Template, Vec<Mistake>> {
    let wire = Wire::deserialize(resolved).map_err(|fault| vec![Mistake::at("", fault.to_string())])?;
    let mut reader = Reader::default();
    let limits = reader.limits(&wire.limits);
    let kind = reader.kind(&wire, limits);
    let name = reader.parse::<TemplateName>("/name", &wire.name);
    let version = reader.parse::<Version>("/version", &wire.version);
    let capabilities = reader.list("/capabilities", &wire.capabilities);
    let tools = reader.list("/tools", &wire.tools);
    let route = reader.parse("/model/route", wire.model.route.as_deref().unwrap_or(model::ROUTE_DEFAULT));
    let budget = model::Budget {
        per_task: reader.usd("/budget/per_task_usd", wire.budget.per_task_usd.as_deref()),
        per_task_tokens: wire.budget.per_task_tokens,
        per_task_time: reader.task_time(wire.budget.per_task_time.as_deref()),
        per_day: reader.usd("/budget/per_day_usd", wire.budget.per_day_usd.as_deref()),
    };
    let protection = protection::read(&wire.dlp).unwrap_or_else(|mistakes| {
        reader.mistakes.extend(mistakes);
        Protection::default()
    });
    let supervision = reader.supervision(&wire.supervision);
    let cache = wire.cache.as_ref().and_then(|cache| reader.ttl(&cache.ttl));
    let pool = reader.pool(&wire.pool);
    let hooks = hooks::read(&wire.hooks, &wire.tools).unwrap_or_else(|mistakes| {
        reader.mistakes.extend(mistakes);
        Hooks::default()
    });
    if wire.system_prompt.is_none() {
        reader.refuse("/system_prompt", "missing, and no template above has one");
    }
    match (name, version, route, kind, wire.system_prompt) {
        (Some(name), Some(version), Some(route), Some(kind), Some(prompt)) if reader.mistakes.is_empty() => {
            Ok(Template {
                name,
                version,
                kind,
                digest: facts.digest,
                signer: facts.signer,
                description: wire.description,
                capabilities,
                system_prompt: Text::from(prompt),
                model: model::Model {
                    route,
                    max_output_tokens: wire.model.max_output_tokens.unwrap_or(model::OUTPUT_TOKENS_DEFAULT),
                    temperature: wire.model.temperature,
                },
                tools,
                hooks,
                budget,
                protection,
                supervision,
                cache,
                refine: model::Refine {
                    passes: wire.refine.passes.unwrap_or_default(),
                    prompt: Text::from(wire.refine.prompt.as_deref().unwrap_or(model::REFINE_PROMPT)),
                },
                memory_turns: wire.memory.history.unwrap_or(model::HISTORY_TURNS_DEFAULT),
                pool,
                limits,
                published_at: facts.published_at,
            })
        }
        _ => Err(reader.mistakes),
    }
}

/// Reads fields one by one and collects what is wrong with them.
#[derive(Default)]
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.mistakes.push(Mistake::at(pointer, message));
    }

    fn parse<T: FromStr<Err: std::fmt::Display>>(&mut self, pointer: &str, text: &str) -> Option<T> {
        text.parse().map_err(|fault: T::Err| self.refuse(pointer, fault.to_string())).ok()
    }

    fn list<T: FromStr<Err: std::fmt::Display>>(&mut self, pointer: &str, texts: &[String]) -> Vec<T> {
        let items = texts.iter().enumerate();
        items.filter_map(|(index, text)| self.parse(&format!("{pointer}/{index}"), text)).collect()
    }

    fn usd(&mut self, pointer: &str, text: Option<&str>) -> Option<Usd> {
        text.and_then(|text| self.parse(pointer, text))
    }

    fn duration(&mut self, pointer: &str, text: Option<&str>, default: Duration) -> Duration {
        let Some(text) = text else { return default };
        humantime::parse_duration(text).unwrap_or_else(|_| {
            self.refuse(pointer, "not a duration such as \"200ms\" or \"60s\"");
            default
        })
    }

    fn supervision(&mut self, written: &SupervisionWire) -> Supervision {
        let default = Supervision::default();
        let restart = match written.restart.as_deref() {
            None => default.restart,
            Some("permanent") => Restart::Permanent,
            Some("transient") => Restart::Transient,
            Some("temporary") => Restart::Temporary,
            Some(_) => {
                self.refuse("/supervision/restart", "one of permanent, transient and temporary");
                default.restart
            }
        };
        let period = self.duration("/supervision/period", written.period.as_deref(), default.intensity.period);
        let initial = written.backoff.initial.as_deref();
        let backoff = Backoff {
            initial: self.duration("/supervision/backoff/initial", initial, default.backoff.initial),
            max: self.duration("/supervision/backoff/max", written.backoff.max.as_deref(), default.backoff.max),
        };
        if backoff.initial > backoff.max {
            let (initial, max) = (humantime::format_duration(backoff.initial), humantime::format_duration(backoff.max));
            self.refuse("/supervision/backoff", format!("initial ({initial}) is longer than max ({max})"));
        }
        let intensity = Intensity { restarts: written.intensity.unwrap_or(default.intensity.restarts), period };
        self.intensity(restart, intensity);
        Supervision { restart, intensity, backoff }
    }

    fn intensity(&mut self, restart: Restart, intensity: Intensity) {
        match intensity.check() {
            Ok(()) => {}
            Err(SpecError::PeriodZero { .. }) => {
                self.refuse(
                    "/supervision/period",
                    "must be above zero: the restarts of `intensity` are counted within it",
                );
            }
            Err(fault) => self.refuse("/supervision/intensity", fault.to_string()),
        }
        match restart {
            Restart::Permanent | Restart::Transient if intensity.restarts == 0 => self.refuse(
                "/supervision/intensity",
                "bears no restart, so that nothing is ever restarted as `restart` says; write \"restart\": \"temporary\" for that",
            ),
            Restart::Permanent | Restart::Transient | Restart::Temporary => {}
        }
    }

    fn ttl(&mut self, text: &str) -> Option<Duration> {
        let ttl = self.duration("/cache/ttl", Some(text), model::CACHE_TTL_MAX);
        if (model::CACHE_TTL_MIN..=model::CACHE_TTL_MAX).contains(&ttl) {
            return Some(ttl);
        }
        self.refuse("/cache/ttl", "must be from 1s to 30d");
        None
    }

    fn task_time(&mut self, text: Option<&str>) -> Option<Duration> {
        let time = self.duration("/budget/per_task_time", Some(text?), model::TASK_TIME_MAX);
        if (model::TASK_TIME_MIN..=model::TASK_TIME_MAX).contains(&time) {
            return Some(time);
        }
        self.refuse("/budget/per_task_time", "must be from 1ms to 366d");
        None
    }

    fn pool(&mut self, written: &PoolWire) -> Pool {
        if written.warm.is_some_and(|warm| warm > 0) {
            self.refuse(
                "/pool/warm",
                "agents that are kept ready are not run by this version; write 0 or leave it out",
            );
        }
        Pool { max: written.max }
    }

    fn limits(&mut self, written: &LimitsWire) -> Limits {
        let default = Limits::default();
        Limits {
            depth: written.depth.unwrap_or(default.depth),
            fan_out: written.fan_out.unwrap_or(default.fan_out),
            budget: self.usd("/limits/budget_usd", written.budget_usd.as_deref()),
        }
    }

    fn kind(&mut self, wire: &Wire, limits: Limits) -> Option<Kind> {
        match (wire.kind.as_deref().unwrap_or("agent"), &wire.plan) {
            ("agent", None) => Some(Kind::Agent),
            ("agent", Some(_)) => {
                self.refuse("/plan", "only a template of kind orchestrator has a plan");
                None
            }
            ("orchestrator", Some(written)) => match plan::validate(written, limits.fan_out, &wire.tools) {
                Ok(plan) => Some(Kind::Orchestrator(plan)),
                Err(mistakes) => {
                    self.mistakes.extend(mistakes);
                    None
                }
            },
            ("orchestrator", None) => {
                self.refuse("/plan", "missing: an orchestrator has a plan");
                None
            }
            (_, _) => {
                self.refuse("/kind", "one of agent and orchestrator");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protection::Action;
    use serde_json::json;

    fn facts() -> Facts {
        Facts { digest: Digest::from_bytes([0; 32]), signer: None, published_at: Timestamp::from_micros(0) }
    }

    #[test]
    fn the_template_of_the_blueprint_has_its_typed_form() {
        let template = typed(
            &json!({
                "name": "documentaliste", "version": "1.0.0", "extends": "base", "description": "d", "capabilities": ["documentation"],
                "system_prompt": "p", "model": {"route": "review", "max_output_tokens": 1024, "temperature": 0.2}, "tools": ["read"],
                "budget": {"per_task_usd": "0.05", "per_task_tokens": 9000, "per_task_time": "10m", "per_day_usd": "2.00"},
                "dlp": {"outbound": "mask"},
                "supervision": {"restart": "permanent", "intensity": 3, "period": "30s", "backoff": {"initial": "100ms", "max": "5s"}},
                "memory": {"history": 7}, "pool": {"warm": 0, "max": 2}
            }),
            facts(),
        )
        .expect("good");
        assert_eq!(template.budget.per_day.map(|usd| usd.to_string()), Some("2.00".to_owned()));
        assert_eq!(template.budget.per_task_tokens, Some(9_000));
        assert_eq!(template.budget.per_task_time, Some(Duration::from_secs(600)));
        assert_eq!(template.protection, Protection::simple(Action::Mask, Action::Allow));
        assert_eq!(template.supervision.restart, Restart::Permanent);
        assert_eq!(template.supervision.intensity, Intensity { restarts: 3, period: Duration::from_secs(30) });
        assert_eq!((template.memory_turns, template.pool), (7, Pool { max: Some(2) }));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let template = typed(&json!({"name": "a", "version": "1.0.0", "system_prompt": "p"}), facts()).expect("good");
        assert_eq!(template.kind, Kind::Agent);
        assert_eq!(template.model.route.as_str(), ROUTE);
        assert_eq!(template.protection, Protection::default());
        assert_eq!(template.supervision, Supervision::default());
        assert_eq!(template.limits, Limits::default());
    }

    const ROUTE: &str = model::ROUTE_DEFAULT;

    #[test]
    fn supervision_that_contradicts_itself_is_a_mistake_where_it_is_written() {
        for (supervision, pointer, word) in [
            (json!({"intensity": 0}), "/supervision/intensity", "temporary"),
            (json!({"intensity": 0, "restart": "permanent"}), "/supervision/intensity", "temporary"),
            (json!({"period": "0s"}), "/supervision/period", "above zero"),
            (json!({"intensity": 100_001}), "/supervision/intensity", "intensity_endless"),
            (json!({"backoff": {"initial": "2s", "max": "1s"}}), "/supervision/backoff", "longer"),
        ] {
            let template = json!({"name": "a", "version": "1.0.0", "system_prompt": "p", "supervision": supervision});
            let mistakes = typed(&template, facts()).expect_err("a mistake");
            assert!(
                mistakes.iter().any(|mistake| mistake.pointer == pointer && mistake.to_string().contains(word)),
                "{mistakes:?}"
            );
        }
        let never = json!({"intensity": 0, "restart": "temporary"});
        let template = json!({"name": "a", "version": "1.0.0", "system_prompt": "p", "supervision": never});
        typed(&template, facts()).expect("what is never restarted bears no restart");
    }

    #[test]
    fn mistakes_that_only_the_whole_shows_are_told_at_once() {
        let mistakes = typed(
            &json!({
                "name": "a", "version": "1.0.0", "pool": {"warm": 9}, "plan": {"steps": []},
                "supervision": {"backoff": {"initial": "60s"}}, "budget": {"per_task_usd": "1000000001"}
            }),
            facts(),
        )
        .expect_err("mistakes");
        let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert_eq!(pointers, ["/plan", "/budget/per_task_usd", "/supervision/backoff", "/pool/warm", "/system_prompt"]);
    }
}
