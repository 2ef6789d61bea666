//! `[tools.NAME]`: the endpoints that plans may call.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::providers::{base_url, key_source};
use crate::config::reader::{Report, Section};
use crate::config::settings::{BaseUrl, Tool, ToolUrl};
use crate::config::tree::Node;
use crate::config::value;
use crate::domain::name::ToolName;

/// How long a call may take when nothing is said.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// The most calls at once when nothing is said.
const CONCURRENCY_DEFAULT: NonZeroUsize = match NonZeroUsize::new(8) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

/// The most calls at once that may be set.
const CONCURRENCY_MAX: usize = 1_024;

pub(super) fn read(section: Section, report: &mut Report) -> BTreeMap<ToolName, Tool> {
    let mut tools = BTreeMap::new();
    for (name, mut table) in section.named(report) {
        let url = table.require(report, "url", url);
        let tool = Tool {
            url: url.map_or_else(|| ToolUrl::Http(String::new()), |located| located.value),
            api_key: key_source(&mut table, report),
            timeout: table.read_or(report, "timeout", TIMEOUT_DEFAULT, value::positive_duration),
            idempotent: table.read_or(report, "idempotent", false, value::boolean),
            max_concurrency: table.read_or(
                report,
                "max_concurrency",
                CONCURRENCY_DEFAULT,
                value::count(CONCURRENCY_MAX),
            ),
        };
        match name.parse::<ToolName>() {
            Ok(name) => {
                tools.insert(name, tool);
            }
            Err(error) => report.mistake(&table.place().clone(), &table.path_of(""), error.to_string()),
        }
        table.finish(report);
    }
    tools
}

/// A tool's address is written as a provider's is.
fn url(node: &Node) -> Result<ToolUrl, String> {
    match base_url(node)? {
        BaseUrl::Http(url) => Ok(ToolUrl::Http(url)),
        BaseUrl::Unix(path) => Ok(ToolUrl::Unix(path)),
        BaseUrl::None => Err("expected a URL".to_owned()),
    }
}
