//! The stream: what it holds, and that it does not matter what it is told of first.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use quorate_sim::check::{Hint, Holding, Place, Stream, Violation, check};
use quorate_sim::history::{History, Moment, Operation};
use quorate_sim::workload::Mix;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::execution::{Execution, execute};
use super::random::spoil;
use super::story::{GENESIS, Story, local, set};

const CLIENTS: u64 = 8;

/// Operations of a short history.
const LENGTH: usize = 4_000;

/// Answers, or events, that so many clients and the node furthest behind keep waiting.
const WINDOW: usize = 60;

/// A stream that sees an execution as it happens, and keeps no record.
struct Live {
    stream: Stream<Arc<Operation>>,
    moments: usize,
    events: usize,
    /// What each client waits for.
    waits: BTreeMap<u64, Arc<Operation>>,
    /// Every operation that was told and is still held.
    held: Vec<Weak<Operation>>,
    /// The most that was held at once.
    most: Holding,
    most_held: usize,
    /// The same without writes of unknown outcome.
    most_beside: usize,
}

impl Live {
    fn new() -> Self {
        Self {
            stream: Stream::new(GENESIS),
            moments: 0,
            events: 0,
            waits: BTreeMap::new(),
            held: Vec::new(),
            most: Holding::default(),
            most_held: 0,
            most_beside: 0,
        }
    }

    fn see(&mut self, execution: &Execution) -> Result<(), Violation> {
        let events = &execution.events[self.events..];
        self.events = execution.events.len();
        events.iter().try_for_each(|event| self.stream.applied(event.clone()))?;
        let moments = &execution.history.moments()[self.moments..];
        self.moments += moments.len();
        moments.iter().try_for_each(|moment| self.tell(*moment, &execution.history))?;
        self.stream.local_reads_from(execution.oldest())?;
        self.measure();
        Ok(())
    }

    fn tell(&mut self, moment: Moment, history: &History) -> Result<(), Violation> {
        let (Moment::Called(id) | Moment::Returned(id)) = moment;
        let operation = Arc::new(history.operations()[id].clone());
        self.held.push(Arc::downgrade(&operation));
        if let Moment::Returned(_) = moment {
            self.waits.remove(&operation.client);
            return self.stream.done(operation);
        }
        self.stream.call(operation.clone());
        // Who asks for something else waits no more for what it asked before.
        match self.waits.insert(operation.client, operation) {
            Some(given_up) => self.stream.done(given_up),
            None => Ok(()),
        }
    }

    fn measure(&mut self) {
        let (now, most) = (self.stream.holding(), &mut self.most);
        most.under_way = most.under_way.max(now.under_way);
        most.answers = most.answers.max(now.answers);
        most.events = most.events.max(now.events);
        most.unknown = most.unknown.max(now.unknown);
        most.seated = most.seated.max(now.seated);
        self.held.retain(|operation| operation.strong_count() > 0);
        self.most_held = self.most_held.max(self.held.len());
        self.most_beside = self.most_beside.max(self.held.len() - now.unknown);
    }
}

/// What was held at most of so many operations, and how many writes were lost.
fn watch(operations: usize, losses: bool) -> (Live, usize) {
    let mut live = Live::new();
    let execution = Execution::new(7, Mix::default(), losses);
    let (history, _) = execution.run(CLIENTS, operations, |execution| {
        live.see(execution).unwrap_or_else(|violation| panic!("{violation}"));
    });
    let lost = history.operations().iter().filter(|it| it.is_unknown_write()).count();
    println!("{operations} operations, {lost} lost: {:?}, {} held", live.most, live.most_held);
    live.stream.end().unwrap_or_else(|violation| panic!("{violation}"));
    (live, lost)
}

#[test]
fn a_history_of_ten_times_the_length_holds_no_more() {
    for operations in [LENGTH, 10 * LENGTH] {
        let (Live { most, most_held, .. }, _) = watch(operations, false);
        assert!(most.under_way <= CLIENTS as usize && most_held <= WINDOW, "{most_held}");
        assert!(most.answers <= WINDOW && most.events <= WINDOW, "{most:?}");
        assert_eq!((most.unknown, most.seated), (0, 0));
    }
}

#[test]
fn of_lost_writes_those_are_held_that_may_still_happen() {
    for operations in [LENGTH, 10 * LENGTH] {
        let (Live { most, most_beside, .. }, lost) = watch(operations, true);
        assert!(most.under_way <= CLIENTS as usize && most_beside <= WINDOW, "{most_beside}");
        assert!(most.answers <= WINDOW && most.events <= WINDOW, "{most:?}");
        assert!(most.unknown < lost && most.seated < most.unknown, "{most:?} of {lost}");
    }
}

/// Tells of every event at any moment, early or late.
fn judge_in_any_order(history: &History, hint: &Hint, seed: u64) -> Result<(), Violation> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let share = rng.random_range(0.0..1.0);
    let mut events = hint.events();
    let mut stream = Stream::new(GENESIS);
    for (at, moment) in history.moments().iter().enumerate() {
        while rng.random_bool(share)
            && let Some(event) = events.next()
        {
            stream.applied(event.clone())?;
        }
        stream.local_reads_from(oldest(history, at))?;
        match *moment {
            Moment::Called(id) => stream.call(&history.operations()[id]),
            Moment::Returned(id) => stream.done(&history.operations()[id])?,
        }
    }
    events.try_for_each(|event| stream.applied(event.clone()))?;
    stream.end()
}

/// From where on those local reads were answered that were called at or after a moment.
fn oldest(history: &History, at: usize) -> Place {
    let called = history.moments()[at..].iter().filter_map(|moment| match *moment {
        Moment::Called(id) => Some(&history.operations()[id]),
        Moment::Returned(_) => None,
    });
    let places = called.filter(|it| it.is_local()).filter_map(|it| it.answer.position());
    places.map(Place::from).min().unwrap_or(Place::END)
}

#[test]
fn it_does_not_matter_whether_an_event_or_its_answer_is_told_first() {
    let (mut good, mut bad) = (0, 0);
    for seed in 0..400 {
        let (history, hint) = execute(seed, Mix::default(), 1 + seed % 6, 60);
        assert_eq!(judge_in_any_order(&history, &hint, seed), Ok(()), "seed {seed}");
        let Some(spoiled) = spoil(&history, seed) else { continue };
        let (one, other) = (check(&spoiled, &hint), judge_in_any_order(&spoiled, &hint, seed));
        assert_eq!(one.is_ok(), other.is_ok(), "seed {seed}: {one:?}\n{other:?}");
        *if one.is_ok() { &mut good } else { &mut bad } += 1;
    }
    println!("{good} spoiled histories are good, {bad} are bad");
    assert!(bad > 300);
}

#[test]
fn a_local_read_older_than_any_was_said_to_be_is_refused() {
    let mut story = Story::new();
    story.run(1, set("/a", "v1"));
    let read = story.call_on(2, 0, 2, local("/a"));
    story.take_at(read, GENESIS);
    story.answer(read);
    let mut stream = Stream::new(GENESIS);
    let [write, read] = story.history.operations() else { panic!() };
    stream.call(write);
    stream.applied(story.events[0].clone()).unwrap();
    stream.done(write).unwrap();
    stream.local_reads_from(Place { store_index: 4, ..Place::default() }).unwrap();
    stream.call(read);
    let violation = stream.done(read).unwrap_err();
    assert!(matches!(violation, Violation::TooOld { oldest: 4, .. }), "{violation}");
}
