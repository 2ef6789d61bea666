//! Templates.

use super::call::{Call, segment};
use super::{Client, Error};
use crate::protocol::page::Page;
use crate::protocol::template::{RollBack, Template, TemplateVersion};

/// Templates. Every method fails as [`Error`] says.
impl Client {
    /// All templates.
    pub async fn templates(&self) -> Result<Page<Template>, Error> {
        self.ask(Call::get("/factory/templates")).await
    }

    /// One template with everything that it inherits.
    pub async fn template(&self, name: &str) -> Result<Template, Error> {
        self.ask(Call::get(format!("/factory/templates/{}", segment(name)))).await
    }

    /// The published versions of a template.
    pub async fn versions(&self, name: &str) -> Result<Page<TemplateVersion>, Error> {
        self.ask(Call::get(format!("/factory/templates/{}/versions", segment(name)))).await
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
