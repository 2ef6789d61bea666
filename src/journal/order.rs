//! The stored form of a work order: plain data that could cross a network to another node without changing.
//!
//! `control_plane::admission` makes the order and alone can turn this back into one that the data plane accepts.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::codec;
use super::dialogue::Dialogue;
use super::protection;
use crate::domain::clock::Timestamp;
use crate::domain::hook::{Hook, Hooks};
use crate::domain::id::{AgentId, ExperimentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::name::{Digest, TemplateName, Tenant, ToolName, User, Version};
use crate::domain::owner::Owner;
use crate::domain::private::Text;
use crate::domain::protection::Protection;

/// Everything that was decided about a task when it was admitted.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Order {
    /// The task.
    #[cbor(n(0), with = "codec::bytes")]
    pub task: TaskId,
    /// The agent that runs it.
    #[n(1)]
    pub worker: Worker,
    /// The template.
    #[cbor(n(2), with = "codec::as_text")]
    pub template: TemplateName,
    /// The version that the task keeps.
    #[cbor(n(3), with = "codec::as_text")]
    pub version: Version,
    /// The digest of that version.
    #[cbor(n(4), with = "codec::bytes")]
    pub digest: Digest,
    /// Who asked, for the audit.
    #[n(5)]
    pub principal: String,
    /// Whose task it is.
    #[cbor(n(6), with = "codec::as_text")]
    pub tenant: Tenant,
    /// On behalf of which user.
    #[cbor(n(7), with = "codec::as_optional_text", has_nil)]
    pub user: Option<User>,
    /// What the task is about.
    #[cbor(n(8), with = "codec::text")]
    pub input: Text,
    /// The most that it and its subtasks may cost.
    #[cbor(n(9), with = "codec::optional_usd", has_nil)]
    pub budget: Option<Usd>,
    /// When it fails if it has not ended.
    #[cbor(n(10), with = "codec::optional_time", has_nil)]
    pub deadline: Option<Timestamp>,
    /// The tasks that delegated it, nearest first.
    #[n(11)]
    pub ancestors: Vec<Ancestor>,
    /// Tools that it may use.
    #[n(12)]
    pub tools: Vec<Tool>,
    /// What is done with personal data.
    #[cbor(n(13), with = "protection")]
    pub protection: Protection,
    /// What the submitter sent along.
    #[n(14)]
    pub metadata: BTreeMap<String, String>,
    /// Levels of delegation that may still be below it.
    #[n(15)]
    pub levels: u32,
    /// The experiment that chose the version, if one did. Records of before there were experiments have none.
    #[n(16)]
    pub experiment: Option<Assignment>,
    /// Which tools are told when it starts and ends.
    #[cbor(n(18), with = "hooks", has_nil)]
    pub hooks: Hooks,
    /// The conversation that the input belongs to, where it belongs to one.
    #[n(19)]
    pub dialogue: Option<Box<Dialogue>>,
    /// Whether whoever asked listens to the answer as it comes.
    #[cbor(n(20), with = "codec::flag", has_nil)]
    pub streamed: bool,
    /// The most tokens that its model calls may read and write together.
    #[n(21)]
    pub tokens_max: Option<u64>,
    /// When the time that its template gives a task is over.
    #[cbor(n(22), with = "codec::optional_time", has_nil)]
    pub must_end_by: Option<Timestamp>,
}

impl Order {
    /// Whose the task is, and everything that is stored about it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner::of(&self.tenant, self.user.as_ref())
    }

    /// The agent that runs the task; an orchestrator's task has one of its own.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        match self.worker {
            Worker::Own | Worker::Orchestrator => self.task.own_agent(),
            Worker::Registered(id) => id.0,
        }
    }

    /// The most tokens of an answer, where whoever asked says so.
    #[must_use]
    pub fn max_output_tokens(&self) -> Option<u32> {
        self.dialogue.as_ref().and_then(|dialogue| dialogue.max_output_tokens)
    }

    /// When it fails if it has not ended, whoever says so.
    #[must_use]
    pub fn ends_by(&self) -> Option<Timestamp> {
        self.deadline.into_iter().chain(self.must_end_by).min()
    }

    /// How many bytes of what somebody wrote it holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.input.len().saturating_add(self.dialogue.as_ref().map_or(0, |dialogue| dialogue.len()))
    }

    /// The registered agent that runs the task, if it is one.
    #[must_use]
    pub fn registered_agent(&self) -> Option<AgentId> {
        match self.worker {
            Worker::Own | Worker::Orchestrator => None,
            Worker::Registered(id) => Some(id.0),
        }
    }

    /// The task that delegated this one.
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.ancestors.first().map(|ancestor| ancestor.task)
    }
}

/// What a task was assigned to in an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Assignment {
    /// The experiment.
    #[cbor(n(0), with = "codec::bytes")]
    pub experiment: ExperimentId,
    /// Which of its variants, from 0, in the order of their versions.
    #[n(1)]
    pub variant: u8,
}

/// Which agent runs a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Worker {
    /// One that exists for this task alone.
    #[n(0)]
    Own,
    /// One that outlives the task and remembers it.
    #[n(1)]
    Registered(#[n(0)] Registered),
    /// None: an orchestrator, which delegates.
    #[n(2)]
    Orchestrator,
}

/// The identifier of a registered agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Registered(#[cbor(n(0), with = "codec::bytes")] pub AgentId);

/// A task that delegated, and its limit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ancestor {
    /// The task.
    #[cbor(n(0), with = "codec::bytes")]
    pub task: TaskId,
    /// The most that it and its subtasks may cost.
    #[cbor(n(1), with = "codec::optional_usd", has_nil)]
    pub budget: Option<Usd>,
}

/// A tool that is granted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Tool(#[cbor(n(0), with = "codec::as_text")] pub ToolName);

/// Hooks, as pairs of a hook's word and its tool; none where there are none.
mod hooks {
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};

    use super::{Hook, Hooks, Tool};

    pub(super) fn encode<C, W: Write>(
        value: &Hooks,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let pairs: Vec<(&str, Tool)> = value.iter().map(|(hook, tool)| (hook.as_str(), Tool(tool.clone()))).collect();
        e.encode(pairs)?.ok()
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Hooks, DecodeError> {
        let pairs: Option<Vec<(&str, Tool)>> = d.decode()?;
        let hook = |word| Hook::from_word(word).ok_or_else(|| DecodeError::message("not a hook"));
        pairs.unwrap_or_default().into_iter().map(|(word, Tool(tool))| Ok((hook(word)?, tool))).collect()
    }

    pub(super) fn nil() -> Option<Hooks> {
        Some(Hooks::default())
    }

    pub(super) fn is_nil(value: &Hooks) -> bool {
        value.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::order;

    /// The order as the release before hooks wrote it: an array of sixteen members.
    fn earlier() -> Vec<u8> {
        let bytes = minicbor::to_vec(order(TaskId::generate(), "acme")).expect("encoded");
        assert_eq!(bytes.first(), Some(&0x90), "an order without hooks is written as before");
        bytes
    }

    #[test]
    fn an_order_of_the_release_before_has_no_hooks() {
        let read: Order = minicbor::decode(&earlier()).expect("an old record reads");
        assert!(read.hooks.is_empty());
    }

    #[test]
    fn an_order_of_the_release_before_has_no_limit_on_tokens_and_time() {
        let read: Order = minicbor::decode(&earlier()).expect("an old record reads");
        assert_eq!((read.tokens_max, read.must_end_by, read.ends_by()), (None, None, None));
    }

    #[test]
    fn limits_are_kept_with_the_order_and_the_earlier_of_two_times_ends_it() {
        let (soon, late) = (Timestamp::from_micros(1), Timestamp::from_micros(2));
        for (deadline, must_end_by, first) in [
            (Some(late), Some(soon), Some(soon)),
            (Some(soon), Some(late), Some(soon)),
            (None, Some(late), Some(late)),
            (Some(late), None, Some(late)),
        ] {
            let some = order(TaskId::generate(), "acme");
            let order = Order { deadline, must_end_by, tokens_max: Some(u64::MAX), ..some };
            assert_eq!(order.ends_by(), first);
            let bytes = minicbor::to_vec(&order).expect("encoded");
            assert_eq!(minicbor::decode::<Order>(&bytes).expect("decoded"), order);
        }
    }

    #[test]
    fn hooks_are_kept_with_the_order() {
        let mut order = order(TaskId::generate(), "acme");
        let tool = |name: &str| name.parse().expect("a tool");
        order.hooks = [(Hook::Start, tool("pager")), (Hook::Failure, tool("crm"))].into_iter().collect();
        let bytes = minicbor::to_vec(&order).expect("encoded");
        assert_eq!(minicbor::decode::<Order>(&bytes).expect("decoded"), order);
    }
}
