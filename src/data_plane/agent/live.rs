//! Answers while they are written: what a task's agent has heard of the present answer, for whoever listens.
//!
//! It lives in memory only and is provisional; the records tell the answer. Both sides hold a [`Line`]: it is there from whoever
//! comes first to whoever goes last, so that a listener misses nothing and an agent that crashes finds what it had said.
//!
//! INVARIANT I91: what is said on a line only grows, and is where the task's output begins.

use std::sync::{Arc, Weak};

use dashmap::DashMap;
use tokio::sync::watch;

use crate::domain::id::TaskId;

/// The answers that are being written. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Lines>);

type Lines = DashMap<TaskId, Weak<Line>>;

/// What is said about one task.
#[derive(Debug)]
pub struct Line {
    task: TaskId,
    lines: Weak<Lines>,
    said: watch::Sender<String>,
}

/// Hears what is said on a line, each word once.
#[derive(Debug)]
pub struct Listener {
    line: Arc<Line>,
    more: watch::Receiver<String>,
    heard: usize,
}

impl Live {
    /// The line of a task.
    #[must_use]
    pub fn line(&self, task: TaskId) -> Arc<Line> {
        let mut entry = self.0.entry(task).or_default();
        if let Some(line) = entry.upgrade() {
            return line;
        }
        let line = Arc::new(Line { task, lines: Arc::downgrade(&self.0), said: watch::Sender::new(String::new()) });
        *entry = Arc::downgrade(&line);
        line
    }

    /// Listens to what is said about a task, from the first word on.
    #[must_use]
    pub fn listen(&self, task: TaskId) -> Listener {
        let line = self.line(task);
        let mut more = line.said.subscribe();
        more.mark_changed();
        Listener { line, more, heard: 0 }
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Line {
    /// Says more.
    pub(super) fn say(&self, words: &str) {
        if !words.is_empty() {
            self.said.send_modify(|said| said.push_str(words));
        }
    }

    /// What was said beyond `known`, which is where it begins.
    pub(super) fn beyond(&self, known: &str) -> String {
        self.said.borrow().strip_prefix(known).unwrap_or_default().to_owned()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(lines) = self.lines.upgrade() {
            // Another may have taken its place meanwhile.
            lines.remove_if(&self.task, |_, line| line.strong_count() == 0);
        }
    }
}

impl Listener {
    /// What was said since the last time; waits until there is some.
    pub async fn more(&mut self) -> String {
        loop {
            // The line holds the sender, so that this cannot fail while the line is held here.
            let _held = self.more.changed().await.is_ok();
            let words = self.rest();
            if !words.is_empty() {
                return words;
            }
        }
    }

    /// What was said since the last time; does not wait.
    pub fn rest(&mut self) -> String {
        let said = self.line.said.borrow();
        let words = said.get(self.heard..).unwrap_or_default().to_owned();
        self.heard = said.len();
        words
    }

    /// How many bytes were heard so far.
    #[must_use]
    pub fn heard(&self) -> usize {
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_hears_each_word_once_whenever_it_comes() {
        let (live, task) = (Live::default(), TaskId::generate());
        let line = live.line(task);
        line.say("one ");
        let mut listener = live.listen(task);
        assert_eq!(listener.more().await, "one ");
        line.say("two");
        line.say(" three");
        assert_eq!(listener.more().await, "two three");
        assert_eq!((listener.rest().as_str(), listener.heard()), ("", 13));
        assert_eq!(line.beyond("one "), "two three");
    }

    #[test]
    fn a_line_is_gone_with_the_last_who_holds_it() {
        let (live, task) = (Live::default(), TaskId::generate());
        let listener = live.listen(task);
        drop(live.line(task));
        assert_eq!(live.len(), 1);
        drop(listener);
        assert!(live.is_empty());
    }
}
