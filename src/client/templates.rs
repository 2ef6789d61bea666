//! Templates.

use super::call::{Call, segment};
use super::{Client, Error};
use crate::protocol::experiment::{Experiment, StartExperiment};
use crate::protocol::page::PAGE_ITEMS_MAX;
use crate::protocol::page::Page;
use crate::protocol::template::{RollBack, Template, TemplateDiff, TemplateVersion};

/// Templates. Every method fails as [`Error`] says.
impl Client {
    /// All templates, page by page.
    pub async fn templates(&self) -> Result<Page<Template>, Error> {
        let mut all = Page { items: Vec::new(), next: None };
        loop {
            let call = Call::get("/factory/templates").page(Some(PAGE_ITEMS_MAX), all.next.as_deref());
            let page: Page<Template> = self.ask(call).await?;
            all.items.extend(page.items);
            all.next = page.next;
            if all.next.is_none() {
                return Ok(all);
            }
        }
    }

    /// The JSON Schema of template files.
    pub async fn template_schema(&self) -> Result<serde_json::Value, Error> {
        self.ask(Call::get("/factory/templates/schema")).await
    }

    /// One template with everything that it inherits.
    pub async fn template(&self, name: &str) -> Result<Template, Error> {
        self.ask(Call::get(format!("/factory/templates/{}", segment(name)))).await
    }

    /// The published versions of a template.
    pub async fn versions(&self, name: &str) -> Result<Page<TemplateVersion>, Error> {
        self.ask(Call::get(format!("/factory/templates/{}/versions", segment(name))).page(Some(PAGE_ITEMS_MAX), None))
            .await
    }

    /// A template as it was published with this version's number, or with a digest that begins so.
    pub async fn template_as(&self, name: &str, wanted: &RollBack) -> Result<Template, Error> {
        let query = match (&wanted.version, &wanted.digest) {
            (Some(version), _) => format!("?version={}", segment(version)),
            (None, Some(digest)) => format!("?digest={}", segment(digest)),
            (None, None) => String::new(),
        };
        self.ask(Call::get(format!("/factory/templates/{}{query}", segment(name)))).await
    }

    /// What is different between two contents of a template; see the route for what they may be and are when left out.
    pub async fn template_diff(&self, name: &str, from: Option<&str>, to: Option<&str>) -> Result<TemplateDiff, Error> {
        let pairs = [("from", from), ("to", to)];
        let given: Vec<String> =
            pairs.iter().filter_map(|(key, value)| Some(format!("{key}={}", segment((*value)?)))).collect();
        self.ask(Call::get(format!("/factory/templates/{}/diff?{}", segment(name), given.join("&")))).await
    }

    /// The experiment that runs with a template, or the last one that did.
    pub async fn experiment(&self, name: &str) -> Result<Experiment, Error> {
        self.ask(Call::get(experiment_of(name))).await
    }

    /// Starts an experiment.
    pub async fn start_experiment(&self, name: &str, wanted: &StartExperiment) -> Result<Experiment, Error> {
        self.ask(Call::post(experiment_of(name)).json(wanted)?).await
    }

    /// Ends the experiment that runs with a template.
    pub async fn end_experiment(&self, name: &str) -> Result<Experiment, Error> {
        self.ask(Call::delete(experiment_of(name))).await
    }

    /// Goes back to an earlier version, until it is lifted.
    pub async fn roll_back(&self, name: &str, wanted: &RollBack) -> Result<Template, Error> {
        self.ask(Call::post(format!("/factory/templates/{}/rollback", segment(name))).json(wanted)?).await
    }

    /// Lets the file speak again.
    pub async fn lift_rollback(&self, name: &str) -> Result<Template, Error> {
        self.ask(Call::delete(format!("/factory/templates/{}/rollback", segment(name)))).await
    }
}

fn experiment_of(name: &str) -> String {
    format!("/factory/templates/{}/experiment", segment(name))
}
