//! Scenarios of supervisors that end themselves because significant children did, and of specs that contradict themselves.

use agent_factory::supervision::AutoShutdown::{AllSignificant, AnySignificant};

use super::scenario::Step::{Crash, Exit, Kill, Restart, Start, Terminate};
use super::scenario::{Child, Scenario, Sup, one_for_all, one_for_one, rest_for_one, scenario, supervisor, worker};

pub(super) fn scenarios() -> Vec<Scenario> {
    [any_significant(), all_significant(), below(), contradictions()].concat()
}

fn transient(id: &'static str) -> Child {
    worker(id).transient().significant()
}

fn temporary(id: &'static str) -> Child {
    worker(id).temporary().significant()
}

fn any_significant() -> Vec<Scenario> {
    let any = |strategy: fn([Child; 3]) -> Sup| {
        strategy([worker("a"), transient("b"), temporary("c")]).auto_shutdown(AnySignificant)
    };
    vec![
        scenario("any significant: a transient child's normal exit ends it", any(one_for_one), [Exit("b")]),
        scenario("any significant: a transient child's crash does not", any(one_for_one), [Crash("b"), Kill("b")]),
        scenario("any significant: a temporary child's normal exit ends it", any(one_for_one), [Exit("c")]),
        scenario("any significant: a temporary child's crash ends it", any(one_for_all), [Crash("c")]),
        scenario("any significant: a temporary child's kill ends it", any(rest_for_one), [Kill("c")]),
        scenario("any significant: who is not significant does not end it", any(one_for_one), [Exit("a"), Crash("a")]),
        scenario(
            "any significant: a call does not end it",
            any(one_for_one),
            [Terminate("root", "b"), Terminate("root", "c"), Restart("root", "b"), Exit("b")],
        ),
        scenario("any significant: a group restart does not end it", any(one_for_all), [Crash("a"), Exit("b")]),
        scenario("any significant: restarts count", any(one_for_one).intensity(1), [Crash("b"), Crash("b")]),
        scenario(
            "any significant: whoever is stubborn or sour is stopped first",
            one_for_one([worker("a").sour(), worker("b").stubborn(), transient("y"), worker("c").brutal()])
                .auto_shutdown(AnySignificant),
            [Exit("y")],
        ),
    ]
}

fn all_significant() -> Vec<Scenario> {
    let all = |strategy: fn([Child; 3]) -> Sup| {
        strategy([worker("a"), transient("b"), temporary("c")]).auto_shutdown(AllSignificant)
    };
    vec![
        scenario("all significant: the last one's exit ends it", all(one_for_one), [Exit("b"), Exit("c")]),
        scenario("all significant: in the other order", all(one_for_one), [Crash("c"), Crash("b"), Exit("b")]),
        scenario(
            "all significant: one that was stopped by a call has ended too",
            all(one_for_one),
            [Terminate("root", "b"), Exit("c")],
        ),
        scenario(
            "all significant: calls alone do not end it",
            all(one_for_one),
            [Terminate("root", "b"), Terminate("root", "c"), Restart("root", "b"), Exit("b")],
        ),
        scenario(
            "all significant: one that was started again counts again",
            all(one_for_one),
            [Exit("b"), Restart("root", "b"), Exit("c"), Exit("b")],
        ),
        scenario(
            "all significant: a group restart brings back who had ended and loses who is temporary",
            all(one_for_all),
            [Exit("b"), Crash("a"), Exit("b")],
        ),
        scenario(
            "all significant: a new child counts",
            one_for_one([worker("a")]).auto_shutdown(AllSignificant),
            [Start("root", transient("y")), Start("root", temporary("z")), Exit("y"), Kill("z")],
        ),
    ]
}

fn below() -> Vec<Scenario> {
    let middle = || supervisor("mid", one_for_one([worker("x"), transient("y")]).auto_shutdown(AnySignificant));
    vec![
        scenario(
            "a permanent supervisor that ended itself is started again",
            one_for_one([worker("a"), middle()]),
            [Exit("y"), Crash("x")],
        ),
        scenario("and counts as a restart", one_for_one([worker("a"), middle()]).intensity(0), [Exit("y")]),
        scenario(
            "a transient supervisor that ended itself is not",
            one_for_one([worker("a"), middle().transient()]),
            [Exit("y"), Exit("y"), Restart("root", "mid"), Exit("y")],
        ),
        scenario(
            "ending itself goes on upwards",
            one_for_one([worker("a"), middle().transient().significant(), worker("b")]).auto_shutdown(AnySignificant),
            [Exit("y")],
        ),
    ]
}

fn contradictions() -> Vec<Scenario> {
    vec![
        scenario("significant where nothing ends itself", one_for_one([worker("a"), transient("b")]), []),
        scenario(
            "significant and permanent",
            one_for_one([worker("a"), worker("b").significant()]).auto_shutdown(AnySignificant),
            [],
        ),
        scenario("two first children of one id", one_for_all([worker("a"), worker("b"), worker("a")]), []),
        scenario(
            "two first children of one id below a supervisor",
            one_for_one([worker("a"), supervisor("mid", one_for_one([worker("x"), worker("x")]))]),
            [],
        ),
        scenario(
            "new children that contradict themselves are refused and change nothing",
            one_for_one([worker("a")]).auto_shutdown(AllSignificant),
            [
                Start("root", worker("b").significant()),
                Start("root", worker("a").significant()),
                Start("root", worker("b")),
            ],
        ),
        scenario(
            "a new significant child where nothing ends itself",
            one_for_one([worker("a")]),
            [Start("root", transient("b")), Start("root", transient("a")), Crash("a")],
        ),
        scenario(
            "a new supervisor that contradicts itself",
            one_for_one([worker("a")]),
            [Start("root", supervisor("mid", one_for_one([worker("x"), transient("y")]))), Crash("a")],
        ),
    ]
}
