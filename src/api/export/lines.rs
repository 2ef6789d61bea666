//! The lines of an export, made as they are asked for: no more than a page of anything is in memory.

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::texts;
use crate::api::router::Shared;
use crate::api::{agents, budgets, render};
use crate::control_plane::audit::{self, Recorded, readable};
use crate::control_plane::budget;
use crate::domain::budget::Scope;
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::owner::Selector;
use crate::journal::agents::AgentRecord;
use crate::journal::{self, notice};
use crate::protocol::export::{Counts, End, FORMAT, Header};

/// Agents that are read together.
const AGENTS_AT_ONCE: usize = 100;
/// Records of a task that are read together.
const RECORDS_AT_ONCE: usize = 64;
/// Turns of an agent's memory that are told, the newest ones.
const TURNS_MAX: usize = 10_000;
/// Audit entries that are looked at together.
const ENTRIES_AT_ONCE: usize = 1_000;

/// Why an export breaks off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error(transparent)]
    Audit(#[from] audit::Error),
    #[error(transparent)]
    Budget(#[from] budget::Error),
}

/// What comes next.
enum Place {
    Header,
    /// Tasks beyond this one.
    Tasks(Option<TaskId>),
    /// Agents beyond this one.
    Agents(Option<AgentId>),
    Budgets,
    /// Entries behind this one.
    Audit(u64),
    Over,
}

/// An export under way.
pub(super) struct Export {
    rooms: Shared,
    whose: Selector,
    at: Timestamp,
    place: Place,
    /// Tasks that were found, and of the first of them the record to go on with.
    found: std::collections::VecDeque<TaskId>,
    record: u64,
    counts: Counts,
    hash: Sha256,
    text: String,
}

impl Export {
    pub(super) fn new(rooms: Shared, whose: Selector, at: Timestamp) -> Self {
        Self {
            rooms,
            whose,
            at,
            place: Place::Header,
            found: std::collections::VecDeque::new(),
            record: 0,
            counts: Counts::default(),
            hash: Sha256::new(),
            text: String::new(),
        }
    }

    /// The next lines; none when all have been told.
    ///
    /// # Errors
    /// What is there cannot be read: what came so far is not whole.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Error> {
        while self.text.is_empty() {
            match self.place {
                Place::Header => self.header(),
                Place::Tasks(after) => self.tasks(after).await?,
                Place::Agents(after) => self.agents(after).await?,
                Place::Budgets => self.budgets().await?,
                Place::Audit(after) => self.audit(after).await?,
                Place::Over => return Ok(None),
            }
        }
        Ok(Some(std::mem::take(&mut self.text)))
    }

    fn header(&mut self) {
        self.push(&Header {
            format: FORMAT.to_owned(),
            tenant: self.whose.tenant().map(ToString::to_string),
            user: self.whose.user().map(ToString::to_string),
            exported_at: self.at.to_string(),
        });
        self.place = Place::Tasks(None);
    }

    async fn tasks(&mut self, after: Option<TaskId>) -> Result<(), Error> {
        if let Some(task) = self.found.front().copied() {
            if !self.task(task).await? {
                self.found.pop_front();
                self.record = 0;
            }
            return Ok(());
        }
        let round = self.rooms.journal.tasks_of(&self.whose, after).await?;
        self.found = round.tasks.into();
        match round.next {
            None if self.found.is_empty() => self.place = Place::Agents(None),
            // The last tasks are told first; then the same look finds nothing more.
            None => self.place = Place::Tasks(self.found.back().copied()),
            next => self.place = Place::Tasks(next),
        }
        Ok(())
    }

    /// The task, or some more of its records; says whether there may be others.
    async fn task(&mut self, id: TaskId) -> Result<bool, Error> {
        if self.record == 0 {
            let task = match self.rooms.journal.task(id).await {
                Ok(Some(task)) => task,
                // Deleted meanwhile.
                Ok(None) => return Ok(false),
                Err(journal::Error::Store(fault)) => return Err(journal::Error::Store(fault).into()),
                Err(error) => {
                    self.push(&json!({"unreadable": {"task_id": id.to_string()}}));
                    tracing::error!(task = %id, %error, "a task cannot be read and is not in an export");
                    self.counts.unreadable = self.counts.unreadable.saturating_add(1);
                    return Ok(false);
                }
            };
            let mut told = serde_json::to_value(render::task(&task)).unwrap_or_default();
            if let Some(members) = told.as_object_mut() {
                members.insert("input".to_owned(), task.order.input.expose().into());
                members.insert("asked_by".to_owned(), task.order.principal.as_str().into());
            }
            self.push(&json!({"task": told}));
            self.counts.tasks = self.counts.tasks.saturating_add(1);
        }
        let records = self.rooms.journal.records_page(id, self.record, RECORDS_AT_ONCE).await?;
        for (sequence, record) in (self.record..).zip(&records) {
            let event = render::event(&notice::of(id, sequence, record));
            self.push(&json!({"record": event, "texts": texts::of(record)}));
            self.counts.records = self.counts.records.saturating_add(1);
            self.record = sequence.saturating_add(1);
        }
        Ok(records.len() == RECORDS_AT_ONCE)
    }

    async fn agents(&mut self, after: Option<AgentId>) -> Result<(), Error> {
        let whose = self.whose.clone();
        let wanted = move |agent: &AgentRecord| whose.selects(&agent.owner());
        let page = self.rooms.journal.agents().list(after, AGENTS_AT_ONCE, wanted).await?;
        for agent in &page.agents {
            self.push(&json!({"agent": agents::rendered(&self.rooms, agent)}));
            self.counts.agents = self.counts.agents.saturating_add(1);
            let turns = self.rooms.journal.agents().turns(agent.agent, TURNS_MAX).await?;
            let tasks: Vec<String> = turns.iter().map(ToString::to_string).collect();
            self.counts.memory = self.counts.memory.saturating_add(u64::try_from(tasks.len()).unwrap_or(0));
            self.push(&json!({"memory": {"agent_id": agent.agent.to_string(), "tasks": tasks}}));
        }
        self.place = page.next.map_or(Place::Budgets, |next| Place::Agents(Some(next)));
        Ok(())
    }

    /// What was spent. Of a user of one tenant there is no such account.
    async fn budgets(&mut self) -> Result<(), Error> {
        let scope = match &self.whose {
            Selector::Tenant(tenant) => Some(Scope::Tenant(tenant.clone())),
            Selector::User(user) => Some(Scope::User(user.clone())),
            Selector::UserOf { .. } => None,
        };
        if let Some(scope) = scope {
            let standing = self.rooms.budget.show(&scope, self.at).await?;
            self.push(&json!({"budget": budgets::rendered(&standing)}));
            self.counts.budgets = self.counts.budgets.saturating_add(1);
        }
        self.place = Place::Audit(0);
        Ok(())
    }

    /// Decisions that they asked for, or that are about them.
    async fn audit(&mut self, after: u64) -> Result<(), Error> {
        let page = self.rooms.audit.tail(after, ENTRIES_AT_ONCE).await?;
        for recorded in &page {
            if names(&self.whose, recorded) {
                self.push(&json!({"audit": readable(recorded)}));
                self.counts.audit_entries = self.counts.audit_entries.saturating_add(1);
            }
        }
        match page.last().filter(|_| page.len() == ENTRIES_AT_ONCE) {
            Some(last) => self.place = Place::Audit(last.sequence),
            None => {
                let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
                self.push(&json!({"end": End { counts: self.counts, sha256 }}));
                self.place = Place::Over;
            }
        }
        Ok(())
    }

    fn push(&mut self, line: &impl Serialize) {
        // Plain data whose maps have texts for keys: serialising it has no way to fail.
        let mut text = serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
        self.hash.update(&text);
        self.text.push_str(&text);
    }
}

/// Whether an entry names somebody: as who asked, or in what it is about.
fn names(whose: &Selector, recorded: &Recorded) -> bool {
    let entry = &recorded.entry;
    let tenant = whose.tenant().map(|tenant| format!("tenant:{tenant}"));
    let user = whose.user().map(|user| format!("user:{user}"));
    let is_about = |wanted: &Option<String>| {
        let mut words = entry.subject.as_deref().unwrap_or_default().split(' ');
        wanted.as_deref().is_none_or(|wanted| words.any(|word| word == wanted))
    };
    let in_tenant = whose.tenant().is_none_or(|tenant| entry.who.tenant.as_ref() == Some(tenant));
    let by_user = whose.user().is_none_or(|user| *entry.who.name == *user.as_str());
    (in_tenant && by_user) || (is_about(&tenant) && is_about(&user))
}
