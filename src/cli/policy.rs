//! `factoryctl policy`: what templates may ask for and who may use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::exit::{Error, Exit};
use super::output::{Output, Paint, Tone};
use super::session::Session;
use super::words;
use crate::control_plane::policy::testing::{self, Tested, Verdict};
use crate::control_plane::policy::{Asker, Policy, Source};
use crate::control_plane::template;
use crate::control_plane::template::signing::{self, Layout};
use crate::domain::name::{Tenant, User};
use crate::protocol;

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verbs {
    /// Shows the policy in force, and why the files are refused if they are.
    #[command(after_help = "Example:\n  factoryctl policy show")]
    Show,
    /// Loads a policy as the daemon would, runs its tests, and says what it denies of template files. Needs no daemon.
    #[command(
        after_help = "Example:\n  factoryctl policy test /etc/agent-factory/policy --template templates/base.json \\\n    --principal '{\"name\": \"ann\", \"role\": \"submitter\", \"tenant\": \"acme\"}'"
    )]
    Test(Test),
}

/// The arguments of `test`.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// The policy directory.
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Template files that are to be judged; their parents are looked for beside them.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    template: Vec<PathBuf>,
    /// Who wants to use the templates: {"name", "role", "tenant", "user"}.
    #[arg(long, value_name = "JSON", requires = "template")]
    principal: Option<String>,
    /// The environment that the rules are told.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    name: String,
    #[serde(default = "submitter")]
    role: String,
    tenant: Option<String>,
    user: Option<String>,
}

fn submitter() -> String {
    "submitter".to_owned()
}

/// The document.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether every test passed and no template was denied.
    ok: bool,
    digest: String,
    files: Vec<String>,
    tests: Vec<TestReport>,
    templates: Vec<TemplateReport>,
}

#[derive(Debug, Serialize)]
struct TestReport {
    name: String,
    place: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct TemplateReport {
    file: String,
    ok: bool,
    reasons: Vec<String>,
}

impl Verbs {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        match self {
            Self::Show => {
                let policy = session.client.policy().await?;
                session.output.show(&policy, |paint| shown(&policy, paint))?;
                Ok(Exit::Done)
            }
            Self::Test(test) => test.perform(&session.output),
        }
    }
}

/// Loads a policy directory as the daemon would.
pub(super) fn load(directory: &Path) -> Result<Policy, Error> {
    load_for(directory, None)
}

fn load_for(directory: &Path, environment: Option<String>) -> Result<Policy, Error> {
    let loaded = Source::read(directory).and_then(|source| Policy::load(source, environment));
    loaded.map_err(|reasons| Error::Policy { directory: directory.to_owned(), reasons })
}

impl Test {
    fn perform(self, output: &Output) -> Result<Exit, Error> {
        let asker = self.principal.as_deref().map(asker).transpose()?;
        let policy = load_for(&self.directory, self.environment.clone())?;
        let tested = testing::run(policy.source());
        let tested = tested.map_err(|reasons| Error::Policy { directory: self.directory.clone(), reasons })?;
        let tests: Vec<TestReport> = tested.into_iter().map(TestReport::from).collect();
        let templates = self.template.iter().map(|file| judged(file, &policy, asker.as_ref()));
        let templates = templates.collect::<Result<Vec<_>, Error>>()?;
        let failed = tests.iter().any(|test| test.outcome != PASSED);
        let denied = templates.iter().any(|template| !template.ok);
        let report = Report {
            ok: !failed && !denied,
            digest: policy.digest().to_string(),
            files: policy.source().names().map(str::to_owned).collect(),
            tests,
            templates,
        };
        output.show(&report, |paint| reported(&report, paint))?;
        Ok(match (failed, denied) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Refused,
            (false, false) => Exit::Done,
        })
    }
}

const PASSED: &str = "passed";

impl From<Tested> for TestReport {
    fn from(tested: Tested) -> Self {
        let Tested { name, place, verdict } = tested;
        let (outcome, error) = match verdict {
            Verdict::Passed => (PASSED, None),
            Verdict::Failed => ("failed", None),
            Verdict::Error(reason) => ("error", Some(reason)),
        };
        Self { name, place, outcome, error }
    }
}

fn asker(written: &str) -> Result<Asker, Error> {
    let told = |reason: String| Error::Usage(format!("--principal: {reason}"));
    let principal: Principal = serde_json::from_str(written).map_err(|fault| told(fault.to_string()))?;
    let tenant = principal.tenant.map_or_else(|| Ok(Tenant::default_tenant()), |tenant| tenant.parse());
    let user = principal.user.map(|user| user.parse::<User>()).transpose();
    Ok(Asker {
        name: Arc::from(principal.name),
        role: Arc::from(principal.role),
        tenant: tenant.map_err(|fault| told(fault.to_string()))?,
        user: user.map_err(|fault| told(fault.to_string()))?,
    })
}

fn judged(file: &Path, policy: &Policy, asker: Option<&Asker>) -> Result<TemplateReport, Error> {
    let reasons: Vec<String> = match signing::validate_file(file, &Layout::around(file, None), policy) {
        Ok(validated) => asker
            .and_then(|asker| policy.check_use(&validated.resolved, validated.digest, asker).err())
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(template::Error::Invalid { mistakes, .. }) => mistakes.iter().map(ToString::to_string).collect(),
        Err(error) => return Err(error.into()),
    };
    Ok(TemplateReport { file: file.display().to_string(), ok: reasons.is_empty(), reasons })
}

fn reported(report: &Report, paint: Paint) -> String {
    let mut lines = Vec::new();
    for test in &report.tests {
        let (tone, word) = match test.outcome {
            PASSED => (Tone::Good, "pass"),
            "failed" => (Tone::Bad, "FAIL"),
            _ => (Tone::Bad, "ERROR"),
        };
        let error = test.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        lines.push(format!("{} {} ({}){error}", paint.text(tone, word), test.name, test.place));
    }
    for template in &report.templates {
        let (tone, word) = if template.ok { (Tone::Good, "good") } else { (Tone::Bad, "DENIED") };
        lines.push(format!("{} {}", paint.text(tone, word), template.file));
        lines.extend(template.reasons.iter().map(|reason| format!("  - {reason}")));
    }
    let passed = report.tests.iter().filter(|test| test.outcome == PASSED).count();
    lines.push(format!("{} files, {passed} of {} tests passed", report.files.len(), report.tests.len()));
    lines.push(paint.text(Tone::Faint, &format!("sha256 {}", report.digest)));
    lines.join("\n")
}

fn shown(policy: &protocol::policy::Policy, paint: Paint) -> String {
    let mut lines = vec![format!(
        "{} · since {} · {}",
        paint.text(words::tone_of(&policy.status), &policy.status),
        words::time(&policy.since),
        if policy.files.is_empty() { "the shipped rules alone".to_owned() } else { policy.files.join(", ") },
    )];
    lines.push(paint.text(Tone::Faint, &format!("sha256 {}", policy.digest)));
    lines.extend(policy.reasons.iter().map(|reason| format!("{} {reason}", paint.text(Tone::Bad, "refused:"))));
    for (tool, patterns) in &policy.grants {
        lines.push(format!("granted: {tool} to {}", patterns.join(", ")));
    }
    if policy.judges_use {
        lines.push("who may use which template is judged at admission (deny_use)".to_owned());
    }
    lines.join("\n")
}
