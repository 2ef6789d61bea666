//! The way to the tools.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::error::Error;
use super::metrics;
use crate::config::settings::{Tool, ToolUrl};
use crate::data_plane::http::{self, Endpoint, Key, Post};
use crate::domain::id::TaskId;
use crate::domain::name::ToolName;
use crate::domain::private::Text;

/// The largest answer of a tool, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All tools. Cheap to clone.
#[derive(Clone)]
pub struct Tools(Arc<BTreeMap<ToolName, Link>>);

struct Link {
    endpoint: Endpoint,
    key: Key,
    slots: Arc<Semaphore>,
    /// How many of the slots may be taken by those who give way.
    behind: Arc<Semaphore>,
    timeout: Duration,
    idempotent: bool,
}

/// The right to one call of a tool at a time, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    tool: ToolName,
    /// None where the settings name no such tool: there is nothing to be crowded.
    _permit: Option<OwnedSemaphorePermit>,
    /// Of those who give way, their place among the slots that they may have.
    _behind: Option<OwnedSemaphorePermit>,
}

/// One call. Its input has passed the filter; it is sent as it is.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose.
    pub task: TaskId,
    /// The plan's step, the item and the attempt.
    pub step: String,
    /// The same at every repetition of the call.
    pub idempotency_key: String,
    /// What the tool is given.
    pub input: Text,
}

impl Slot {
    /// Whose it is.
    #[must_use]
    pub fn tool(&self) -> &ToolName {
        &self.tool
    }
}

impl Tools {
    /// The tools of the settings. Nothing is connected or read before the first call.
    #[must_use]
    pub fn new(settings: &BTreeMap<ToolName, Tool>) -> Self {
        Self(Arc::new(settings.iter().map(|(name, tool)| (name.clone(), Link::new(tool))).collect()))
    }

    /// Whether calling a tool twice under one key does the same as once; no where the settings do not name it.
    #[must_use]
    pub fn is_idempotent(&self, tool: &ToolName) -> bool {
        self.0.get(tool).is_some_and(|link| link.idempotent)
    }

    /// A slot where one is free now. For a tool that is not there it is always: its call says so.
    #[must_use]
    pub fn try_slot(&self, tool: &ToolName) -> Option<Slot> {
        let permit = match self.0.get(tool) {
            Some(link) => Some(Arc::clone(&link.slots).try_acquire_owned().ok()?),
            None => None,
        };
        Some(Slot { tool: tool.clone(), _permit: permit, _behind: None })
    }

    /// As [`Tools::try_slot`], for whoever gives way to plans: of each tool's slots half, and one at least, can be had so, and none
    /// while somebody queues for one.
    #[must_use]
    pub fn try_slot_behind(&self, tool: &ToolName) -> Option<Slot> {
        let behind = match self.0.get(tool) {
            Some(link) => Some(Arc::clone(&link.behind).try_acquire_owned().ok()?),
            None => None,
        };
        Some(Slot { _behind: behind, ..self.try_slot(tool)? })
    }

    /// A slot, in order of arrival.
    pub async fn slot(&self, tool: &ToolName) -> Slot {
        let permit = match self.0.get(tool) {
            // The slots are never closed.
            Some(link) => Arc::clone(&link.slots).acquire_owned().await.ok(),
            None => None,
        };
        Slot { tool: tool.clone(), _permit: permit, _behind: None }
    }

    /// Calls the tool of a slot and waits `within` so long for its answer; the tool's own time-out binds as well. Dropping this
    /// ends the connection; whether the tool did its work is then not known.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::sent`] says whether the call may have been made.
    pub async fn invoke(&self, slot: &Slot, call: &Call, within: Duration) -> Result<Text, Error> {
        let link = self.0.get(&slot.tool).ok_or_else(|| Error::Unknown(slot.tool.clone()))?;
        let began = Instant::now();
        let exchange = tokio::time::timeout(within.min(link.timeout), link.exchange(call));
        let result = exchange.await.unwrap_or(Err(Error::TimedOut));
        metrics::called(&slot.tool, result.as_ref().map(|_| ()), began.elapsed());
        if let Err(error) = &result {
            tracing::warn!(tool = %slot.tool, task = %call.task, %error, "tool call failed");
        }
        result
    }
}

impl Link {
    fn new(settings: &Tool) -> Self {
        let (base, socket) = match settings.url.clone() {
            ToolUrl::Http(url) => (url, None),
            ToolUrl::Unix(path) => ("http://localhost".to_owned(), Some(path)),
        };
        let slots = settings.max_concurrency.get().min(Semaphore::MAX_PERMITS);
        Self {
            endpoint: Endpoint::new(base, socket, settings.max_concurrency),
            key: Key::new(settings.api_key.clone()),
            slots: Arc::new(Semaphore::new(slots)),
            behind: Arc::new(Semaphore::new((slots / 2).max(1))),
            timeout: settings.timeout,
            idempotent: settings.idempotent,
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Text, Error> {
        let body = json!({"input": call.input.expose(), "task_id": call.task.to_string(), "step": call.step});
        let post = Post {
            key: self.key.current()?,
            idempotency_key: &call.idempotency_key,
            body: body.to_string().into_bytes(),
            answer_bytes_max: OUTPUT_BYTES_MAX,
        };
        let http::Answer { status, retry_after, body } = self.endpoint.post("", post).await?;
        match status {
            200..=299 => {
                let text = std::str::from_utf8(&body).map_err(|_| Error::Nonsense { what: "it is not UTF-8" })?;
                Ok(Text::from(text))
            }
            429 => Err(Error::Busy { retry_after }),
            500.. => Err(Error::Failed { status }),
            _ => Err(Error::Refused { status }),
        }
    }
}
