//! What a registered agent remembers of its earlier tasks.

use super::Error;
use super::environment::Environment;
use crate::control_plane::admission::WorkOrder;
use crate::data_plane::provider::{Message, Role};
use crate::domain::private::Text;

/// Earlier questions and answers, the oldest first. An agent that exists for one task remembers nothing.
#[derive(Debug, Default)]
pub(super) struct Memory {
    exchanges: Vec<(Text, Text)>,
}

impl Memory {
    /// Reads as many exchanges as the template asks for.
    pub(super) async fn of(environment: &Environment, order: &WorkOrder) -> Result<Self, Error> {
        let turns = usize::try_from(order.template().memory_turns).unwrap_or(usize::MAX);
        let Some(agent) = order.order().registered_agent().filter(|_| turns > 0) else { return Ok(Self::default()) };
        let mut exchanges = Vec::new();
        for id in environment.journal.agents().turns(agent, turns).await? {
            match environment.journal.task(id).await {
                Ok(task) => {
                    exchanges.extend(task.and_then(|task| Some((task.order.input.clone(), task.output.clone()?))))
                }
                // One turn that cannot be read must not keep the agent from every task to come.
                Err(error) => tracing::error!(%agent, task = %id, %error, "a turn is missing from an agent's memory"),
            }
        }
        Ok(Self { exchanges })
    }

    /// The messages, in order.
    pub(super) fn messages(&self) -> Vec<Message> {
        let said = |(question, answer): &(Text, Text)| {
            [Message::said(Role::User, question.clone()), Message::said(Role::Assistant, answer.clone())]
        };
        self.exchanges.iter().flat_map(said).collect()
    }
}
