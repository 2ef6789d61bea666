//! What callers may ask of a supervisor: pure, a part of `state`.

use super::ChildId;
use super::child::{Generation, Key, Origin, Phase};
use super::state::{Action, Refusal, State};

impl State {
    /// A caller wants the child ended for good; `Settle` says when it is.
    pub(super) fn terminate(&mut self, id: &ChildId) -> Result<(Key, Vec<Action>), Refusal> {
        let key = self.find(id)?;
        let Some(child) = self.children.get_mut(&key) else { return Err(Refusal::Unknown) };
        match child.phase {
            Phase::Running(generation, _) => {
                child.phase = Phase::Stopping(generation);
                Ok((key, vec![Action::Stop { key }]))
            }
            Phase::Waiting(_) | Phase::Stopped => Ok((key, self.settle(key))),
            Phase::Stopping(_) => Ok((key, Vec::new())),
            Phase::Starting(..) => Err(Refusal::Restarting),
            Phase::Quarantined => Err(Refusal::Quarantined),
        }
    }

    /// A caller wants a stopped child started.
    pub(super) fn restart_child(&mut self, id: &ChildId) -> Result<(Key, Generation), Refusal> {
        let key = self.find_stopped(id)?;
        let generation = self.next_generation();
        let Some(child) = self.children.get_mut(&key) else { return Err(Refusal::Unknown) };
        child.phase = Phase::Starting(generation, Origin::Asked);
        Ok((key, generation))
    }

    /// A caller wants a stopped child forgotten.
    pub(super) fn delete(&mut self, id: &ChildId) -> Result<Vec<Action>, Refusal> {
        let key = self.find_stopped(id)?;
        Ok(self.forget(key))
    }

    /// A caller wants a child out of quarantine, and started.
    pub(super) fn release(&mut self, id: &ChildId) -> Result<(Key, Generation), Refusal> {
        let key = self.find(id)?;
        let generation = self.next_generation();
        let Some(child) = self.children.get_mut(&key) else { return Err(Refusal::Unknown) };
        if child.phase != Phase::Quarantined {
            return Err(Refusal::NotQuarantined);
        }
        child.phase = Phase::Starting(generation, Origin::Released);
        Ok((key, generation))
    }

    /// The child of that id, unless its group is between two states.
    pub(super) fn find(&self, id: &ChildId) -> Result<Key, Refusal> {
        let key = self.ids.get(id).copied().ok_or(Refusal::Unknown)?;
        if self.recovery.is_some() { Err(Refusal::Restarting) } else { Ok(key) }
    }

    /// The child of that id.
    pub(super) fn key_of(&self, id: &ChildId) -> Option<Key> {
        self.ids.get(id).copied()
    }

    fn find_stopped(&self, id: &ChildId) -> Result<Key, Refusal> {
        let key = self.find(id)?;
        match self.children.get(&key).map(|child| child.phase) {
            Some(Phase::Stopped) => Ok(key),
            Some(Phase::Running(..)) => Err(Refusal::Running),
            Some(Phase::Starting(..) | Phase::Waiting(_) | Phase::Stopping(_)) => Err(Refusal::Restarting),
            Some(Phase::Quarantined) => Err(Refusal::Quarantined),
            None => Err(Refusal::Unknown),
        }
    }
}
