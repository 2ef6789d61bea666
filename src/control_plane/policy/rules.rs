//! Rego rules, prepared once.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value as RegoValue};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::domain::name::{Digest, KeyId};

/// The longest evaluation of all rules for one template; a check takes well under a millisecond.
pub const EVALUATION_TIME_MAX: Duration = Duration::from_secs(2);
/// Work units between two looks at the clock.
const CLOCK_INTERVAL: NonZeroU32 = NonZeroU32::new(64).unwrap();
/// The most denials that are told of one template.
const DENIALS_MAX: usize = 64;

const SHIPPED: &str = include_str!("shipped.rego");
const DENY: &str = "data.factory.template.deny";
/// A template that reaches the body of every shipped rule: functions that do not exist fail only when they are reached.
const PROBE: &str = r#"{"name": "probe", "version": "1.0.0", "system_prompt": "", "tools": ["run_shell", "writeFile", "safeshell", "plain"], "model": {"max_output_tokens": 10000000}}"#;

/// Why the policy does not let a template run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denial {
    /// The rule.
    pub rule: String,
    /// What it says.
    pub message: String,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}: {}", self.rule, self.message)
    }
}

/// A set of Rego rules (v1 syntax) in the package `factory.template`, whose set `deny` holds `{"rule", "message"}`.
pub struct Policy {
    source: Arc<str>,
    digest: Digest,
    prepared: OnceLock<Result<Engine, String>>,
}

impl Policy {
    /// The shipped rules. Cheap: nothing is parsed before the first check.
    #[must_use]
    pub fn shipped() -> Self {
        Self::new(SHIPPED)
    }

    /// Rules from their text.
    pub fn new(source: impl Into<Arc<str>>) -> Self {
        let source = source.into();
        let digest = Digest::from_bytes(Sha256::digest(source.as_bytes()).into());
        Self { source, digest, prepared: OnceLock::new() }
    }

    /// The SHA-256 of the rules' text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks a resolved template; `signer` is the key whose signature fits, with its algorithm.
    ///
    /// # Errors
    /// Why it may not run, in a stable order. Rules that cannot be evaluated deny.
    pub fn check(&self, resolved: &Value, signer: Option<(&KeyId, &str)>) -> Result<(), Vec<Denial>> {
        let broken = |reason: String| vec![Denial { rule: "evaluation".to_owned(), message: reason }];
        let engine =
            self.prepared.get_or_init(|| prepare(&self.source)).as_ref().map_err(|fault| broken(fault.clone()))?;
        let denials = evaluate(&mut engine.clone(), resolved, signer).map_err(broken)?;
        if denials.is_empty() { Ok(()) } else { Err(denials) }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}", self.digest)
    }
}

fn prepare(source: &str) -> Result<Engine, String> {
    let told = |fault: &dyn fmt::Display| format!("the policy cannot be used: {fault}");
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: EVALUATION_TIME_MAX,
        check_interval: CLOCK_INTERVAL,
    });
    engine.add_policy("policy.rego".to_owned(), source.to_owned()).map_err(|fault| told(&fault))?;
    engine.add_data_json(r#"{"grants": {"tools": {}}}"#).map_err(|fault| told(&fault))?;
    let probe: Value = serde_json::from_str(PROBE).map_err(|fault| told(&fault))?;
    let _denials = evaluate(&mut engine, &probe, None)?;
    Ok(engine)
}

fn evaluate(engine: &mut Engine, resolved: &Value, signer: Option<(&KeyId, &str)>) -> Result<Vec<Denial>, String> {
    let signer = signer.map(|(key_id, algorithm)| json!({"key_id": key_id.as_str(), "algorithm": algorithm}));
    engine.set_input(RegoValue::from(json!({"template": resolved, "signer": signer})));
    let result =
        engine.eval_rule(DENY.to_owned()).map_err(|fault| format!("the policy cannot be evaluated: {fault}"))?;
    let shape = || "the policy's deny is not a set of {rule, message}".to_owned();
    let denials = result.as_set().map_err(|_| shape())?;
    denials.iter().take(DENIALS_MAX).map(|denial| read(denial).ok_or_else(shape)).collect()
}

fn read(denial: &RegoValue) -> Option<Denial> {
    let fields = denial.as_object().ok()?;
    let field = |name: &str| Some(fields.get(&RegoValue::from(name))?.as_string().ok()?.to_string());
    Some(Denial { rule: field("rule")?, message: field("message")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(template: Value) -> Vec<String> {
        let denials = Policy::shipped().check(&template, None).err().unwrap_or_default();
        denials.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dangerous_tools_are_denied_by_name() {
        for tool in [
            "shell",
            "shell_command",
            "run-shell",
            "bash",
            "RunBash",
            "exec",
            "execCode",
            "python_eval",
            "eval",
            "subprocess.run",
            "mcp:fs/write_file",
            "writeFile",
            "filesystem_write",
            "delete_directory",
            "http_get",
            "network",
            "fetch",
            "web/curl",
            "os.system",
            "writefile",
            "safeshellx",
            "SHELL",
            "run_python",
            "HTTPRequest",
        ] {
            let told = denied(json!({"tools": ["read_notes", tool]}));
            assert!(!told.is_empty() && told.iter().all(|line| line.contains(tool)), "{tool}: {told:?}");
        }
    }

    #[test]
    fn harmless_tools_pass() {
        for tool in [
            "read_file",
            "search",
            "calculator",
            "summarise",
            "list_directory",
            "publish_report",
            "wash",
            "cite",
            "evidence",
            "retrieval",
            "executive_summary",
            "evaluate_answer",
            "process_invoice",
            "system_status",
        ] {
            assert_eq!(denied(json!({"tools": [tool]})), Vec::<String>::new());
        }
        assert!(denied(json!({"system_prompt": "write files in a shell"})).is_empty());
    }

    #[test]
    fn sizes_have_a_cap() {
        assert!(denied(json!({"model": {"max_output_tokens": 65_536}})).is_empty());
        assert!(denied(json!({"model": {"max_output_tokens": 65_537}}))[0].contains("output_tokens"));
        let many: Vec<String> = (0..65).map(|n| format!("t{n}")).collect();
        assert!(denied(json!({ "tools": many }))[0].contains("tool_count"));
    }

    #[test]
    fn a_policy_that_cannot_be_used_denies_everything() {
        for (source, part) in [
            ("this is not rego", "cannot be used"),
            ("package factory.template\n\ndeny contains d if { d := no_such_function(input) }", "cannot be"),
            ("package factory.template\n\ndeny := true", "is not a set"),
            ("package factory.template\n\ndeny contains \"x\" if true", "is not a set"),
            ("package other\n\ndeny contains \"x\" if true", "cannot be evaluated"),
        ] {
            let told = Policy::new(source).check(&json!({}), None).expect_err(source);
            assert!(told[0].message.contains(part), "{source}: {told:?}");
        }
    }

    #[test]
    fn an_endless_evaluation_is_cut_off_and_denies() {
        let source = "package factory.template\n\ndeny contains d if {\n\tsome a in numbers.range(0, 3000)\n\tsome b in numbers.range(0, 3000)\n\ta * b < 0\n\td := {\"rule\": \"x\", \"message\": \"y\"}\n}";
        let told = Policy::new(source).check(&json!({}), None).expect_err("too slow");
        assert!(told[0].message.contains("cannot be evaluated"), "{told:?}");
    }

    #[test]
    fn the_signer_is_known_to_the_rules() {
        let policy = Policy::new(
            "package factory.template\n\ndeny contains {\"rule\": \"signer\", \"message\": \"only ops signs\"} if { input.signer.key_id != \"ops\" }",
        );
        let (ops, eve): (KeyId, KeyId) = ("ops".parse().expect("id"), "eve".parse().expect("id"));
        assert!(policy.check(&json!({}), Some((&ops, "ed25519"))).is_ok());
        assert!(policy.check(&json!({}), Some((&eve, "ed25519"))).is_err());
        assert_ne!(policy.digest(), Policy::shipped().digest());
    }
}
