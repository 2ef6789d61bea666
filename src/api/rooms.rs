//! What the handlers call on.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::settings;
use crate::control_plane::access::Access;
use crate::control_plane::admission::Admission;
use crate::control_plane::audit::Audit;
use crate::control_plane::budget::Budget;
use crate::control_plane::policy::Policies;
use crate::control_plane::template::Templates;
use crate::control_plane::template::experiment::Experiments;
use crate::data_plane::agent::live::Live;
use crate::data_plane::dlp::Dlp;
use crate::data_plane::erasure::Erasures;
use crate::data_plane::factory::Factory;
use crate::data_plane::orchestrator::Orchestrator;
use crate::domain::clock::Timestamp;
use crate::journal::Journal;
use crate::supervision::SupervisorHandle;
use crate::telemetry::metrics::Metrics;

/// Says why requests are not served; empty when they are.
pub type Readiness = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The rooms behind the API; shared by all requests.
pub struct Rooms {
    /// Who asks.
    pub access: Access,
    /// What is allowed.
    pub admission: Admission,
    /// Tasks.
    pub orchestrator: Orchestrator,
    /// Agents.
    pub factory: Factory,
    /// Records.
    pub journal: Journal,
    /// What templates may ask for.
    pub policies: Policies,
    /// Templates.
    pub templates: Templates,
    /// Which of their versions are compared.
    pub experiments: Experiments,
    /// Money.
    pub budget: Budget,
    /// Personal data.
    pub dlp: Dlp,
    /// Answers while they are written.
    pub live: Live,
    /// What is erased, and was.
    pub erasures: Erasures,
    /// What was decided.
    pub audit: Audit,
    /// The tree.
    pub root: SupervisorHandle,
    /// Numbers.
    pub metrics: Metrics,
    /// Whether requests are served.
    pub readiness: Readiness,
    /// Limits.
    pub settings: settings::Api,
    /// Whether faults may be asked for.
    pub chaos: bool,
    /// When the daemon started.
    pub started_at: Timestamp,
    /// Whether connections are to end; whoever waits or streams stops then.
    pub draining: Arc<watch::Sender<bool>>,
}

impl Rooms {
    /// Returns once connections are to end.
    pub(super) async fn drained(self: Arc<Self>) {
        // The sender lives as long as these rooms.
        let _told = self.draining.subscribe().wait_for(|draining| *draining).await.is_ok();
    }
}
