//! The scenarios that are written out. Each tells in its name what it is about.

use super::scenario::Step::{Crash, Delete, Exit, Fail, Kill, Panic, Restart, Start, Terminate};
use super::scenario::{
    Child, Scenario, Step, Sup, one_for_all, one_for_one, rest_for_one, scenario, supervisor, worker,
};

pub(super) fn scenarios() -> Vec<Scenario> {
    [
        strategies(),
        restart_types(),
        intensities(),
        starts(),
        failed_restarts(),
        shutdowns(),
        calls(),
        groups(),
        nested(),
    ]
    .concat()
}

/// Three permanent workers.
fn abc(strategy: fn([Child; 3]) -> Sup) -> Sup {
    strategy(["a", "b", "c"].map(worker))
}

fn strategies() -> Vec<Scenario> {
    vec![
        scenario("an empty supervisor", one_for_one([]), []),
        scenario("one_for_one: who crashes is started alone", abc(one_for_one), [Crash("b"), Crash("a"), Crash("c")]),
        scenario("one_for_one: who is killed is started alone", abc(one_for_one), [Kill("a"), Kill("b"), Kill("b")]),
        scenario("one_for_one: who panics is started alone", abc(one_for_one), [Panic("c"), Panic("c")]),
        scenario("one_for_all: the first takes all along", abc(one_for_all), [Crash("a")]),
        scenario("one_for_all: the middle one takes all along", abc(one_for_all), [Crash("b")]),
        scenario("one_for_all: the last takes all along", abc(one_for_all), [Kill("c"), Panic("c")]),
        scenario("one_for_all: an only child", one_for_all([worker("a")]), [Crash("a"), Kill("a")]),
        scenario("rest_for_one: the first takes all along", abc(rest_for_one), [Crash("a")]),
        scenario("rest_for_one: the middle one takes the last along", abc(rest_for_one), [Crash("b"), Panic("b")]),
        scenario("rest_for_one: the last is started alone", abc(rest_for_one), [Kill("c"), Crash("c")]),
        scenario("rest_for_one: one after the other", abc(rest_for_one), [Crash("c"), Crash("b"), Crash("a")]),
    ]
}

fn restart_types() -> Vec<Scenario> {
    let kinds = || [worker("a"), worker("b").transient(), worker("c").temporary()];
    let all = |end: fn(&'static str) -> Step| [end("a"), end("b"), end("c")];
    vec![
        scenario("normal exits of each restart type", one_for_one(kinds()), all(Exit)),
        scenario("crashes of each restart type", one_for_one(kinds()), all(Crash)),
        scenario("panics of each restart type", one_for_one(kinds()), all(Panic)),
        scenario("kills of each restart type", one_for_one(kinds()), all(Kill)),
        scenario("normal exits of each restart type, one_for_all", one_for_all(kinds()), all(Exit)),
        scenario("crashes of each restart type, one_for_all", one_for_all(kinds()), all(Crash)),
        scenario("normal exits of each restart type, rest_for_one", rest_for_one(kinds()), all(Exit)),
        scenario("crashes of each restart type, rest_for_one", rest_for_one(kinds()), all(Crash)),
        scenario(
            "a transient child that ended is started with its group",
            one_for_all([worker("a"), worker("b").transient(), worker("c")]),
            [Exit("b"), Crash("c"), Exit("b"), Crash("a")],
        ),
        scenario(
            "a temporary sibling is lost to the restart of its group",
            one_for_all([worker("a"), worker("b").temporary(), worker("c")]),
            [Crash("a"), Crash("a")],
        ),
        scenario(
            "a temporary later sibling is lost to rest_for_one",
            rest_for_one([worker("a").temporary(), worker("b"), worker("c").temporary(), worker("d")]),
            [Crash("b"), Crash("a"), Crash("d")],
        ),
        scenario(
            "temporary children that crash disturb nobody in a group",
            one_for_all([worker("a").temporary(), worker("b").temporary(), worker("c")]),
            [Crash("a"), Kill("b"), Exit("c")],
        ),
        scenario(
            "nobody is left",
            one_for_one([worker("a").temporary(), worker("b").temporary()]),
            [Exit("a"), Crash("b"), Crash("b")],
        ),
    ]
}

fn intensities() -> Vec<Scenario> {
    let abc = |strategy: fn([Child; 3]) -> Sup, intensity| abc(strategy).intensity(intensity);
    vec![
        scenario("an intensity of zero bears no crash", abc(one_for_one, 0), [Crash("b")]),
        scenario("an intensity of zero bears no normal exit of a permanent child", abc(one_for_one, 0), [Exit("b")]),
        scenario(
            "an intensity of zero bears what is not restarted",
            one_for_one([worker("a").temporary(), worker("b").transient(), worker("c")]).intensity(0),
            [Crash("a"), Exit("b"), Kill("c")],
        ),
        scenario("restarts of all children count", abc(one_for_one, 2), [Crash("a"), Crash("b"), Crash("c")]),
        scenario("as many restarts as the intensity says are borne", abc(one_for_one, 3), ["a"; 3].map(Crash)),
        scenario("one more is not", abc(one_for_one, 3), ["a"; 4].map(Crash)),
        scenario("a group restart counts once", abc(one_for_all, 2), [Crash("a"), Crash("b"), Crash("c")]),
        scenario("the same under rest_for_one", abc(rest_for_one, 2), [Crash("a"), Crash("a"), Crash("b")]),
        scenario(
            "what is left over at the end is not touched again",
            abc(one_for_one, 1),
            [Kill("c"), Kill("c"), Kill("a")],
        ),
        scenario(
            "calls do not count",
            one_for_one([worker("a"), worker("b")]).intensity(0),
            [Terminate("root", "a"), Restart("root", "a"), Terminate("root", "a"), Restart("root", "a"), Crash("b")],
        ),
        scenario(
            "who was stopped by a call is not stopped again at the end",
            abc(one_for_one, 0),
            [Terminate("root", "b"), Crash("a")],
        ),
    ]
}

fn starts() -> Vec<Scenario> {
    vec![
        scenario("a first start that fails stops what was started", abc(one_for_one), []).failing("c", 1),
        scenario("the same at the first child", abc(one_for_all), [Crash("a")]).failing("a", 1),
        scenario("the same in the middle", abc(rest_for_one), []).failing("b", 3),
        scenario(
            "the same below a supervisor",
            one_for_one([worker("a"), supervisor("mid", one_for_one([worker("x"), worker("y")])), worker("b")]),
            [],
        )
        .failing("y", 1),
        scenario("a temporary child's first start fails", one_for_one([worker("a"), worker("b").temporary()]), [])
            .failing("b", 1),
        scenario(
            "rolled back without mercy",
            one_for_one([worker("a").brutal(), worker("b").stubborn(), worker("c")]),
            [],
        )
        .failing("c", 1),
    ]
}

fn failed_restarts() -> Vec<Scenario> {
    vec![
        scenario("a restart that fails is tried again", abc(one_for_one), [Fail("b", 3), Crash("b"), Crash("a")]),
        scenario("each try counts", abc(one_for_one).intensity(3), [Fail("b", 3), Crash("b")]),
        scenario("and with one fewer it is borne", abc(one_for_one).intensity(3), [Fail("b", 2), Crash("b")]),
        scenario("one_for_all: a sibling's start fails", abc(one_for_all), [Fail("b", 1), Crash("c")]),
        scenario("one_for_all: the last sibling's start fails", abc(one_for_all), [Fail("c", 2), Crash("a")]),
        scenario("one_for_all: its own start fails", abc(one_for_all), [Fail("a", 2), Crash("a")]),
        scenario("one_for_all: it fails too often", abc(one_for_all).intensity(2), [Fail("c", 9), Crash("a")]),
        scenario("rest_for_one: a later sibling's start fails", abc(rest_for_one), [Fail("c", 2), Crash("a")]),
        scenario("rest_for_one: its own start fails", abc(rest_for_one), [Fail("b", 2), Crash("b")]),
        scenario("rest_for_one: two fail by turns", abc(rest_for_one), [Fail("b", 1), Fail("c", 1), Crash("a")]),
        scenario("rest_for_one: it fails too often", abc(rest_for_one).intensity(1), [Fail("b", 9), Crash("a")]),
        scenario(
            "a failing start of a transient child is tried again",
            one_for_one([worker("a").transient()]),
            [Fail("a", 2), Crash("a"), Exit("a")],
        ),
        scenario(
            "a group of each restart type whose starts fail",
            one_for_all([worker("a"), worker("b").transient(), worker("c").temporary(), worker("d")]),
            [Fail("b", 1), Fail("d", 1), Crash("d")],
        ),
    ]
}

fn shutdowns() -> Vec<Scenario> {
    let mixed =
        || [worker("a"), worker("b").brutal(), worker("c").patient(), worker("d").stubborn(), worker("e").sour()];
    vec![
        scenario("each kind of shutdown in reverse order", one_for_one(mixed()), []),
        scenario(
            "each kind of shutdown when the intensity is exceeded",
            one_for_one(mixed()).intensity(0),
            [Crash("a")],
        ),
        scenario("each kind of shutdown in a group restart", one_for_all(mixed()), [Crash("a"), Kill("e"), Crash("c")]),
        scenario("each kind of shutdown in rest_for_one", rest_for_one(mixed()), [Crash("b"), Kill("d")]),
        scenario(
            "each kind of shutdown by a call",
            one_for_one(mixed()),
            ["a", "b", "c", "d", "e"].map(|id| Terminate("root", id)),
        ),
        scenario(
            "a transient child that fails over being asked is not started again",
            one_for_one([worker("a").transient().sour(), worker("b").transient().stubborn()]),
            [Terminate("root", "a"), Terminate("root", "b"), Restart("root", "a"), Restart("root", "b")],
        ),
        scenario(
            "who ends of their own will is not held up",
            one_for_one(mixed()),
            ["a", "b", "c", "d", "e"].map(Exit),
        ),
    ]
}

fn calls() -> Vec<Scenario> {
    let pair = || [worker("a"), worker("b")];
    vec![
        scenario(
            "a new child comes last",
            one_for_all(pair()),
            [Start("root", worker("c")), Crash("c"), Start("root", worker("d").temporary()), Crash("a")],
        ),
        scenario("an id that is taken", one_for_one(pair()), [Start("root", worker("a")), Crash("a")]),
        scenario(
            "an id that is taken by a child that was stopped",
            one_for_one(pair()),
            [Terminate("root", "a"), Start("root", worker("a")), Delete("root", "a"), Start("root", worker("a"))],
        ),
        scenario(
            "a new child whose start fails is none",
            one_for_one(pair()),
            [Fail("c", 1), Start("root", worker("c")), Start("root", worker("c")), Crash("c")],
        ),
        scenario("an unknown child", one_for_one(pair()), [Terminate, Restart, Delete].map(|call| call("root", "c"))),
        scenario("a running child", one_for_one(pair()), [Restart("root", "a"), Delete("root", "a"), Crash("a")]),
        scenario(
            "stopped twice",
            one_for_one(pair()),
            [Terminate("root", "a"), Terminate("root", "a"), Restart("root", "a")],
        ),
        scenario(
            "a child that was stopped keeps its place",
            rest_for_one(["a", "b", "c"].map(worker)),
            [Terminate("root", "b"), Restart("root", "b"), Crash("b"), Crash("a")],
        ),
        scenario(
            "a child that was stopped is started with its group",
            one_for_all(["a", "b", "c"].map(worker)),
            [Terminate("root", "b"), Crash("c"), Terminate("root", "a"), Terminate("root", "c"), Restart("root", "c")],
        ),
        scenario(
            "of rest_for_one only what comes later",
            rest_for_one(["a", "b", "c", "d"].map(worker)),
            [Terminate("root", "a"), Terminate("root", "c"), Crash("b"), Crash("d")],
        ),
        scenario(
            "a temporary child that was stopped is gone",
            one_for_one([worker("a").temporary(), worker("b")]),
            [Terminate("root", "a"), Restart("root", "a"), Delete("root", "a"), Start("root", worker("a"))],
        ),
        scenario(
            "a transient child that ended can be started again or deleted",
            one_for_one([worker("a").transient(), worker("b").transient()]),
            [Exit("a"), Restart("root", "a"), Exit("b"), Delete("root", "b"), Crash("a"), Crash("b")],
        ),
        scenario(
            "a start by a call that fails leaves the child stopped",
            one_for_one(pair()),
            [Terminate("root", "a"), Fail("a", 1), Restart("root", "a"), Restart("root", "a"), Crash("a")],
        ),
        scenario(
            "a deleted child comes back at the end of the line",
            rest_for_one(["a", "b", "c"].map(worker)),
            [Terminate("root", "a"), Delete("root", "a"), Start("root", worker("a")), Crash("b"), Crash("a")],
        ),
        scenario(
            "a supervisor that lost all its children takes new ones",
            one_for_all([worker("a")]),
            [Terminate("root", "a"), Delete("root", "a"), Start("root", worker("b").transient()), Crash("b")],
        ),
    ]
}

fn groups() -> Vec<Scenario> {
    vec![
        scenario(
            "a normal exit of a transient child disturbs no group",
            one_for_all([worker("a").transient(), worker("b")]),
            [Exit("a"), Exit("b"), Exit("a")],
        ),
        scenario(
            "rest_for_one over ended and stopped children",
            rest_for_one([worker("a"), worker("b").transient(), worker("c"), worker("d").temporary()]),
            [Exit("b"), Terminate("root", "c"), Crash("d"), Crash("a")],
        ),
        scenario(
            "a stubborn sibling holds up its group until it is killed",
            one_for_all([worker("a"), worker("b").stubborn(), worker("c").stubborn()]),
            [Crash("a"), Crash("c")],
        ),
        scenario(
            "a sour sibling's failure does not count",
            one_for_all([worker("a"), worker("b").sour()]).intensity(1),
            [Crash("a"), Crash("a")],
        ),
    ]
}

fn nested() -> Vec<Scenario> {
    let middle = |intensity| supervisor("mid", one_for_one(["x", "y"].map(worker)).intensity(intensity));
    let tree = |strategy: fn([Child; 3]) -> Sup, intensity| strategy([worker("a"), middle(intensity), worker("b")]);
    vec![
        scenario("a supervisor deals with its own", tree(one_for_one, 3), [Crash("x"), Kill("y"), Crash("a")]),
        scenario(
            "a supervisor that gives up is started again",
            tree(one_for_one, 1),
            [Crash("x"), Crash("y"), Crash("x")],
        ),
        scenario(
            "it begins to count anew",
            tree(one_for_one, 1),
            [Crash("x"), Crash("x"), Crash("x"), Crash("x"), Crash("x")],
        ),
        scenario("it takes its group along", tree(one_for_all, 0), [Crash("x"), Crash("y")]),
        scenario("it takes what comes later along", tree(rest_for_one, 0), [Crash("x"), Crash("a"), Crash("b")]),
        scenario("giving up goes on upwards", tree(one_for_one, 0).intensity(1), [Crash("x"), Crash("x")]),
        scenario(
            "what was added below is lost to a restart, and what was first comes back",
            tree(one_for_one, 0),
            [Start("mid", worker("z")), Terminate("mid", "x"), Delete("mid", "x"), Crash("y")],
        ),
        scenario(
            "a supervisor is stopped, asked in vain, and started again",
            tree(one_for_one, 3),
            [Terminate("root", "mid"), Crash("x"), Terminate("mid", "x"), Restart("root", "mid"), Crash("x")],
        ),
        scenario(
            "a supervisor is deleted",
            tree(one_for_one, 3),
            [
                Delete("root", "mid"),
                Terminate("root", "mid"),
                Delete("root", "mid"),
                Start("root", middle(3)),
                Crash("y"),
            ],
        ),
        scenario("a supervisor whose start fails is tried again", tree(one_for_one, 0), [Fail("y", 2), Crash("x")]),
        scenario("and too often", tree(one_for_one, 0).intensity(2), [Fail("y", 9), Crash("x")]),
        scenario(
            "a temporary supervisor that gives up is gone",
            one_for_one([worker("a"), middle(0).temporary()]),
            [Crash("x"), Terminate("root", "mid"), Crash("a")],
        ),
        scenario(
            "three levels",
            one_for_one([supervisor(
                "mid",
                rest_for_one([
                    worker("x"),
                    supervisor("low", one_for_all(["p", "q"].map(worker)).intensity(1)),
                    worker("y"),
                ])
                .intensity(1),
            )]),
            [Crash("p"), Crash("q"), Crash("x"), Kill("p"), Terminate("low", "p"), Crash("y")],
        ),
        scenario(
            "a supervisor as a new child whose start fails is none",
            one_for_one([worker("a")]),
            [Fail("y", 1), Start("root", middle(1)), Start("root", middle(1)), Crash("y"), Crash("y")],
        ),
    ]
}
