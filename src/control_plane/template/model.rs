//! A template that was judged good: the typed form that everything else works with.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::hook::Hooks;
use crate::domain::money::Usd;
use crate::domain::name::{Capability, Digest, KeyId, RouteName, TemplateName, ToolName, Version};
use crate::domain::private::Text;
use crate::domain::protection::Protection;
use crate::supervision::{Backoff, Intensity, Restart};

use super::format::document::Document;
use super::format::mistake::Mistake;
use super::format::plan::Plan;
use super::format::wire::{self, Facts};
use super::trust::signature::{Algorithm, Scheme};

/// Tokens that an answer may have where the template does not say.
pub const OUTPUT_TOKENS_DEFAULT: u32 = 1_024;
/// Turns of history that a model is given where the template does not say.
pub const HISTORY_TURNS_DEFAULT: u32 = 20;
/// The route of a template that names none.
pub const ROUTE_DEFAULT: &str = "default";

/// The shortest time that an answer may be kept for.
pub(super) const CACHE_TTL_MIN: Duration = Duration::from_secs(1);
/// The longest.
pub(super) const CACHE_TTL_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The shortest time that may be given to a task.
pub(super) const TASK_TIME_MIN: Duration = Duration::from_millis(1);
/// The longest.
pub(super) const TASK_TIME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What the model is asked for in each pass over its answer, unless the template says otherwise.
pub(super) const REFINE_PROMPT: &str = "Go over your answer once more: correct what is wrong, add what is missing, leave out what \
     does not belong. Reply with the whole improved answer and nothing else.";

/// How an agent refines its answer: each pass is a step of the task, a call of a model that is given the task and the answer of
/// the pass before (the scheme of Self-Refine, Madaan et al., 2023, with one model as writer and critic).
#[derive(Debug, Clone, PartialEq)]
pub struct Refine {
    /// Calls after the first one; the schema allows 1,000.
    pub passes: u32,
    /// What each of them asks for.
    pub prompt: Text,
}

/// One published version of a template, with everything that it inherits.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its name.
    pub name: TemplateName,
    /// Its version.
    pub version: Version,
    /// What it is a template of.
    pub kind: Kind,
    /// The SHA-256 of the canonical form of the resolved template: a changed parent gives a new digest under the same version.
    pub digest: Digest,
    /// Whose signature made it trusted; none where signatures are not required.
    pub signer: Option<Signer>,
    /// What it is for.
    pub description: Option<String>,
    /// What its agents can do; agents are found by it.
    pub capabilities: Vec<Capability>,
    /// What the model is told first.
    pub system_prompt: Text,
    /// Which model answers, and how.
    pub model: Model,
    /// The tools that its agents may use.
    pub tools: Vec<ToolName>,
    /// Which of them are told when a task starts or ends.
    pub hooks: Hooks,
    /// What its tasks may cost.
    pub budget: Budget,
    /// What is done with personal data and secrets.
    pub protection: Protection,
    /// How its agents are supervised.
    pub supervision: Supervision,
    /// For how long an answer is kept for whoever asks the same; none: not at all.
    pub cache: Option<Duration>,
    /// How often an answer is gone over before it is the task's.
    pub refine: Refine,
    /// Turns of history that the model is given.
    pub memory_turns: u32,
    /// How many of its tasks may be open at once.
    pub pool: Pool,
    /// What an orchestrator's subtasks may come to.
    pub limits: Limits,
    /// When this version was first published with this content.
    pub published_at: Timestamp,
}

impl Template {
    /// A template from a file that needs no parent. Neither signature nor policy is asked: this is not the way to run one.
    ///
    /// # Errors
    /// All mistakes of the file at once.
    pub fn parse(bytes: &[u8], published_at: Timestamp) -> Result<Self, Vec<Mistake>> {
        let document = Document::parse(bytes)?;
        if document.extends().is_some() {
            return Err(vec![Mistake::at("/extends", "inherits from a template that is not at hand")]);
        }
        wire::typed(&document.value, Facts { digest: document.digest(), signer: None, published_at })
    }
}

/// What is kept of a template for as long as it serves: everything about it but its texts and rules, which are unpacked when
/// it is activated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its name.
    pub name: TemplateName,
    /// Its version.
    pub version: Version,
    /// The word for what it is a template of; see [`Kind::as_str`].
    pub kind: &'static str,
    /// The SHA-256 of the canonical form of the resolved template.
    pub digest: Digest,
    /// Whose signature made it trusted; none where signatures are not required.
    pub signer: Option<Signer>,
    /// What it is for.
    pub description: Option<String>,
    /// What its agents can do.
    pub capabilities: Vec<Capability>,
    /// What its tasks may cost.
    pub budget: Budget,
    /// When this version was first published with this content.
    pub published_at: Timestamp,
}

impl From<&Template> for Summary {
    fn from(template: &Template) -> Self {
        Self {
            name: template.name.clone(),
            version: template.version.clone(),
            kind: template.kind.as_str(),
            digest: template.digest,
            signer: template.signer.clone(),
            description: template.description.clone(),
            capabilities: template.capabilities.clone(),
            budget: template.budget,
            published_at: template.published_at,
        }
    }
}

/// What a template is a template of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An agent: a model that answers.
    Agent,
    /// An orchestrator: a plan over workers.
    Orchestrator(Plan),
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Orchestrator(_) => "orchestrator",
        }
    }
}

/// Whose signature made a template trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key_id: KeyId,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The form of the signature.
    pub scheme: Scheme,
}

/// Which model answers, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// A route in the settings.
    pub route: RouteName,
    /// The most tokens of one answer.
    pub max_output_tokens: u32,
    /// The sampling temperature, from 0 to 2; none leaves it to the provider.
    pub temperature: Option<f64>,
}

/// What a template's tasks may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// What one task may cost.
    pub per_task: Option<Usd>,
    /// Tokens that one task's model calls may read and write together.
    pub per_task_tokens: Option<u64>,
    /// How long one task may take from its submission on.
    pub per_task_time: Option<Duration>,
    /// What all tasks of the template may cost in one UTC day.
    pub per_day: Option<Usd>,
}

/// How a template's agents are supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supervision {
    /// When an agent that ended is started again.
    pub restart: Restart,
    /// How many restarts are borne within how long.
    pub intensity: Intensity,
    /// How restarts are spaced.
    pub backoff: Backoff,
}

impl Default for Supervision {
    /// Restarts after a crash, five times a minute, from 200 ms to 30 s apart.
    fn default() -> Self {
        Self {
            restart: Restart::Transient,
            intensity: Intensity { restarts: 5, period: Duration::from_secs(60) },
            backoff: Backoff { initial: Duration::from_millis(200), max: Duration::from_secs(30) },
        }
    }
}

/// How many agents of a template there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pool {
    /// The most tasks of the template that may be open at once, each on an agent of its own; none where only the daemon's
    /// own limit counts.
    pub max: Option<u32>,
}

/// What an orchestrator's subtasks may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Levels of delegation below a task.
    pub depth: u32,
    /// Subtasks of one task on one level.
    pub fan_out: u32,
    /// What all of it may cost.
    pub budget: Option<Usd>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 3, fan_out: 64, budget: None }
    }
}
