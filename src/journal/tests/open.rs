//! Tasks that have not ended: who writes them, what may follow, and how many there are.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use proptest::prelude::*;

use super::{Desk, NOW, finished, order, started};
use crate::domain::id::{AgentId, TaskId};
use crate::domain::money::Usd;
use crate::domain::name::TemplateName;
use crate::domain::private::Text;
use crate::journal::events::Events;
use crate::journal::order::{Ancestor, Order, Registered, Worker};
use crate::journal::record::{self, CancelRequested, Ended, Outcome, TaskRecord};
use crate::journal::state::State;
use crate::journal::{Beginning, Error, Journal, reading};
use crate::store::{Batch, Keyspace, Record};

/// How long something may take that must happen. What is measured is whether, not how fast.
const PATIENCE: Duration = Duration::from_secs(20);

fn ended() -> TaskRecord {
    TaskRecord::Ended(Ended { outcome: Outcome::Cancelled, at: NOW })
}

/// INVARIANT I92.
#[tokio::test]
async fn a_first_step_that_came_with_the_task_is_for_whoever_takes_it_up_first() {
    let desk = Desk::open();
    let id = TaskId::generate();
    let TaskRecord::StepStarted(first) = started(0) else { unreachable!("it starts a step") };
    let (order, first) = (order(id, "acme"), Some(first));
    let beginning = Beginning { order, reserved: Usd::ZERO, at: NOW, first, with: Batch::new() };
    desk.journal.submit_through(beginning, |open| open()).await.expect("submitted");
    let (one, two) = (desk.journal.take_up(id).expect("open"), desk.journal.take_up(id).expect("open"));
    assert!(one.starts() && !two.starts());
    assert_eq!((one.task().state, one.task().records), (State::Running, 2));
    // What died with the daemon is known to nobody.
    let read = desk.reopened();
    let after = read.take_up(id).expect("open");
    assert!(after.task().open_call().is_some() && !after.starts());
}

fn cancel() -> TaskRecord {
    TaskRecord::CancelRequested(CancelRequested { by: "root".to_owned(), at: NOW })
}

impl Desk {
    async fn submit(&self, order: Order) -> Result<(), Error> {
        self.journal.submit(order, Usd::ZERO, NOW, Batch::new()).await
    }

    /// The same store, read as after a restart.
    fn reopened(&self) -> Journal {
        Journal::open(self.journal.store().clone(), Events::new()).expect("opens")
    }
}

#[tokio::test]
async fn of_those_who_took_a_task_up_only_the_last_writes() {
    let desk = Desk::open();
    let task = desk.open_task("acme").await;
    let ghost = desk.journal.take_up(task).expect("open");
    desk.journal.append(&ghost, vec![started(0)], Batch::new()).await.expect("it holds the task");
    let holder = desk.journal.take_up(task).expect("open");
    let beside = b"stats/test/beside";
    for record in [finished(0), started(1), ended()] {
        let refused = desk.journal.append(&ghost, vec![record], Batch::new().add(beside, 1)).await;
        assert!(matches!(refused, Err(Error::Fenced(id)) if id == task), "{refused:?}");
    }
    desk.journal.append(&holder, vec![finished(0), ended()], Batch::new()).await.expect("it holds the task");
    let records = desk.journal.records(task).await.expect("read");
    assert_eq!((records.len(), desk.counter(beside).await), (4, 0), "nothing of the ghost's is stored");
    assert!(desk.journal.take_up(task).is_none(), "nobody takes up what has ended");
}

#[tokio::test]
async fn the_holder_hears_of_a_cancellation_that_is_written_beside_it_and_goes_on_writing() {
    let desk = Desk::open();
    let task = desk.open_task("acme").await;
    let mut holder = desk.journal.take_up(task).expect("open");
    desk.journal.append(&holder, vec![started(0)], Batch::new()).await.expect("appended");
    assert!(holder.cancelled().now_or_never().is_none(), "nobody has asked for the end");
    desk.journal.interject(task, vec![cancel()], Batch::new(), |_| {}).await.expect("beside the holder");
    tokio::time::timeout(PATIENCE, holder.cancelled()).await.expect("it hears");
    assert_eq!(holder.task().cancel_requested_by.as_deref(), Some("root"));
    let again = desk.journal.interject(task, vec![cancel()], Batch::new(), |_| {}).await;
    assert!(matches!(again, Err(Error::Superseded(_))), "{again:?}");
    desk.journal.append(&holder, vec![finished(0), ended()], Batch::new()).await.expect("it still holds the task");
}

#[tokio::test]
async fn an_end_over_an_open_step_is_refused_and_nothing_of_it_is_written() {
    let desk = Desk::open();
    let task = desk.open_task("acme").await;
    let holder = desk.journal.take_up(task).expect("open");
    desk.journal.append(&holder, vec![started(0)], Batch::new()).await.expect("appended");
    let beside = b"stats/test/beside";
    for records in [vec![ended()], vec![cancel(), ended()]] {
        let refused = desk.journal.append(&holder, records, Batch::new().add(beside, 1)).await;
        assert!(matches!(refused, Err(Error::Superseded(id)) if id == task), "{refused:?}");
    }
    assert_eq!((desk.journal.open_count(), desk.counter(beside).await), (1, 0));
    assert_eq!(holder.task().cancel_requested_by, None, "a part of a refused batch is not there either");
    desk.journal.append(&holder, vec![finished(0), ended()], Batch::new()).await.expect("concluded first");
    assert_eq!(desk.journal.open_count(), 0);
}

#[tokio::test]
async fn a_subtask_that_exists_is_not_submitted_again_whether_it_is_open_or_ended() {
    let desk = Desk::open();
    let parent = desk.open_task("acme").await;
    let child = parent.child("facts");
    let wanted = || Order { ancestors: vec![Ancestor { task: parent, budget: None }], ..order(child, "acme") };
    let at_once = futures::future::join_all((0..8).map(|_| desk.submit(wanted()))).await;
    assert_eq!(at_once.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(at_once.iter().filter_map(|answer| answer.as_ref().err()).all(|e| matches!(e, Error::Exists(_))));
    let open = desk.submit(wanted()).await;
    assert!(matches!(open, Err(Error::Exists(id)) if id == child), "{open:?}");

    let holder = desk.journal.take_up(child).expect("open");
    desk.journal.append(&holder, vec![ended()], Batch::new()).await.expect("ended");
    for journal in [desk.journal.clone(), desk.reopened()] {
        let gone = journal.submit(wanted(), Usd::ZERO, NOW, Batch::new()).await;
        assert!(matches!(gone, Err(Error::Exists(id)) if id == child), "{gone:?}");
        assert_eq!(journal.task(child).await.expect("read").map(|task| task.state), Some(State::Cancelled));
    }
    assert_eq!(desk.journal.open_tasks().len(), 1, "the parent");
}

#[tokio::test]
async fn an_open_task_that_cannot_be_read_is_told_and_the_others_go_on() {
    let desk = Desk::open();
    let (sound, torn, newer) = (desk.open_task("acme").await, TaskId::generate(), desk.open_task("acme").await);
    let record = |version, body: &[u8]| Record { kind: record::KIND, version, body: body.to_vec() };
    let listed = Batch::new()
        .put(Keyspace::Open, torn.as_bytes().as_slice(), record(record::VERSION, b""))
        .put(Keyspace::Task, reading::key(torn, 0), record(record::VERSION, b"torn"))
        .put(Keyspace::Task, reading::key(newer, 1), record(record::VERSION + 1, b""));
    desk.journal.store().commit(listed).await.expect("committed");
    let again = desk.reopened();
    let mut unreadable = again.unreadable().to_vec();
    unreadable.sort_unstable();
    let mut expected = vec![torn, newer];
    expected.sort_unstable();
    assert_eq!(unreadable, expected);
    assert_eq!(again.open_tasks().iter().map(|task| task.order.task).collect::<Vec<_>>(), [sound]);
    let holder = again.take_up(sound).expect("open");
    again.append(&holder, vec![ended()], Batch::new()).await.expect("it goes on");
    assert!(again.task(torn).await.is_err(), "who asks for it is told");
    let listed = again.list(None, 10, |task| Some(task.order.task)).await.expect("read");
    assert_eq!(listed.items, [sound], "and lists leave it out");
}

/// One task of the property below: of which agent, of which template, with how long an input.
#[derive(Debug, Clone)]
struct Sketch {
    agent: Option<u8>,
    template: u8,
    input: usize,
    ends: bool,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    (proptest::option::of(0..3_u8), 0..3_u8, 0..40_usize, any::<bool>())
        .prop_map(|(agent, template, input, ends)| Sketch { agent, template, input, ends })
}

fn template(number: u8) -> TemplateName {
    format!("worker-{number}").parse().expect("a name")
}

fn agent(number: u8) -> AgentId {
    AgentId::from_bytes([number; 16])
}

fn sketched(sketch: &Sketch) -> Order {
    let worker = sketch.agent.map_or(Worker::Own, |number| Worker::Registered(Registered(agent(number))));
    let input = Text::from("x".repeat(sketch.input));
    Order { worker, template: template(sketch.template), input, ..order(TaskId::generate(), "acme") }
}

fn assert_exact(journal: &Journal, open: &BTreeMap<TaskId, Sketch>) {
    assert_eq!(journal.open_count(), open.len());
    assert_eq!(journal.open_input_bytes(), open.values().map(|sketch| sketch.input).sum::<usize>());
    for number in 0..3 {
        let of_template = open.values().filter(|sketch| sketch.template == number).count();
        assert_eq!(journal.open_count_of(&template(number)), of_template);
        let of_agent: Vec<_> =
            open.iter().filter(|(_, sketch)| sketch.agent == Some(number)).map(|(id, _)| *id).collect();
        assert_eq!(journal.open_tasks_of(agent(number)), of_agent);
    }
    for (id, _) in open.iter().filter(|(_, sketch)| sketch.agent.is_none()) {
        assert_eq!(journal.open_tasks_of(id.own_agent()), [*id]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_open_is_counted_exactly_while_tasks_come_and_go_and_after_a_restart(
        sketches in proptest::collection::vec(sketch(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let desk = Desk::open();
            let orders: Vec<_> = sketches.iter().map(sketched).collect();
            let mut open: BTreeMap<_, _> =
                orders.iter().map(|order| order.task).zip(sketches.iter().cloned()).collect();
            futures::future::join_all(orders.into_iter().map(async |order| desk.submit(order).await.expect("submitted"))).await;
            assert_exact(&desk.journal, &open);
            let ends: Vec<_> = open.iter().filter(|(_, sketch)| sketch.ends).map(|(id, _)| *id).collect();
            futures::future::join_all(ends.iter().map(async |id| {
                let custody = desk.journal.take_up(*id).expect("open");
                desk.journal.append(&custody, vec![ended()], Batch::new()).await.expect("ended");
            }))
            .await;
            open.retain(|_, sketch| !sketch.ends);
            assert_exact(&desk.journal, &open);
            assert_exact(&desk.reopened(), &open);
        });
    }
}
