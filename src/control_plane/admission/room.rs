//! Room for one more task. What is open and what is on its way there count together, so that submissions at the same moment
//! cannot all pass through the last free place.
//!
//! INVARIANT: a task is counted from the moment it is let in until it ends. For a moment between its becoming open and the end
//! of its submission it is counted twice: the count may be too high then, never too low.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Refusal;
use crate::domain::name::TemplateName;
use crate::journal::Journal;

/// The most bytes that the inputs of all open tasks may have together; they are held in memory.
pub const OPEN_INPUT_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The tasks that were let in and are not open yet.
#[derive(Clone, Default)]
pub(super) struct Entrance(Arc<Mutex<Entering>>);

#[derive(Default)]
struct Entering {
    tasks: usize,
    input_bytes: usize,
    of_templates: HashMap<TemplateName, usize>,
}

/// Who wants to come in, and how many may be there.
pub(super) struct Wanted<'a> {
    pub(super) template: &'a TemplateName,
    pub(super) input_bytes: usize,
    /// The most open tasks.
    pub(super) tasks_max: usize,
    /// The most open tasks of this template, where it says so.
    pub(super) pool_max: Option<usize>,
}

/// The place of a task that is not open yet; free again when this is dropped.
pub(super) struct Place {
    entrance: Entrance,
    template: TemplateName,
    input_bytes: usize,
}

impl Entrance {
    /// Lets a task in where there is room.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`]: as much is open as may be.
    pub(super) fn enter(&self, journal: &Journal, wanted: &Wanted<'_>) -> Result<Place, Refusal> {
        let mut entering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.open_count().saturating_add(entering.tasks) >= wanted.tasks_max {
            return Err(Refusal::Overloaded { what: "open tasks", limit: wanted.tasks_max });
        }
        let bytes = journal.open_input_bytes().saturating_add(entering.input_bytes);
        if bytes.saturating_add(wanted.input_bytes) > OPEN_INPUT_BYTES_MAX {
            return Err(Refusal::Overloaded { what: "bytes of input of open tasks", limit: OPEN_INPUT_BYTES_MAX });
        }
        let of_template = entering.of_templates.get(wanted.template).copied().unwrap_or_default();
        if let Some(limit) = wanted.pool_max
            && journal.open_count_of(wanted.template).saturating_add(of_template) >= limit
        {
            return Err(Refusal::Overloaded { what: "open tasks of this template", limit });
        }
        entering.tasks = entering.tasks.saturating_add(1);
        entering.input_bytes = entering.input_bytes.saturating_add(wanted.input_bytes);
        entering.of_templates.insert(wanted.template.clone(), of_template.saturating_add(1));
        drop(entering);
        let (template, input_bytes) = (wanted.template.clone(), wanted.input_bytes);
        Ok(Place { entrance: self.clone(), template, input_bytes })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut entering = self.entrance.0.lock().unwrap_or_else(PoisonError::into_inner);
        entering.tasks = entering.tasks.saturating_sub(1);
        entering.input_bytes = entering.input_bytes.saturating_sub(self.input_bytes);
        if let Some(count) = entering.of_templates.get_mut(&self.template) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                entering.of_templates.remove(&self.template);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::Desk;

    fn wanted(template: &TemplateName, input_bytes: usize) -> Wanted<'_> {
        Wanted { template, input_bytes, tasks_max: 3, pool_max: Some(2) }
    }

    fn refused(answer: Result<Place, Refusal>) -> &'static str {
        match answer.map(drop) {
            Err(Refusal::Overloaded { what, .. }) => what,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[tokio::test]
    async fn who_is_on_the_way_in_counts_as_who_is_in_and_whoever_turns_back_does_not() {
        let (desk, entrance) = (Desk::open(), Entrance::default());
        // The desk's own tasks are of this template.
        let (worker, other): (TemplateName, TemplateName) = ("worker".parse().unwrap(), "other".parse().unwrap());
        desk.open_task("acme").await;
        let second = entrance.enter(&desk.journal, &wanted(&worker, 0)).expect("one is open");
        assert_eq!(refused(entrance.enter(&desk.journal, &wanted(&worker, 0))), "open tasks of this template");
        let third = entrance.enter(&desk.journal, &wanted(&other, OPEN_INPUT_BYTES_MAX - 5)).expect("just fits");
        assert_eq!(refused(entrance.enter(&desk.journal, &wanted(&other, 0))), "open tasks");
        drop(second);
        assert_eq!(refused(entrance.enter(&desk.journal, &wanted(&other, 1))), "bytes of input of open tasks");
        drop(third);
        drop(entrance.enter(&desk.journal, &wanted(&worker, OPEN_INPUT_BYTES_MAX - 5)).expect("there is room again"));
        let left = entrance.0.lock().expect("not poisoned");
        assert_eq!((left.tasks, left.input_bytes, left.of_templates.len()), (0, 0, 0));
    }
}
