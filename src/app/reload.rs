//! What a running daemon takes up from new settings, and what it does not until it is started anew.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{Daemon, Error, chronicle, keys, rules};
use crate::config::settings::Settings;
use crate::control_plane::budget::Source;
use crate::domain::failure::Failure as _;
use crate::domain::model::Model;
use crate::domain::name::{ModelRef, ProviderName};

impl Daemon {
    /// Puts in force what new settings say about access, certificates, limits, prices, routes, the master key and the floor of
    /// protection, and what the file of DLP rules says now; everything else needs a restart. Certificates that cannot be used leave
    /// those before in force, and say so in the log.
    ///
    /// # Errors
    /// The master key cannot be used, and nothing is in force then; or a part of the tree gave no answer.
    pub async fn reload(&mut self, settings: Settings) -> Result<(), Error> {
        // What may be refused goes first, so that no half of the settings is in force.
        if keys::change_master_key(&self.store, &self.settings, &settings).await? {
            self.settings.encryption = settings.encryption.clone();
        }
        self.access.reload(rules(&settings)).await.map_err(Error::Reload)?;
        self.reload_certificates(&settings).await;
        if let Some(rules) = &self.dlp_rules {
            rules.reload().await.map_err(Error::Reload)?;
        }
        let gone = self.settings.budgets.keys().filter(|scope| !settings.budgets.contains_key(scope));
        let limits = settings.budgets.iter().map(|(scope, limit)| (scope.clone(), Some(*limit)));
        let limits: Vec<_> = gone.map(|scope| (scope.clone(), None)).chain(limits).collect();
        self.budget.declare_now(Source::Settings, &limits)?;
        for warning in settings.warnings() {
            tracing::warn!(%warning, "the settings say less than they may mean to");
        }
        let unheeded = needs_restart(&self.settings, &settings);
        let models = models_in_force(&self.settings, &settings);
        // Prices first: a route that names a new model finds it priced.
        self.prices.publish(&models);
        self.routes.publish(&settings.routes);
        self.rooms.orchestrator.environment().floor.publish(settings.dlp.floor.clone());
        self.settings.dlp.floor = settings.dlp.floor;
        self.settings.models = models;
        self.settings.routes = settings.routes;
        self.settings.access = settings.access;
        self.settings.budgets = settings.budgets;
        chronicle::reloaded(&self.rooms.audit, &unheeded).await;
        Ok(())
    }
}

impl Daemon {
    /// Nobody is kept out, nor let in, by a mistake in new files: those of before go on.
    async fn reload_certificates(&mut self, settings: &Settings) {
        let (Some(tls), Some(files)) = (self.listener.tls().cloned(), settings.tls.clone()) else { return };
        let reading = tokio::task::spawn_blocking({
            let files = files.clone();
            move || tls.reload(&files)
        });
        match reading.await {
            Ok(Ok(())) => {
                tracing::info!("the certificates of TLS were read");
                self.settings.tls = Some(files);
            }
            Ok(Err(error)) => {
                tracing::error!(%error, code = error.code(), "the certificates of TLS read before stay in force");
            }
            Err(error) => tracing::error!(%error, "the certificates of TLS read before stay in force"),
        }
    }
}

/// The models of new settings, but for those of providers that listen elsewhere in them: as long as the old address is called, so
/// long its prices are due.
fn models_in_force(running: &Settings, new: &Settings) -> BTreeMap<ModelRef, Model> {
    let moved = |provider: &ProviderName| {
        let place = |settings: &Settings| settings.providers.get(provider).map(|it| (it.kind, it.base_url.clone()));
        place(running) != place(new)
    };
    let kept = running.models.iter().filter(|(model, _)| moved(model.provider()));
    let taken = new.models.iter().filter(|(model, _)| !moved(model.provider()));
    kept.chain(taken).map(|(model, known)| (model.clone(), *known)).collect()
}

/// The settings that a running daemon does not take up until it is started anew, where they differ: each by its name.
#[must_use]
pub fn needs_restart(running: &Settings, new: &Settings) -> Vec<&'static str> {
    /// What a comparison looks at.
    type Part = fn(&Settings) -> &dyn Debug;
    let parts: [(&'static str, Part); 20] = [
        ("data_dir", |it| &it.data_dir),
        ("templates_dir", |it| &it.templates_dir),
        ("socket", |it| &it.socket),
        ("max_workers", |it| &it.max_workers),
        ("agents", |it| &it.agents),
        ("api", |it| &it.api),
        // The files may be others; a listener that has TLS keeps it, and one that has none gets none.
        ("api.tls", |it| if it.tls.is_some() { &"on" } else { &"off" }),
        ("cache", |it| &it.cache),
        ("chaos", |it| &it.chaos),
        ("store", |it| &it.store),
        ("audit", |it| &it.audit),
        // The master key may be another; records that are encrypted stay so, and others are not from now on.
        ("encryption", |it| if it.encryption.master_key.is_some() { &"on" } else { &"off" }),
        ("retention", |it| &it.retention),
        ("hooks", |it| &it.hooks),
        ("log", |it| &it.log),
        ("templates", |it| &it.templates),
        ("policy", |it| &it.policy),
        ("dlp.rules_file", |it| &it.dlp.rules_file),
        ("providers", |it| &it.providers),
        ("tools", |it| &it.tools),
    ];
    let differs = |part: Part| format!("{:?}", part(running)) != format!("{:?}", part(new));
    parts.into_iter().filter(|(_, part)| differs(*part)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Overrides, Sources};
    use crate::domain::money::Usd;

    fn settings(text: &str) -> Settings {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("factoryd.toml");
        std::fs::write(
            &file,
            format!("socket = \"/run/x/control.sock\"\ndata_dir = \"/x\"\ntemplates_dir = \"/t\"\n{text}"),
        )
        .expect("written");
        config::load(&Sources { file: Some(file), environment: Vec::new(), flags: Overrides::default() })
            .expect("settings")
    }

    fn provider(name: &str, url: &str) -> String {
        format!("[providers.{name}]\nkind = \"openai\"\nbase_url = \"{url}\"\n")
    }

    #[test]
    fn what_needs_a_restart_is_named_and_what_does_not_is_not() {
        let base = provider("local", "http://127.0.0.1:1");
        let before = settings(&base);
        assert_eq!(needs_restart(&before, &settings(&base)), <[&str; 0]>::default());
        let taken_up = format!(
            "{base}[models.\"local/a\"]\nfree = true\n[routes]\nreview = [\"local/a\"]\n[budgets.global]\nlimit_usd = \"1\"\nwindow = \"day\"\n[access.users.root]\nrole = \"viewer\"\n[api]\nrequests_per_minute = 60\n"
        );
        assert_eq!(needs_restart(&before, &settings(&taken_up)), <[&str; 0]>::default());
        let moved = format!("[log]\nlevel = \"debug\"\n{}", provider("local", "http://127.0.0.1:2"));
        assert_eq!(needs_restart(&before, &settings(&moved)), ["log", "providers"]);
        let sealed = |file: &str| settings(&format!("{base}[encryption]\nmaster_key_file = \"{file}\"\n"));
        assert_eq!(needs_restart(&before, &sealed("a.key")), ["encryption"]);
        assert_eq!(needs_restart(&sealed("a.key"), &before), ["encryption"]);
        assert_eq!(needs_restart(&sealed("a.key"), &sealed("b.key")), <[&str; 0]>::default());
    }

    #[test]
    fn a_provider_that_moved_keeps_its_prices_until_the_daemon_is_started_anew() {
        let at_home = settings(&provider("vendor", "http://127.0.0.1:1"));
        let at_vendor = settings(&provider("vendor", "https://api.openai.com/v1"));
        let nano: ModelRef = "vendor/gpt-4.1-nano".parse().expect("a model");
        assert!(at_vendor.models.contains_key(&nano) && at_home.models.is_empty());
        assert_eq!(models_in_force(&at_home, &at_vendor), BTreeMap::new());
        assert_eq!(models_in_force(&at_vendor, &at_home), at_vendor.models);
        let own = format!(
            "{}[models.\"vendor/gpt-4.1-nano\"]\ninput_usd_per_mtok = \"7\"\noutput_usd_per_mtok = \"8\"\n",
            provider("vendor", "https://api.openai.com/v1")
        );
        let taken = models_in_force(&at_vendor, &settings(&own));
        assert_eq!(taken[&nano].price.rates.input, "7".parse::<Usd>().expect("an amount"));
    }
}
