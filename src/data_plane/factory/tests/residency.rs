//! Seats, the line for them, and who leaves first.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::pulse;
use crate::control_plane::template::Supervision;
use crate::data_plane::agent::Life;
use crate::data_plane::factory::state::{Admittance, Census, LINE_MAX, Residency, Waiting};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::domain::name::Tenant;

fn agent(number: u32) -> AgentId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    AgentId::from_bytes(bytes)
}

fn wants(number: u32) -> Waiting {
    Waiting { agent: agent(number), task: TaskId::from_bytes([1; 16]), supervision: Supervision::default() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn numbers(invited: &[Waiting]) -> Vec<AgentId> {
    invited.iter().map(|waiting| waiting.agent).collect()
}

/// A residency in which these are idle, each since the second of its number.
fn idle(seats: usize, agents: std::ops::RangeInclusive<u32>) -> Residency {
    let mut residency = Residency::new(seats);
    for number in agents {
        assert_eq!(residency.enter(wants(number)), Admittance::Seated);
        residency.settle(agent(number), pulse(agent(number), Life::Registered));
        residency.works(agent(number));
        assert_eq!(residency.rests(agent(number), at(number.into())), None);
    }
    residency
}

#[test]
fn whoever_is_idle_for_longest_leaves_for_who_waits_and_the_seat_is_theirs() {
    let mut residency = idle(3, 1..=3);
    assert_eq!(residency.enter(wants(4)), Admittance::Waits(Some(agent(1))));
    assert_eq!(residency.enter(wants(5)), Admittance::Waits(Some(agent(2))));
    assert_eq!(residency.enter(wants(4)), Admittance::Waits(None), "two leave for two");
    assert_eq!(residency.census(), Census { at_work: 0, idle: 3, waiting: 2 });
    assert_eq!(numbers(&residency.leaves(agent(2))), [agent(4)]);
    assert_eq!(residency.enter(wants(2)), Admittance::Waits(Some(agent(3))), "whoever left waits behind");
    assert_eq!(numbers(&residency.leaves(agent(1))), [agent(5)]);
}

#[test]
fn where_nobody_is_idle_the_first_that_has_nothing_to_do_leaves() {
    let mut residency = idle(2, 1..=2);
    residency.works(agent(1));
    residency.works(agent(2));
    assert_eq!(residency.enter(wants(3)), Admittance::Waits(None));
    assert_eq!(residency.rests(agent(2), at(9)), Some(agent(2)));
    assert_eq!(residency.rests(agent(1), at(10)), None, "one seat is enough for one");
    assert_eq!(numbers(&residency.leaves(agent(2))), [agent(3)]);
}

#[test]
fn an_agent_that_was_asked_and_finds_a_task_stays_and_another_is_asked() {
    let mut residency = idle(2, 1..=2);
    assert_eq!(residency.enter(wants(3)), Admittance::Waits(Some(agent(1))));
    residency.works(agent(1));
    assert_eq!(residency.enter(wants(3)), Admittance::Waits(Some(agent(2))));
}

#[test]
fn an_agent_for_one_task_is_never_asked_and_its_seat_is_given_on() {
    let mut residency = Residency::new(1);
    assert_eq!(residency.enter(wants(1)), Admittance::Seated);
    residency.settle(agent(1), pulse(agent(1), Life::OneTask));
    residency.works(agent(1));
    assert_eq!(residency.enter(wants(2)), Admittance::Waits(None));
    assert_eq!(residency.rests(agent(1), at(1)), None);
    assert!(residency.dismiss(at(100), 10).is_empty());
    assert_eq!(numbers(&residency.leaves(agent(1))), [agent(2)]);
}

#[test]
fn only_those_that_are_idle_for_long_are_dismissed_and_no_more_than_asked_for() {
    let mut residency = idle(10, 1..=5);
    residency.works(agent(2));
    assert_eq!(residency.dismiss(at(3), 10), [agent(1), agent(3)]);
    assert!(residency.dismiss(at(3), 10).is_empty(), "nobody is asked twice");
    assert_eq!(residency.dismiss(at(100), 1), [agent(4)]);
}

#[test]
fn a_free_agent_serves_just_these_and_is_the_one_that_rested_least() {
    let mut residency = idle(10, 1..=3);
    let (template, tenant) = ("worker".parse().expect("a name"), Tenant::default_tenant());
    assert_eq!(residency.free(&template, &tenant, None), Some(agent(3)));
    residency.works(agent(3));
    assert_eq!(residency.free(&template, &tenant, None), Some(agent(2)));
    let other = "other".parse().expect("a name");
    assert_eq!(residency.free(&other, &tenant, None), None);
    assert_eq!(residency.free(&template, &tenant, Some(&"ada".parse().expect("a user"))), None);
    for number in [1, 2] {
        residency.leaves(agent(number));
    }
    assert_eq!(residency.free(&template, &tenant, None), None);
}

#[test]
fn the_line_is_bounded_and_whoever_finds_it_full_may_come_again() {
    let mut residency = Residency::new(1);
    let line = u32::try_from(LINE_MAX).expect("not many");
    for number in 0..=line + 1 {
        residency.enter(wants(number));
    }
    assert_eq!(residency.census().waiting, LINE_MAX);
    assert_eq!(numbers(&residency.leaves(agent(0))), [agent(1)]);
    assert_eq!(residency.enter(wants(line + 1)), Admittance::Waits(None));
    assert_eq!(residency.census().waiting, LINE_MAX);
}

/// What can happen to one of a few agents.
#[derive(Debug, Clone, Copy)]
enum Event {
    Enter(u32),
    Works(u32),
    Rests(u32),
    Leaves(u32),
    Dismiss(usize),
    Lose(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0..8_u32;
    prop_oneof![
        4 => who.clone().prop_map(Event::Enter),
        3 => who.clone().prop_map(Event::Works),
        3 => who.clone().prop_map(Event::Rests),
        2 => who.clone().prop_map(Event::Leaves),
        1 => (0..4_usize).prop_map(Event::Dismiss),
        1 => who.prop_map(Event::Lose),
    ]
}

/// The same in lists: who has a seat and since when it is idle, who waits.
#[derive(Default)]
struct Model {
    seats: BTreeMap<AgentId, Option<Timestamp>>,
    line: VecDeque<AgentId>,
}

impl Model {
    fn invite(&mut self, seats: usize) -> Vec<AgentId> {
        let mut invited = Vec::new();
        while self.seats.len() < seats
            && let Some(next) = self.line.pop_front()
        {
            self.seats.insert(next, None);
            invited.push(next);
        }
        invited
    }

    fn longest_idle(&self) -> Option<AgentId> {
        let idle = self.seats.iter().filter_map(|(agent, since)| Some(((*since)?, *agent)));
        idle.min().map(|(_, agent)| agent)
    }
}

proptest! {
    #[test]
    fn no_order_of_events_takes_more_seats_than_there_are_or_lets_anybody_wait_beside_a_free_one(
        seats in 1..5_usize,
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let (mut residency, mut model, mut clock) = (Residency::new(seats), Model::default(), 0);
        let settle = |residency: &mut Residency, agents: &[AgentId]| {
            agents.iter().for_each(|agent| residency.settle(*agent, pulse(*agent, Life::Registered)));
        };
        for event in events {
            clock += 1;
            let mut asked = None;
            match event {
                Event::Enter(number) => {
                    let seated = model.seats.contains_key(&agent(number)) || model.seats.len() < seats;
                    match residency.enter(wants(number)) {
                        Admittance::Seated => {
                            prop_assert!(seated);
                            if let std::collections::btree_map::Entry::Vacant(seat) = model.seats.entry(agent(number)) {
                                seat.insert(None);
                                settle(&mut residency, &[agent(number)]);
                            }
                        }
                        Admittance::Waits(leaver) => {
                            prop_assert!(!seated);
                            if !model.line.contains(&agent(number)) {
                                model.line.push_back(agent(number));
                            }
                            asked = leaver;
                        }
                    }
                }
                Event::Works(number) => {
                    residency.works(agent(number));
                    model.seats.entry(agent(number)).and_modify(|since| *since = None);
                    if !model.seats.contains_key(&agent(number)) { continue; }
                }
                Event::Rests(number) => {
                    if let Some(since) = model.seats.get_mut(&agent(number)) {
                        *since = Some(at(clock));
                        asked = residency.rests(agent(number), at(clock));
                    }
                }
                Event::Leaves(number) => {
                    model.seats.remove(&agent(number));
                    let (invited, expected) = (numbers(&residency.leaves(agent(number))), model.invite(seats));
                    prop_assert_eq!(&invited, &expected);
                    settle(&mut residency, &invited);
                }
                Event::Lose(number) => {
                    model.seats.retain(|known, _| *known < agent(number));
                    let (invited, expected) = (numbers(&residency.lose(|known| known >= agent(number))), model.invite(seats));
                    prop_assert_eq!(&invited, &expected);
                    settle(&mut residency, &invited);
                }
                Event::Dismiss(most) => {
                    for leaver in residency.dismiss(at(clock), most) {
                        prop_assert_eq!(Some(leaver), model.longest_idle());
                        model.seats.insert(leaver, None);
                    }
                }
            }
            if let Some(leaver) = asked {
                prop_assert_eq!(Some(leaver), model.longest_idle());
                model.seats.insert(leaver, None);
            }
            let census = residency.census();
            prop_assert_eq!(census.at_work + census.idle, model.seats.len());
            prop_assert!(census.at_work + census.idle <= seats);
            prop_assert_eq!(census.waiting, model.line.len());
            prop_assert!(census.waiting == 0 || census.at_work + census.idle == seats);
            for number in 0..8 {
                prop_assert_eq!(residency.pulse(agent(number)).is_some(), model.seats.contains_key(&agent(number)));
            }
        }
    }
}
