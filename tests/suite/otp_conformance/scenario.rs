//! What a scenario is: a tree, and what is done to it. Its `Display` is the Erlang term that the other side reads.

use std::fmt;
use std::time::Duration;

use agent_factory::supervision::{AutoShutdown, Restart, Shutdown, Strategy};

pub(super) type Id = &'static str;

/// How long a stubborn worker may take to end before it is killed: real time on Erlang's side.
const STUBBORN_SHUTDOWN: Duration = Duration::from_millis(40);

#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// How many of a worker's first starts fail.
    pub(super) failing: Vec<(Id, u32)>,
    pub(super) root: Sup,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) struct Sup {
    pub(super) name: Id,
    pub(super) strategy: Strategy,
    /// Within an hour, so that time never decides.
    pub(super) intensity: u32,
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) children: Vec<Child>,
}

#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) id: Id,
    pub(super) restart: Restart,
    pub(super) significant: bool,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Worker(Shutdown, Temper),
    Supervisor(Sup),
}

/// What a worker does when its supervisor asks it to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Temper {
    /// It ends.
    Obedient,
    /// It does not, and has to be killed.
    Stubborn,
    /// It fails over it.
    Sour,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The worker ends as it should.
    Exit(Id),
    /// Its handler answers with an error.
    Crash(Id),
    /// Its handler panics.
    Panic(Id),
    Kill(Id),
    /// The next so many starts of the worker fail.
    Fail(Id, u32),
    Start(Id, Child),
    Terminate(Id, Id),
    Restart(Id, Id),
    Delete(Id, Id),
}

pub(super) fn worker(id: Id) -> Child {
    let kind = Kind::Worker(Shutdown::Timeout(Duration::from_secs(5)), Temper::Obedient);
    Child { id, restart: Restart::Permanent, significant: false, kind }
}

pub(super) fn supervisor(id: Id, sup: Sup) -> Child {
    Child { id, restart: Restart::Permanent, significant: false, kind: Kind::Supervisor(Sup { name: id, ..sup }) }
}

impl Child {
    pub(super) fn transient(self) -> Self {
        Self { restart: Restart::Transient, ..self }
    }

    pub(super) fn temporary(self) -> Self {
        Self { restart: Restart::Temporary, ..self }
    }

    pub(super) fn significant(self) -> Self {
        Self { significant: true, ..self }
    }

    pub(super) fn brutal(self) -> Self {
        Self { kind: Kind::Worker(Shutdown::Brutal, Temper::Obedient), ..self }
    }

    pub(super) fn patient(self) -> Self {
        Self { kind: Kind::Worker(Shutdown::Infinity, Temper::Obedient), ..self }
    }

    pub(super) fn stubborn(self) -> Self {
        Self { kind: Kind::Worker(Shutdown::Timeout(STUBBORN_SHUTDOWN), Temper::Stubborn), ..self }
    }

    pub(super) fn sour(self) -> Self {
        Self { kind: Kind::Worker(Shutdown::Timeout(Duration::from_secs(5)), Temper::Sour), ..self }
    }
}

fn sup(strategy: Strategy, children: impl IntoIterator<Item = Child>) -> Sup {
    let children = children.into_iter().collect();
    Sup { name: "root", strategy, intensity: 10, auto_shutdown: AutoShutdown::Never, children }
}

pub(super) fn one_for_one(children: impl IntoIterator<Item = Child>) -> Sup {
    sup(Strategy::OneForOne, children)
}

pub(super) fn one_for_all(children: impl IntoIterator<Item = Child>) -> Sup {
    sup(Strategy::OneForAll, children)
}

pub(super) fn rest_for_one(children: impl IntoIterator<Item = Child>) -> Sup {
    sup(Strategy::RestForOne, children)
}

impl Sup {
    pub(super) fn intensity(self, intensity: u32) -> Self {
        Self { intensity, ..self }
    }

    pub(super) fn auto_shutdown(self, auto_shutdown: AutoShutdown) -> Self {
        Self { auto_shutdown, ..self }
    }
}

pub(super) fn scenario(name: &str, root: Sup, steps: impl IntoIterator<Item = Step>) -> Scenario {
    Scenario { name: name.to_owned(), failing: Vec::new(), root, steps: steps.into_iter().collect() }
}

impl Scenario {
    pub(super) fn failing(mut self, id: Id, times: u32) -> Self {
        self.failing.push((id, times));
        self
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failing: Vec<_> = self.failing.iter().map(|(id, times)| format!("{{{id},{times}}}")).collect();
        let (failing, steps) = (failing.join(","), listed(&self.steps));
        write!(f, "{{scenario,{:?},[{failing}],{},{steps}}}.", self.name, self.root)
    }
}

impl fmt::Display for Sup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, strategy, intensity, auto_shutdown, children } = self;
        let auto_shutdown = match auto_shutdown {
            AutoShutdown::Never => "never",
            AutoShutdown::AnySignificant => "any_significant",
            AutoShutdown::AllSignificant => "all_significant",
        };
        write!(f, "{{sup,{name},{},{intensity},{auto_shutdown},{}}}", strategy.as_str(), listed(children))
    }
}

impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, restart, significant, kind } = self;
        let restart = match restart {
            Restart::Permanent => "permanent",
            Restart::Transient => "transient",
            Restart::Temporary => "temporary",
        };
        match kind {
            Kind::Supervisor(sup) => write!(f, "{{supervisor,{id},{restart},{significant},{sup}}}"),
            Kind::Worker(shutdown, temper) => {
                let shutdown = match shutdown {
                    Shutdown::Brutal => "brutal_kill".to_owned(),
                    Shutdown::Infinity => "infinity".to_owned(),
                    Shutdown::Timeout(limit) => limit.as_millis().to_string(),
                };
                let temper = match temper {
                    Temper::Obedient => "obedient",
                    Temper::Stubborn => "stubborn",
                    Temper::Sour => "sour",
                };
                write!(f, "{{worker,{id},{restart},{significant},{shutdown},{temper}}}")
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(id) => write!(f, "{{exit,{id}}}"),
            Self::Crash(id) => write!(f, "{{crash,{id}}}"),
            Self::Panic(id) => write!(f, "{{panic,{id}}}"),
            Self::Kill(id) => write!(f, "{{kill,{id}}}"),
            Self::Fail(id, times) => write!(f, "{{fail,{id},{times}}}"),
            Self::Start(sup, child) => write!(f, "{{start,{sup},{child}}}"),
            Self::Terminate(sup, id) => write!(f, "{{terminate,{sup},{id}}}"),
            Self::Restart(sup, id) => write!(f, "{{restart,{sup},{id}}}"),
            Self::Delete(sup, id) => write!(f, "{{delete,{sup},{id}}}"),
        }
    }
}

fn listed(items: &[impl fmt::Display]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(","))
}
