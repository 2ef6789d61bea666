//! Tasks.

use std::time::Duration;

use super::call::{Call, segment};
use super::{Client, Error, EventStream};
use crate::protocol::event::Event;
use crate::protocol::page::{PAGE_ITEMS_MAX, Page};
use crate::protocol::task::{Decision, Feedback, Signal, SubmitTask, Task, TaskState};

/// Tasks. Every method fails as [`Error`] says.
impl Client {
    /// Submits a task, and waits up to `wait` for its end; with a key the submission is safe to repeat.
    pub async fn submit(
        &self,
        task: &SubmitTask,
        idempotency_key: Option<&str>,
        wait: Duration,
    ) -> Result<Task, Error> {
        self.ask(Call::post("/factory/tasks").waiting(wait).idempotent(idempotency_key).json(task)?).await
    }

    /// Submits a task and listens to its events until it has ended.
    pub async fn submit_streaming(
        &self,
        task: &SubmitTask,
        idempotency_key: Option<&str>,
    ) -> Result<EventStream, Error> {
        self.listen(Call::post("/factory/tasks").idempotent(idempotency_key).json(task)?).await
    }

    /// One task, as it is when it has ended or `wait` is over.
    pub async fn task(&self, id: &str, wait: Duration) -> Result<Task, Error> {
        self.ask(Call::get(format!("/factory/tasks/{}", segment(id))).waiting(wait)).await
    }

    /// A page of tasks.
    pub async fn tasks(&self, limit: Option<usize>, after: Option<&str>) -> Result<Page<Task>, Error> {
        self.ask(Call::get("/factory/tasks").page(limit, after)).await
    }

    /// A page of the tasks in one state.
    pub async fn tasks_in(
        &self,
        state: TaskState,
        limit: Option<usize>,
        after: Option<&str>,
    ) -> Result<Page<Task>, Error> {
        self.ask(Call::get("/factory/tasks").page(limit, after).parameter("state", state.as_str())).await
    }

    /// A page of a task's journal.
    pub async fn task_events_page(
        &self,
        id: &str,
        limit: Option<usize>,
        after: Option<&str>,
    ) -> Result<Page<Event>, Error> {
        self.ask(Call::get(format!("/factory/tasks/{}/events", segment(id))).page(limit, after)).await
    }

    /// A task's journal so far, page by page.
    pub async fn task_events(&self, id: &str) -> Result<Page<Event>, Error> {
        let mut all = self.task_events_page(id, Some(PAGE_ITEMS_MAX), None).await?;
        while let Some(after) = all.next.take() {
            let page = self.task_events_page(id, Some(PAGE_ITEMS_MAX), Some(&after)).await?;
            all.items.extend(page.items);
            all.next = page.next;
        }
        Ok(all)
    }

    /// A task's journal from its beginning, then what follows until it has ended.
    pub async fn follow_task(&self, id: &str) -> Result<EventStream, Error> {
        self.listen(Call::get(format!("/factory/tasks/{}/events", segment(id)))).await
    }

    /// Cancels a task and what it delegated.
    pub async fn cancel(&self, id: &str) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/cancel", segment(id)))).await
    }

    /// Approves what a task waits for a person for.
    pub async fn approve(&self, id: &str, decision: &Decision) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/approve", segment(id))).json(decision)?).await
    }

    /// Rejects it.
    pub async fn reject(&self, id: &str, decision: &Decision) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/reject", segment(id))).json(decision)?).await
    }

    /// Has a task that failed, or that needs attention, go on.
    pub async fn retry(&self, id: &str) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/retry", segment(id)))).await
    }

    /// Sends a task a signal that its plan waits for, or will.
    pub async fn signal(&self, id: &str, name: &str, signal: &Signal) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/signals/{}", segment(id), segment(name))).json(signal)?).await
    }

    /// Says how good a task's answer was.
    pub async fn feedback(&self, id: &str, feedback: &Feedback) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/feedback", segment(id))).json(feedback)?).await
    }
}
