//! The policy in force: the shipped rules, and what operators add.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::domain::name::{Digest, KeyId, Tenant, User};

use super::denial::Denial;
use super::engine::{Patience, Rules};
use super::grants::{Data, Grants};
use super::inspect::{self, PACKAGE};
use super::source::{File, SHIPPED, Source};

const SHIPPED_DENY: &str = "data.factory.template.deny";
const DENY: &str = "data.operator.template.deny";
const DENY_USE: &str = "data.operator.template.deny_use";
/// The most verdicts of the shipped rules that are kept.
const VERDICTS_MAX: usize = 8_192;
/// The longest input whose verdict is kept, in bytes.
const VERDICT_KEY_BYTES_MAX: usize = 4_096;
/// The most verdicts on uses that are kept.
const USES_MAX: usize = 16_384;

/// Who wants to use a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The principal's name.
    pub name: Arc<str>,
    /// Its role; `task` where an orchestrator delegates.
    pub role: Arc<str>,
    /// In which tenant.
    pub tenant: Tenant,
    /// For whom.
    pub user: Option<User>,
}

/// What was decided.
type Verdict = Result<(), Vec<Denial>>;

/// A set of Rego rules (v1 syntax): the shipped ones in the package `factory.template`, and the operators' in
/// `operator.template`. Each is evaluated in an engine of its own, so that no module can change what another says.
pub struct Policy {
    digest: Digest,
    source: Source,
    environment: Option<String>,
    grants: Grants,
    shipped_data: Value,
    shipped: OnceLock<Result<Rules, Vec<String>>>,
    operators: Option<Operators>,
    /// Why everything is denied.
    closed: Option<Vec<String>>,
    verdicts: Mutex<HashMap<String, Vec<Denial>>>,
    uses: Mutex<HashMap<(Digest, Asker), Verdict>>,
}

struct Operators {
    rules: Rules,
    denies: bool,
    denies_use: bool,
}

impl Policy {
    /// The shipped rules. Cheap: nothing is parsed before the first check.
    #[must_use]
    pub fn shipped() -> Self {
        Self::over(Source::default(), Data::empty(), None)
    }

    /// The shipped rules, and what operators wrote. Every rule is evaluated, and every call in it looked at, so that a policy
    /// that cannot be used, or is slow, is found here.
    ///
    /// # Errors
    /// All that is wrong, with file, line and column.
    pub fn load(source: Source, environment: Option<String>) -> Result<Self, Vec<String>> {
        Self::tried(source, environment, Patience::PROBING)
    }

    /// A policy that was good before: it is not refused because the machine is slow now.
    pub(super) fn recalled(source: Source, environment: Option<String>) -> Result<Self, Vec<String>> {
        Self::tried(source, environment, Patience::JUDGING)
    }

    pub(super) fn tried(source: Source, environment: Option<String>, patience: Patience) -> Result<Self, Vec<String>> {
        let data = source.data().map_or_else(|| Ok(Data::empty()), |file| Data::parse(&file.text));
        let (data, mut mistakes) = match data {
            Ok(data) => (data, Vec::new()),
            Err(mistakes) => (Data::empty(), mistakes),
        };
        let operators = match Operators::of(&source, &data) {
            Ok(operators) => operators,
            Err(more) => {
                mistakes.extend(more);
                None
            }
        };
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut policy = Self { operators, environment, ..Self::over(source, data, None) };
        policy.be_patient(patience);
        policy.probe()?;
        policy.be_patient(Patience::JUDGING);
        Ok(policy)
    }

    /// A policy that denies everything, because there is none that can be used.
    #[must_use]
    pub fn closed(reasons: Vec<String>) -> Self {
        let mut closed = Self::over(Source::default(), Data::empty(), Some(reasons));
        // Nobody must take what it decided for decisions of the shipped rules.
        closed.digest = Digest::from_bytes(Sha256::digest(b"agent-factory/policy/closed").into());
        closed
    }

    fn over(source: Source, data: Data, closed: Option<Vec<String>>) -> Self {
        Self {
            digest: source.digest(),
            source,
            environment: None,
            grants: data.grants,
            shipped_data: data.shipped,
            shipped: OnceLock::new(),
            operators: None,
            closed,
            verdicts: Mutex::default(),
            uses: Mutex::default(),
        }
    }

    /// The SHA-256 over the shipped rules and every file of the operators.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the operators wrote.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What is granted in spite of the shipped rules.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Whether everything is denied, because there is no policy that can be used.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Checks a resolved template; `signer` is the key whose signature fits, with its algorithm.
    ///
    /// # Errors
    /// Why it may not run, in a stable order. Rules that cannot be evaluated deny.
    pub fn check(&self, resolved: &Value, signer: Option<(&KeyId, &str)>) -> Result<(), Vec<Denial>> {
        if let Some(reasons) = &self.closed {
            let told = format!("no policy can be used, so that nothing may run: {}", reasons.join("; "));
            return Err(vec![Denial { rule: "closed".to_owned(), message: told }]);
        }
        let mut denials = self.ask_shipped(resolved);
        if let Some(operators) = self.operators.as_ref().filter(|operators| operators.denies) {
            let signer = signer.map(|(key_id, algorithm)| json!({"key_id": key_id.as_str(), "algorithm": algorithm}));
            let input = json!({"template": resolved, "signer": signer, "environment": self.environment});
            let more = operators.rules.denials(DENY, &input);
            denials.extend(more.unwrap_or_else(|fault| vec![Denial::unanswered(fault)]));
        }
        if denials.is_empty() { Ok(()) } else { Err(denials) }
    }

    /// Whether a rule of the operators says who may use which template; without one, nobody need ask.
    #[must_use]
    pub fn judges_use(&self) -> bool {
        self.closed.is_some() || self.operators.as_ref().is_some_and(|operators| operators.denies_use)
    }

    /// What was decided about a use before, if it is still known.
    #[must_use]
    pub fn known_use(&self, template: Digest, asker: &Asker) -> Option<Result<(), Vec<Denial>>> {
        let uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.get(&(template, asker.clone())).cloned()
    }

    /// Whether somebody may use a template. Blocks while the rules are evaluated; the verdict is kept, unless they could not be.
    ///
    /// # Errors
    /// Why not. Rules that cannot be evaluated deny.
    pub fn check_use(&self, resolved: &Value, template: Digest, asker: &Asker) -> Result<(), Vec<Denial>> {
        if self.closed.is_some() {
            return self.check(resolved, None);
        }
        let Some(operators) = self.operators.as_ref().filter(|operators| operators.denies_use) else { return Ok(()) };
        let input = json!({"template": resolved, "principal": told(asker), "environment": self.environment});
        let denials = operators.rules.denials(DENY_USE, &input).map_err(|fault| vec![Denial::unanswered(fault)])?;
        let verdict = if denials.is_empty() { Ok(()) } else { Err(denials) };
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() >= USES_MAX {
            uses.clear();
        }
        let _earlier = uses.insert((template, asker.clone()), verdict.clone());
        verdict
    }

    /// The shipped rules see only the name, the tools and one number of a template, so that templates that inherit these share
    /// a verdict.
    fn ask_shipped(&self, resolved: &Value) -> Vec<Denial> {
        let name = resolved.get("name").filter(|_| self.grants.tell_names_apart()).cloned();
        let name = name.unwrap_or_else(|| json!("any"));
        let mut seen = json!({"name": name});
        if let Some(fields) = seen.as_object_mut() {
            for (field, value) in [("tools", resolved.get("tools")), ("model", resolved.get("model"))] {
                let value = match (field, value) {
                    ("model", Some(model)) => {
                        model.get("max_output_tokens").map(|max| json!({"max_output_tokens": max}))
                    }
                    (_, value) => value.cloned(),
                };
                fields.extend(value.map(|value| (field.to_owned(), value)));
            }
        }
        let key = seen.to_string();
        if let Some(known) = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let rules = self.shipped.get_or_init(|| {
            let file = File { name: "shipped.rego".to_owned(), text: SHIPPED.to_owned() };
            Rules::parse([&file].into_iter(), &self.shipped_data)
        });
        let answer = rules.as_ref().map_err(|faults| faults.join("; "));
        let answer = answer.and_then(|rules| rules.denials(SHIPPED_DENY, &json!({ "template": seen })));
        match answer {
            Err(fault) => vec![Denial::unanswered(fault)],
            Ok(denials) => {
                if key.len() <= VERDICT_KEY_BYTES_MAX {
                    let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                    if verdicts.len() >= VERDICTS_MAX {
                        verdicts.clear();
                    }
                    let _earlier = verdicts.insert(key, denials.clone());
                }
                denials
            }
        }
    }

    fn be_patient(&mut self, patience: Patience) {
        if let Some(operators) = &mut self.operators {
            operators.rules.be_patient(patience);
        }
    }

    /// Evaluates every rule for templates and principals as they may be: one with every field, one with as few as possible.
    fn probe(&self) -> Result<(), Vec<String>> {
        let Some(operators) = &self.operators else { return Ok(()) };
        let mut mistakes = Vec::new();
        for (template, signer, principal) in probes() {
            let environment = &self.environment;
            for (rule, is_there, input) in [
                (DENY, operators.denies, json!({"template": template, "signer": signer, "environment": environment})),
                (
                    DENY_USE,
                    operators.denies_use,
                    json!({"template": template, "principal": principal, "environment": environment}),
                ),
            ] {
                if is_there && let Err(fault) = operators.rules.denials(rule, &input) {
                    mistakes.push(fault);
                }
            }
        }
        mistakes.sort();
        mistakes.dedup();
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }
}

#[cfg(test)]
impl Policy {
    /// The shipped rules and one good module.
    pub(crate) fn written(module: &str) -> Self {
        let file = File { name: "a.rego".to_owned(), text: module.to_owned() };
        Self::load(Source::of(vec![file]).expect("small"), None).expect("a good policy")
    }
}

impl Operators {
    fn of(source: &Source, data: &Data) -> Result<Option<Self>, Vec<String>> {
        if source.modules().next().is_none() {
            return Ok(None);
        }
        let mut rules = Rules::parse(source.modules(), &data.operators)?;
        let found = inspect::inspect(rules.first())?;
        let (denies, denies_use) = (found.has(PACKAGE, "deny"), found.has(PACKAGE, "deny_use"));
        if !denies && !denies_use {
            return Err(vec![format!(
                "no module has a rule deny or deny_use in package {PACKAGE}: nothing would be denied"
            )]);
        }
        Ok(Some(Self { rules, denies, denies_use }))
    }
}

fn told(asker: &Asker) -> Value {
    json!({
        "name": *asker.name,
        "role": *asker.role,
        "tenant": asker.tenant.as_str(),
        "user": asker.user.as_ref().map(User::as_str),
    })
}

/// Templates with their signers, and principals.
fn probes() -> [(Value, Value, Value); 2] {
    let full = json!({
        "name": "probe", "version": "1.0.0", "extends": "base", "kind": "agent", "description": "a probe",
        "capabilities": ["probing"], "system_prompt": "Answer.",
        "model": {"route": "default", "max_output_tokens": 1_024, "temperature": 0.2},
        "tools": ["run_shell", "writeFile", "plain"],
        "budget": {"per_task_usd": "0.05", "per_day_usd": "2.00"}, "dlp": {"outbound": "pseudonymise"},
        "supervision": {"restart": "transient", "intensity": 5, "period": "60s",
            "backoff": {"initial": "200ms", "max": "30s"}},
        "memory": {"history": 20}, "pool": {"warm": 0, "max": 64},
        "limits": {"depth": 3, "fan_out": 64, "budget_usd": "0.50"},
    });
    let few = json!({"name": "probe", "version": "1.0.0", "system_prompt": "Answer."});
    [
        (
            full,
            json!({"key_id": "probe", "algorithm": "ed25519"}),
            json!({"name": "probe", "role": "submitter", "tenant": "default", "user": "probe"}),
        ),
        (few, Value::Null, json!({"name": "token:probe", "role": "task", "tenant": "default", "user": null})),
    ]
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}", self.digest)
    }
}
