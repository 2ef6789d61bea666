//! Tasks.

use std::time::Duration;

use super::call::{Call, segment};
use super::{Client, Error, EventStream};
use crate::protocol::event::Event;
use crate::protocol::page::Page;
use crate::protocol::task::{Feedback, SubmitTask, Task};

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

    /// A task's journal so far.
    pub async fn task_events(&self, id: &str) -> Result<Page<Event>, Error> {
        self.ask(Call::get(format!("/factory/tasks/{}/events", segment(id)))).await
    }

    /// A task's journal from its beginning, then what follows until it has ended.
    pub async fn follow_task(&self, id: &str) -> Result<EventStream, Error> {
        self.listen(Call::get(format!("/factory/tasks/{}/events", segment(id)))).await
    }

    /// Cancels a task and what it delegated.
    pub async fn cancel(&self, id: &str) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/cancel", segment(id)))).await
    }

    /// Says how good a task's answer was.
    pub async fn feedback(&self, id: &str, feedback: &Feedback) -> Result<Task, Error> {
        self.ask(Call::post(format!("/factory/tasks/{}/feedback", segment(id))).json(feedback)?).await
    }
}
