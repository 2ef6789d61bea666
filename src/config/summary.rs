//! What `--check-config` prints: the settings as they were understood, without secrets.

use std::fmt;
use std::time::Duration;

use super::prices;
use super::settings::{BaseUrl, ClientAuth, KeyFile, KeySource, ProviderKind, Route, Settings, Tls, ToolUrl};
use crate::domain::model::Origin;
use crate::domain::name::{ModelRef, RouteName};

const DAY_SECONDS: u64 = 86_400;

/// Shows the settings to a person.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a>(&'a Settings);

impl Settings {
    /// The settings for a person, a line for each subject.
    #[must_use]
    pub fn summary(&self) -> Summary<'_> {
        Summary(self)
    }

    /// What is no mistake and still most likely not meant: routes with models that have no price, which are never called.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, route) in &self.routes {
            let unpriced: Vec<_> = route.models.iter().filter(|model| !self.has_price(model)).collect();
            let never = if unpriced.len() == route.models.len() { "; the route can never be used" } else { "" };
            warnings.extend(unpriced.into_iter().map(|model| {
                format!(
                    "route {name}: {model} has no price and is passed over{never}: add [models.\"{model}\"] with its prices, or with free = true"
                )
            }));
        }
        warnings
    }

    fn has_price(&self, model: &ModelRef) -> bool {
        let builtin = self.providers.get(model.provider()).is_some_and(|it| it.kind == ProviderKind::Builtin);
        builtin || self.models.contains_key(model)
    }
}

/// How the TCP listener speaks, and whether clients have certificates.
fn speech(tls: Option<&Tls>) -> &'static str {
    match tls.map(|tls| tls.clients.as_ref().map(|clients| clients.auth)) {
        None => "in the clear",
        Some(None) => "with TLS",
        Some(Some(ClientAuth::Required)) => "with TLS, client certificates required",
        Some(Some(ClientAuth::Optional)) => "with TLS, client certificates optional",
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.0;
        writeln!(f, "data        {}", settings.data_dir.display())?;
        writeln!(f, "templates   {}{}", settings.templates_dir.display(), signatures(settings))?;
        writeln!(f, "socket      {}", settings.socket.display())?;
        if let Some(tcp) = settings.api.tcp {
            writeln!(f, "tcp         {tcp}, {}", speech(settings.tls.as_ref()))?;
        }
        writeln!(f, "workers     {}", settings.max_workers)?;
        writeln!(f, "encryption  {}", encryption(settings))?;
        match settings.retention.tasks {
            Some(kept) => writeln!(f, "retention   ended tasks are DELETED after {}", days(kept))?,
            None => writeln!(f, "retention   nothing is deleted")?,
        }
        for (name, provider) in &settings.providers {
            let place = match &provider.base_url {
                BaseUrl::Http(url) => url.clone(),
                BaseUrl::Unix(path) => format!("unix://{}", path.display()),
                BaseUrl::None => "in the daemon".to_owned(),
            };
            let kind = match provider.kind {
                ProviderKind::OpenAi => "openai",
                ProviderKind::Anthropic => "anthropic",
                ProviderKind::Gemini => "gemini",
                ProviderKind::Builtin => "builtin",
            };
            let key = match &provider.api_key {
                KeySource::None => "",
                KeySource::File(_) => ", key from a file",
                KeySource::Env(_) => ", key from the environment",
                KeySource::Credential(_) => ", key from systemd's credentials",
            };
            let vendor = match &provider.base_url {
                BaseUrl::Http(url) => prices::shipped().vendor_at(url),
                BaseUrl::Unix(_) | BaseUrl::None => None,
            };
            let prices = vendor.map(|it| format!(", prices of {} read on {}", it.name, it.read)).unwrap_or_default();
            writeln!(f, "provider    {name}: {kind}, {place}{key}{prices}")?;
        }
        for (name, tool) in &settings.tools {
            let place = match &tool.url {
                ToolUrl::Http(url) => url.clone(),
                ToolUrl::Unix(path) => format!("unix://{}", path.display()),
            };
            writeln!(f, "tool        {name}: {place}{}", if tool.idempotent { ", idempotent" } else { "" })?;
        }
        writeln!(
            f,
            "prices      {} of the settings, and the list of {}",
            own_prices(settings),
            prices::shipped().date
        )?;
        for (name, route) in &settings.routes {
            route_line(f, name, route)?;
        }
        for warning in settings.warnings() {
            writeln!(f, "WARNING     {warning}")?;
        }
        for (scope, limit) in &settings.budgets {
            writeln!(f, "budget      {scope}: {} USD, {}", limit.amount, limit.window.as_str())?;
        }
        let grants = settings.access.users.len().saturating_add(settings.access.groups.len());
        match grants {
            0 => write!(f, "access      root and the daemon's own user"),
            count => write!(f, "access      root, the daemon's own user, and {count} grants"),
        }
    }
}

fn encryption(settings: &Settings) -> String {
    match &settings.encryption.master_key {
        None => "none: records are stored in clear".to_owned(),
        Some(KeyFile::File(path)) => format!("records are encrypted; master key in {}", path.display()),
        Some(KeyFile::Credential(_)) => "records are encrypted; master key from systemd's credentials".to_owned(),
    }
}

fn own_prices(settings: &Settings) -> usize {
    settings.models.values().filter(|model| model.origin == Origin::Settings).count()
}

fn route_line(f: &mut fmt::Formatter<'_>, name: &RouteName, route: &Route) -> fmt::Result {
    let models: Vec<_> = route.models.iter().map(ToString::to_string).collect();
    write!(f, "route       {name}: {}", models.join(", "))?;
    if let Some(ceiling) = route.max_usd_per_call {
        write!(f, "; at most {ceiling} USD a call")?;
    }
    if let Some(pause) = route.hedge_after {
        write!(f, "; hedged after {}", humantime::format_duration(pause))?;
    }
    writeln!(f)
}

fn signatures(settings: &Settings) -> &'static str {
    if settings.templates.enable_signature_validation { ", signed" } else { ", SIGNATURES ARE NOT CHECKED" }
}

/// A time as it was most likely written: whole days as such, since the months of `humantime` are 30.44 days long.
fn days(time: Duration) -> String {
    match (time.as_secs().rem_euclid(DAY_SECONDS), time.as_secs().div_euclid(DAY_SECONDS)) {
        (0, 1) => "1 day".to_owned(),
        (0, days) => format!("{days} days"),
        (_, _) => humantime::format_duration(time).to_string(),
    }
}
