//! Identifiers of tasks, agents, experiments and erasures: UUIDv7, subtasks UUIDv8 (RFC 9562), so that they sort by creation, written with a prefix
//! that tells them apart.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A text that is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} identifier")]
pub struct InvalidId {
    kind: &'static str,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new identifier, later than every one that this process made before.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The sixteen bytes that stored keys use; their order is the order of creation.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads back what [`Self::as_bytes`] gave.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix)
                    .filter(|rest| rest.len() == 32 && !rest.bytes().any(|b| b.is_ascii_uppercase()))
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or(InvalidId { kind: $kind })
            }
        }
    };
}

identifier!(
    /// Names one task for ever: `task-` and 32 hexadecimal digits.
    TaskId,
    "task-",
    "task"
);
identifier!(
    /// Names one agent for ever: `agent-` and 32 hexadecimal digits.
    AgentId,
    "agent-",
    "agent"
);
identifier!(
    /// Names one experiment with versions of a template for ever: `experiment-` and 32 hexadecimal digits.
    ExperimentId,
    "experiment-",
    "experiment"
);

identifier!(
    /// Names one erasure of somebody's data for ever: `erasure-` and 32 hexadecimal digits.
    ErasureId,
    "erasure-",
    "erasure"
);

impl TaskId {
    /// The identifier of the subtask that `step` of this task delegates. It depends on nothing else, so that delegating
    /// again after a crash names the same subtask; and it begins with its parent's time, so that lists keep them together.
    #[must_use]
    pub fn child(&self, step: &str) -> Self {
        let mut bytes = *Uuid::new_v5(&self.0, step.as_bytes()).as_bytes();
        let (time, own) = (self.0.as_bytes().iter(), bytes.iter_mut());
        own.zip(time).take(6).for_each(|(own, time)| *own = *time);
        Self(Uuid::new_v8(bytes))
    }

    /// The agent that exists for this task alone (a task by template gets a fresh agent without history).
    #[must_use]
    pub fn own_agent(&self) -> AgentId {
        AgentId(self.0)
    }
}

impl AgentId {
    /// The task that an agent made for one task alone belongs to; for a registered agent, no task has this identifier.
    #[must_use]
    pub fn own_task(&self) -> TaskId {
        TaskId(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_read_back_and_sort_by_creation() {
        let first = TaskId::generate();
        let second = TaskId::generate();
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert!(first.to_string().parse::<AgentId>().is_err());
        assert!(first.to_string().to_uppercase().parse::<TaskId>().is_err());
    }

    #[test]
    fn a_child_is_the_same_every_time() {
        let parent = TaskId::generate();
        assert_eq!(parent.child("facts"), parent.child("facts"));
        assert_ne!(parent.child("facts"), parent.child("notes"));
        assert_eq!(parent.child("facts").as_bytes()[..6], parent.as_bytes()[..6], "it sorts beside its parent");
    }
}
