//! What `--check-config` prints: the settings as they were understood, without secrets.

use std::fmt;
use std::time::Duration;

use super::settings::{BaseUrl, KeySource, ProviderKind, Settings, ToolUrl};

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
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.0;
        writeln!(f, "data        {}", settings.data_dir.display())?;
        writeln!(f, "templates   {}{}", settings.templates_dir.display(), signatures(settings))?;
        writeln!(f, "socket      {}", settings.socket.display())?;
        if let Some(tcp) = settings.api.tcp {
            writeln!(f, "tcp         {tcp}")?;
        }
        writeln!(f, "workers     {}", settings.max_workers)?;
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
                ProviderKind::Builtin => "builtin",
            };
            let key = match &provider.api_key {
                KeySource::None => "",
                KeySource::File(_) => ", key from a file",
                KeySource::Env(_) => ", key from the environment",
                KeySource::Credential(_) => ", key from systemd's credentials",
            };
            writeln!(f, "provider    {name}: {kind}, {place}{key}")?;
        }
        for (name, tool) in &settings.tools {
            let place = match &tool.url {
                ToolUrl::Http(url) => url.clone(),
                ToolUrl::Unix(path) => format!("unix://{}", path.display()),
            };
            writeln!(f, "tool        {name}: {place}{}", if tool.idempotent { ", idempotent" } else { "" })?;
        }
        for (name, route) in &settings.routes {
            let models: Vec<_> = route.iter().map(ToString::to_string).collect();
            writeln!(f, "route       {name}: {}", models.join(", "))?;
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
