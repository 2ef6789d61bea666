//! The price list that is shipped: `config/prices.toml`, read once, by the same rules as `[models]` of the settings.
//!
//! A vendor's entries are for its own addresses alone. Whatever else speaks the same wire format, a server on this host before
//! all, may be called by the same names and cost something else, or nothing: its prices are in the settings, or nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use super::error::Mistake;
use super::file;
use super::reader::{Report, Section};
use super::tree::Node;
use super::validate::models;
use super::value;
use crate::domain::model::{Counting, Model, Origin, Tokenizer};
use crate::domain::usage::Tokens;

/// The list as it is shipped.
const TEXT: &str = include_str!("../../config/prices.toml");

/// What the messages of the list's own mistakes call it.
const NAME: &str = "config/prices.toml";

/// The list.
#[derive(Debug, Default)]
pub struct Shipped {
    /// The day on which it was made.
    pub date: String,
    vendors: Vec<Vendor>,
}

/// One vendor's models.
#[derive(Debug)]
pub(super) struct Vendor {
    pub(super) name: String,
    pub(super) hosts: Vec<String>,
    /// The day of the newest statement that its entries rest on.
    pub(super) read: String,
    /// How its models count, unless they say otherwise.
    pub(super) counting: Counting,
    /// By every name that a model has.
    pub(super) models: BTreeMap<String, Model>,
}

impl Shipped {
    /// The vendor whose own address a URL of HTTP leads to.
    pub(super) fn vendor_at(&self, url: &str) -> Option<&Vendor> {
        let host = host_of(url)?.to_ascii_lowercase();
        self.vendors.iter().find(|vendor| vendor.hosts.contains(&host))
    }
}

/// The list that is shipped. Were it unreadable, which a test rules out, no model of a vendor would have a price and none would be
/// called: nothing is free by mistake.
#[must_use]
pub fn shipped() -> &'static Shipped {
    static SHIPPED: LazyLock<Shipped> = LazyLock::new(|| parse(TEXT).unwrap_or_default());
    &SHIPPED
}

/// Reads a list; an entry of it with any mistake makes it none.
fn parse(text: &str) -> Result<Shipped, Vec<Mistake>> {
    let mut report = Report::default();
    let mut root = Section::root(file::parse(Path::new(NAME), text)?);
    let date = root.require(&mut report, "date", value::text).map(|date| date.value).unwrap_or_default();
    let vendors = root.section(&mut report, "vendors").named(&mut report);
    let vendors = vendors.into_iter().map(|(name, table)| vendor(name, table, &mut report)).collect();
    root.finish(&mut report);
    if report.mistakes.is_empty() { Ok(Shipped { date, vendors }) } else { Err(report.mistakes) }
}

fn vendor(name: String, mut table: Section, report: &mut Report) -> Vendor {
    let none =
        Counting { tokenizer: Tokenizer::Other, margin_percent: 0, image: Tokens::new(0), tool_prompt: Tokens::new(0) };
    let hosts = table.require(report, "hosts", models::words).map(|hosts| hosts.value).unwrap_or_default();
    // Where the prices were read: for people, who must be able to look there.
    let _source = table.require(report, "source", address);
    let read = table.require(report, "read", value::text).map(|read| read.value).unwrap_or_default();
    let counting = models::counting(&mut table, report, none);
    let abilities = models::abilities(&mut table, report);
    let base = Model { counting, abilities, origin: Origin::Shipped, ..Model::BUILTIN };
    let mut models = BTreeMap::new();
    for (id, mut entry) in table.section(report, "models").named(report) {
        let (place, path) = (entry.place().clone(), entry.path_of(""));
        let aliases = entry.read(report, "aliases", models::words).map(|aliases| aliases.value).unwrap_or_default();
        let model = models::entry(&mut entry, report, base);
        entry.finish(report);
        for id in std::iter::once(id).chain(aliases) {
            if let Some(model) = model
                && models.insert(id.clone(), model).is_some()
            {
                report.mistake(&place, &path, format!("{id} is named twice"));
            }
        }
    }
    table.finish(report);
    Vendor { name, hosts, read, counting, models }
}

fn address(node: &Node) -> Result<String, String> {
    value::text(node)
        .and_then(|text| if text.starts_with("https://") { Ok(text) } else { Err("expected https://…".to_owned()) })
}

/// The host of a URL, without its port.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split('/').next().unwrap_or(rest);
    Some(authority.rsplit_once(':').map_or(authority, |(host, _)| host))
}

#[cfg(test)]
mod tests;
