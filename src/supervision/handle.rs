//! The only way to reach a supervisor.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, join_all};
use ractor::RpcReplyPort;

use super::message::{Message, Reply};
use super::snapshot::{ChildInfo, Counts, Node, NodeKind, NodeState};
use super::spec::{Parent, start_supervisor};
use super::supervisor_spec::Inherited;
use super::{Address, CallError, ChildId, ChildSpec, Error, StartError, SupervisorSpec};

/// How long a call waits for a supervisor that is being restarted.
const PRESENT_WITHIN: Duration = Duration::from_secs(10);

/// How long a question is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a start or a stop is waited for: the child's own limits are what ends it.
const CHANGE_WITHIN: Duration = Duration::from_secs(3_600);

/// How long the snapshot of the tree waits for one supervisor before it shows it as restarting.
const LISTED_WITHIN: Duration = Duration::from_secs(1);

/// Reaches a supervisor, whichever incarnation of it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    address: Address<Message>,
}

impl SupervisorHandle {
    /// A handle of a supervisor that does not run yet: [`ChildSpec::supervisor`] gives it life.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { address: Address::new(name) }
    }

    /// The supervisor's name in the tree.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        self.address.name()
    }

    pub(super) fn address(&self) -> &Address<Message> {
        &self.address
    }

    /// Adds a child after the others and starts it.
    ///
    /// # Errors
    /// The child's start failed, and it is no child; its id is taken; there is no room; the supervisor's children are being
    /// restarted as a group.
    pub async fn start_child(&self, spec: ChildSpec) -> Result<(), Error> {
        self.change(|reply| Message::StartChild(Box::new(spec), reply)).await
    }

    /// Ends a child for good, as its spec says, and returns when its exit is confirmed. Its spec is kept for
    /// [`restart_child`](Self::restart_child), except of temporary children and under `Dynamic`.
    ///
    /// # Errors
    /// There is no such child, or it is being restarted with its group.
    pub async fn terminate_child(&self, id: &ChildId) -> Result<(), Error> {
        self.change(|reply| Message::TerminateChild(id.clone(), reply)).await
    }

    /// Starts a child that ended and was not restarted.
    ///
    /// # Errors
    /// There is no such child, it runs or is about to, or its start failed.
    pub async fn restart_child(&self, id: &ChildId) -> Result<(), Error> {
        self.change(|reply| Message::RestartChild(id.clone(), reply)).await
    }

    /// Forgets a child that ended and was not restarted.
    ///
    /// # Errors
    /// There is no such child, or it runs or is about to.
    pub async fn delete_child(&self, id: &ChildId) -> Result<(), Error> {
        self.change(|reply| Message::DeleteChild(id.clone(), reply)).await
    }

    /// Whether there is a child of that id, in whatever state: also one whose restart is put off.
    ///
    /// # Errors
    /// The supervisor did not answer.
    pub async fn has_child(&self, id: &ChildId) -> Result<bool, Error> {
        let question = id.clone();
        let found = self.address.call(ANSWER_WITHIN, move |reply| Message::Find(question, reply)).await?;
        Ok(found.is_some_and(|found| found.child == *id))
    }

    /// How many children there are. Counts them all: not for hot paths.
    ///
    /// # Errors
    /// The supervisor did not answer.
    pub async fn count_children(&self) -> Result<Counts, Error> {
        Ok(self.address.call(ANSWER_WITHIN, Message::Count).await?)
    }

    /// The first [`LISTED_MAX`](super::LISTED_MAX) children in the order of their start.
    ///
    /// # Errors
    /// The supervisor did not answer.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, Error> {
        Ok(self.address.call(ANSWER_WITHIN, Message::Which).await?)
    }

    /// Kills the actor at the end of a path of children below this supervisor, as a crash would: for finding out whether the rest
    /// bears it.
    ///
    /// # Errors
    /// There is no such actor, or it is being restarted.
    pub async fn kill(&self, path: &[ChildId]) -> Result<(), Error> {
        let mut supervisor = self.clone();
        let mut path = path.iter().peekable();
        while let Some(child) = path.next() {
            if path.peek().is_none() {
                return supervisor.change(|reply| Message::KillChild(child.clone(), reply)).await;
            }
            let listing = supervisor.address.call(LISTED_WITHIN, Message::List).await?;
            let below = listing.children.into_iter().find(|(node, _)| node.name == *child).and_then(|(_, below)| below);
            let unknown = || Error::UnknownChild { supervisor: supervisor.name().clone(), child: child.clone() };
            supervisor = below.ok_or_else(unknown)?;
        }
        Ok(())
    }

    /// Ends the quarantine of the child at the end of a path below this supervisor: what it did counts no more, and it is started.
    /// The path's names are parted by slashes, and this supervisor's own may come first: `root/core/data/dlp/dlp/0`.
    ///
    /// # Errors
    /// There is no such child, it is not in quarantine, or it could not be started: then it stays there.
    pub async fn release(&self, path: &str) -> Result<(), Error> {
        let below = path.strip_prefix(&**self.name()).and_then(|rest| rest.strip_prefix('/'));
        let mut path: Arc<str> = below.unwrap_or(path).into();
        let mut supervisor = self.clone();
        loop {
            let unknown = Error::UnknownChild { supervisor: supervisor.name().clone(), child: path.clone() };
            let question = path.clone();
            let found = supervisor.address.call(ANSWER_WITHIN, move |reply| Message::Find(question, reply)).await?;
            let found = found.ok_or(unknown)?;
            match (found.rest, found.below) {
                (None, _) => return supervisor.change(|reply| Message::Release(found.child, reply)).await,
                (Some(rest), Some(below)) => (path, supervisor) = (rest, below),
                (Some(_), None) => {
                    return Err(Error::UnknownChild { supervisor: supervisor.name().clone(), child: path });
                }
            }
        }
    }

    /// The tree from here down. A supervisor that does not answer in time is shown as restarting, without children.
    pub async fn snapshot(&self) -> Node {
        let leaf = Node::leaf(self.name().clone(), NodeKind::Supervisor, NodeState::Running);
        self.fill(leaf).await
    }

    /// Stops all children in the reverse order of their start, then the supervisor, and returns when it has ended. For the root:
    /// any other supervisor would be restarted, and is stopped by its own supervisor's [`terminate_child`](Self::terminate_child).
    pub async fn shutdown(&self) {
        if let Some(actor) = self.address.current() {
            actor.stop(None);
            self.ended().await;
        }
    }

    /// Returns when the present incarnation has ended; at once where there is none. For the root, that it gave up.
    pub async fn ended(&self) {
        if let Some(actor) = self.address.current_or_ending()
            && actor.wait(None).await.is_err()
        {
            tracing::debug!("wait without a limit was cut short");
        }
    }

    async fn change(&self, make: impl FnOnce(Reply) -> Message) -> Result<(), Error> {
        self.address.call_patiently(PRESENT_WITHIN, CHANGE_WITHIN, make).await?
    }

    /// Completes a supervisor's node with its children.
    fn fill(&self, node: Node) -> BoxFuture<'_, Node> {
        async move {
            let question = |reply: RpcReplyPort<_>| Message::List(reply);
            let listing = match self.address.call(LISTED_WITHIN, question).await {
                Ok(listing) => listing,
                Err(CallError::NotRunning(_) | CallError::Interrupted(_) | CallError::TimedOut(_)) => {
                    let state = if node.state == NodeState::Running { NodeState::Restarting } else { node.state };
                    return Node { state, ..node };
                }
            };
            let children = listing.children.into_iter().map(|(child, below)| async move {
                match below {
                    Some(handle) => handle.fill(child).await,
                    None => child,
                }
            });
            let children = join_all(children).await;
            let children_total = (listing.total > children.len()).then_some(listing.total);
            Node { strategy: Some(listing.strategy), children, children_total, ..node }
        }
        .boxed()
    }
}

impl SupervisorHandle {
    /// Starts a tree whose root is reached by this handle, for those who must hold the handle before the tree is there. The root
    /// has no supervisor: where it gives up, the tree ends, and [`SupervisorHandle::ended`] returns.
    ///
    /// # Errors
    /// A child could not be started; those started before it have been stopped in reverse order.
    pub async fn start_root(&self, spec: SupervisorSpec) -> Result<(), StartError> {
        let parent = Parent { cell: None, tie: None, inherited: Inherited::default() };
        let started = start_supervisor(self, spec, parent).await?;
        tokio::spawn(async move {
            if started.cell.wait(None).await.is_ok() {
                (started.on_exit)();
            }
        });
        Ok(())
    }
}

/// Starts a tree.
///
/// # Errors
/// As [`SupervisorHandle::start_root`].
pub async fn start_root(spec: SupervisorSpec) -> Result<SupervisorHandle, StartError> {
    let handle = SupervisorHandle::new(spec.name.clone());
    handle.start_root(spec).await?;
    Ok(handle)
}
