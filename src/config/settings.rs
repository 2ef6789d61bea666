//! Validated settings. Rooms are handed the part that concerns them; nothing reads files or the environment later.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::budget::{Limit, Scope};
use crate::domain::certificate::CertificateName;
use crate::domain::key_file::KeyFile;
use crate::domain::model::Model;
use crate::domain::money::Usd;
use crate::domain::name::{Environment, ModelRef, ProviderName, RouteName, Tenant, ToolName, User};
use crate::domain::protection::Floor;

/// Everything that `factoryd` was told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Where templates are read from and watched.
    pub templates_dir: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// Threads that run tasks, and DLP workers.
    pub max_workers: NonZeroUsize,
    /// Agents in memory and what waits for them.
    pub agents: Agents,
    /// The control API.
    pub api: Api,
    /// TLS on its TCP listener; none means that it speaks in the clear, and on loopback alone.
    pub tls: Option<Tls>,
    /// Faults on request.
    pub chaos: Chaos,
    /// Answers that were given before.
    pub cache: Cache,
    /// What is done with personal data and secrets.
    pub dlp: Dlp,
    /// The store.
    pub store: Store,
    /// The audit log.
    pub audit: Audit,
    /// With which key it is encrypted.
    pub encryption: Encryption,
    /// How long what has ended is kept.
    pub retention: Retention,
    /// How tools are told of tasks.
    pub hooks: Hooks,
    /// The log on standard error.
    pub log: Log,
    /// Templates and their signatures.
    pub templates: Templates,
    /// What templates may ask for.
    pub policy: Policy,
    /// Providers by name; `builtin` is always there.
    pub providers: BTreeMap<ProviderName, Provider>,
    /// Tools that plans may call, by name.
    pub tools: BTreeMap<ToolName, Tool>,
    /// What is known of models that cost something or might: what the settings say, and of providers at a vendor's own address
    /// what the shipped list says. A model that is not here has no price; those of `builtin` need none.
    pub models: BTreeMap<ModelRef, Model>,
    /// Routes by name. `fallback` is always there and ends in `builtin/extractive`.
    pub routes: BTreeMap<RouteName, Route>,
    /// Limits on spending.
    pub budgets: BTreeMap<Scope, Limit>,
    /// Who may do what over the socket; without it, root and the daemon's own user are admin and nobody else gets in.
    pub access: Access,
}

/// What is done with personal data and secrets, whatever templates ask for.
#[derive(Debug, Clone, Default)]
pub struct Dlp {
    /// The most lenient actions that templates may ask for.
    pub floor: Floor,
    /// The operator's rules, which are read and watched; without it the shipped ones are used as they are.
    pub rules_file: Option<PathBuf>,
}

/// Agents in memory and what waits for them.
#[derive(Debug, Clone)]
pub struct Agents {
    /// The most agents that are in memory at once. Whoever is idle for longest leaves for the next; where none is idle, it waits.
    pub active_max: usize,
    /// How long a registered agent stays in memory without a task.
    pub idle_max: Duration,
    /// Resident memory of the daemon, in bytes, near which idle agents leave, beside what its cgroup says.
    pub memory_max: Option<u64>,
    /// The most open tasks of one registered agent; more are refused with 429.
    pub queue_max: usize,
}

impl Default for Agents {
    fn default() -> Self {
        Self { active_max: 100_000, idle_max: Duration::from_secs(60), memory_max: None, queue_max: 1_000 }
    }
}

/// The control API's listeners and limits.
#[derive(Debug, Clone)]
pub struct Api {
    /// An address to listen on as well: of loopback, or any where there is TLS.
    pub tcp: Option<SocketAddr>,
    /// Bearer tokens for the TCP listener.
    pub tokens_file: Option<PathBuf>,
    /// What a request without a token may be on the TCP listener.
    pub anonymous_role: Option<Role>,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// The most connections at once, of the socket and of the TCP listener each.
    pub connections_max: usize,
    /// How long a stop waits for running work.
    pub drain_grace: Duration,
    /// The most tasks that may be open (queued, running or waiting) at once; more are refused with 429.
    pub open_tasks_max: usize,
}

/// TLS on the TCP listener. Only the places of the files are here; the daemon reads them when it starts and on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate and the intermediate ones up to its authority's, in PEM, its own first.
    pub certificate_file: PathBuf,
    /// Its private key in PEM; nobody but the daemon's user or root may read it.
    pub key_file: PathBuf,
    /// Who may have signed certificates of clients; none means that clients are asked for none.
    pub clients: Option<TlsClients>,
}

/// Certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsClients {
    /// The authorities' certificates, in PEM.
    pub ca_file: PathBuf,
    /// The authorities' lists of revoked certificates, in PEM.
    pub crl_file: Option<PathBuf>,
    /// Whether a client without a certificate is served.
    pub auth: ClientAuth,
}

/// Whether a client must have a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// The handshake fails without one.
    Required,
    /// A client may have a token instead.
    Optional,
}

/// Faults on request, for finding out whether the rest bears them.
#[derive(Debug, Clone)]
pub struct Chaos {
    /// Whether `POST /factory/chaos/kill` is served.
    pub enabled: bool,
}

/// Answers that were given before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// The most memory that they may take, in bytes; 0 keeps none.
    pub max_bytes: u64,
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    /// Bytes that sled may keep in memory.
    pub cache_bytes: u64,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// How often a checkpoint is signed where there are new entries.
    pub checkpoint_every: Duration,
    /// The file with the key that signs, in PEM; none: `audit.key` in the data directory, which is made at the first start.
    pub key_file: Option<KeyFile>,
}

/// Encryption at rest. The keys themselves are never in the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The master key; without one nothing is encrypted.
    pub master_key: Option<KeyFile>,
    /// The master key of before, from which the keys are wrapped anew.
    pub previous_master_key: Option<KeyFile>,
}

/// How long what has ended is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long a task is kept after its end; none: for ever.
    pub tasks: Option<Duration>,
}

/// How tools are told when tasks start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hooks {
    /// Calls for one notice, the first included, until it is given up.
    pub attempts: u32,
    /// The pause after the first failed call; each further one is twice as long.
    pub pause: Duration,
    /// Calls of one tool at once; half of its own `max_concurrency` binds as well.
    pub concurrency: usize,
}

/// The log on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least level that is logged, also by module: `info,agent_factory::store=debug`.
    pub level: String,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people and the journal.
    Text,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// The word that settings and `--log-format` use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Templates and their signatures.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Whether only signed templates run. Off is for development; the daemon says so loudly.
    pub enable_signature_validation: bool,
    /// Where `ID.pub.pem` lie.
    pub trusted_keys_dir: Option<PathBuf>,
    /// One more trusted key, outside that directory; its id is its file's stem.
    pub rsa_public_key_path: Option<PathBuf>,
    /// How long a verification is believed before a template is verified again.
    pub cache_ttl: Duration,
    /// Compiled templates that are kept in memory.
    pub cache_entries: u64,
    /// The environment whose directory of templates takes the place of the base, file by file.
    pub environment: Option<Environment>,
    /// Whether owners, modes and symbolic links on the way to each template are looked at.
    pub source_audit: bool,
    /// How often the directories are looked through for changes that no event has told.
    pub rescan_every: Duration,
}

/// Rules of the operators.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where `*.rego` and `data.json` are read from and watched; without it the shipped rules alone are asked.
    pub dir: Option<PathBuf>,
}

/// A provider's wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenAI Chat Completions, and whatever speaks it.
    OpenAi,
    /// Anthropic Messages, and whatever speaks it.
    Anthropic,
    /// Gemini's `generateContent`, and whatever speaks it.
    Gemini,
    /// Answers from the input itself; needs no network.
    Builtin,
}

/// Where a provider listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseUrl {
    /// `http://…` or `https://…`, without a slash at the end.
    Http(String),
    /// `unix:///path/to/socket`: HTTP over a Unix socket; requests go to `/v1/…` there.
    Unix(PathBuf),
    /// Nothing listens: `builtin`.
    None,
}

/// Where a provider's key comes from. The key itself is never in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The provider needs none.
    None,
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A credential that systemd passes to the service: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// How many of the calls that `max_concurrency` allows are made at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as the provider has borne so far, by its latency and its refusals.
    Adaptive,
    /// All.
    Fixed,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its wire format.
    pub kind: ProviderKind,
    /// Where it listens.
    pub base_url: BaseUrl,
    /// Its key.
    pub api_key: KeySource,
    /// How long one call may take.
    pub timeout: Duration,
    /// The most calls at once.
    pub max_concurrency: NonZeroUsize,
    /// How many of them.
    pub concurrency: Concurrency,
}

/// Which models a role may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Models in order of preference.
    pub models: Vec<ModelRef>,
    /// The most that one call may cost at worst; a model whose call may cost more is passed over.
    pub max_usd_per_call: Option<Usd>,
    /// How long a model may be silent before the next one is asked as well.
    pub hedge_after: Option<Duration>,
}

impl Route {
    /// A route that says nothing but its models.
    #[must_use]
    pub fn of(models: Vec<ModelRef>) -> Self {
        Self { models, ..Self::default() }
    }
}

/// One tool: an HTTP endpoint that the host's administrator vouches for.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Where it listens.
    pub url: ToolUrl,
    /// Its key.
    pub api_key: KeySource,
    /// How long one call may take.
    pub timeout: Duration,
    /// Whether calling it twice under one `Idempotency-Key` does the same as once.
    pub idempotent: bool,
    /// The most calls at once.
    pub max_concurrency: NonZeroUsize,
}

/// Where a tool listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolUrl {
    /// `http://…` or `https://…`, without a slash at the end.
    Http(String),
    /// `unix:///path/to/socket`: HTTP over a Unix socket; calls go to `/` there.
    Unix(PathBuf),
}

/// What a principal may do (roles of the contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Everything but backups, access, keys and erasure.
    Operator,
    /// Submits tasks and sees its own tenant's.
    Submitter,
    /// Sees.
    Viewer,
    /// Sees, and reads the audit log.
    Auditor,
}

/// Who may do what.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Grants by host user name or number.
    pub users: BTreeMap<String, Grant>,
    /// Grants by host group name or number.
    pub groups: BTreeMap<String, Grant>,
    /// Grants to holders of client certificates, by a name in the certificate.
    pub certificates: BTreeMap<CertificateName, CertificateGrant>,
    /// How often each principal may ask for whom nothing else is said; `[api]` has it.
    pub rate: Option<RateLimit>,
}

/// A role, in one tenant or in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The tenant; none means every tenant.
    pub tenant: Option<Tenant>,
    /// How often its holder may ask.
    pub rate: Rate,
}

/// What the holder of a client certificate is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateGrant {
    /// The role, the tenant, how often.
    pub grant: Grant,
    /// The user whom it acts as; none leaves it to the request, as with a token.
    pub user: Option<User>,
}

/// How often a principal may ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// As often as `[api]` says of every principal.
    #[default]
    Default,
    /// So often.
    Limited(RateLimit),
    /// As often as it likes.
    Unlimited,
}

/// A limit on requests over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateLimit {
    /// How many are served in a minute over time.
    pub requests_per_minute: NonZeroU32,
    /// How many are served at once after a while without any.
    pub burst: NonZeroU32,
}

impl RateLimit {
    /// The highest rate that may be set; more is no limit.
    pub const PER_MINUTE_MAX: u32 = 60_000_000;
    /// The largest burst that may be set.
    pub const BURST_MAX: u32 = 60_000_000;

    /// A limit; without a burst, a minute's requests may come at once.
    ///
    /// # Errors
    /// What is out of bounds.
    pub fn new(requests_per_minute: u32, burst: Option<u32>) -> Result<Self, String> {
        let within = |name: &str, number: u32, max: u32| {
            NonZeroU32::new(number)
                .filter(|number| number.get() <= max)
                .ok_or_else(|| format!("{name}: expected a whole number from 1 to {max}"))
        };
        let requests_per_minute = within("requests_per_minute", requests_per_minute, Self::PER_MINUTE_MAX)?;
        let burst = burst.map(|burst| within("burst", burst, Self::BURST_MAX)).transpose()?;
        Ok(Self { requests_per_minute, burst: burst.unwrap_or(requests_per_minute) })
    }
}
