//! Three barriers, one of each rule, with members that come again and again, and a
//! controller for the one that waits for a signal.
//!
//! **Oracle**: each generation goes once, and its rule holds by the tasks that were
//! there then, or by a signal that had been called to it; one whose caller never learnt
//! which generation it went to stands for one at most, and not long after its caller
//! died. Whoever a generation releases had its task there, nobody belongs to it who
//! began to join after the first was released, and in the calm everybody who does is
//! released soon after the first. Each barrier goes again and again.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::tree::Action;
use quorate_recipes::condition::{Rule, join, signal, wait};
use quorate_recipes::{Refusal, Store, code};

use super::{Client, End, Happened, Note, Notes, SECOND, Verdict, Who};

const SIZE: usize = 2;
const FIRST: &str = "first";
const BARRIERS: [&str; 3] = ["/r/size", "/r/task", "/r/signal"];
/// Which of them waits for a signal: the last.
const SIGNALLED: usize = 2;
/// How soon all others follow the first. What they asked at the end of the storm may
/// take until a node gives it up: 70 ticks of 50 ms, a seventh more by a slow clock.
const TOGETHER: u64 = 5 * SECOND;
/// How long a barrier may take, whose members come within a second after that.
const BOUND: u64 = 7 * SECOND;
/// How long after a caller's death its signal may still come into a log. A node passes
/// on at once what it takes, but it may be paused, and the leader too: for 2 s each,
/// and each of them once more.
const HELD: u64 = 8 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A process is about to put this task in.
    Joins { at: usize, name: String },
    /// It is in.
    Joined { generation: u64 },
    /// Its generation has gone.
    Released { at: usize, generation: u64 },
    /// A controller is about to give the signal.
    Signals,
    /// It went to this generation.
    Signalled { generation: u64 },
}

/// Which barrier a process comes to: of two for each, one brings the certain task.
fn barrier(id: u64) -> usize {
    usize::try_from(id).expect("few processes") % BARRIERS.len()
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    let id = client.who.id;
    let at = barrier(id);
    let rule = [Rule::Size(SIZE), Rule::Task(FIRST.into()), Rule::Signal][at].clone();
    for round in 0_u64.. {
        client.sleep(client.between(1, 800)).await;
        if id > 6 && rule == Rule::Signal {
            client.note(&notes, Told::Signals);
            let generation = signal(&client, BARRIERS[at]).await?;
            client.note(&notes, Told::Signalled { generation });
            continue;
        }
        let brings = rule == Rule::Task(FIRST.into()) && id > 6;
        let name = if brings { FIRST.into() } else { format!("{id}-{}-{round}", client.who.life) };
        client.note(&notes, Told::Joins { at, name: name.clone() });
        let member = match join(&client, BARRIERS[at], &name).await {
            Ok(member) => member,
            // Its own earlier life has brought it.
            Err(refusal) if refusal.code == code::EXISTS => continue,
            Err(refusal) => return Err(refusal),
        };
        let generation = member.generation;
        client.note(&notes, Told::Joined { generation });
        wait(&client, BARRIERS[at], &member, &rule).await?;
        client.note(&notes, Told::Released { at, generation });
    }
    Ok(())
}

/// A join or a signal.
struct Call {
    who: Who,
    at: u64,
    barrier: usize,
    /// Of the task; none for a signal.
    name: Option<String>,
    /// The generation it went to, and when its caller was told so.
    went: Option<(u64, u64)>,
    released: Option<u64>,
}

impl Call {
    fn belongs(&self, generation: u64) -> bool {
        self.went.is_some_and(|(went, _)| went == generation)
    }
}

/// Every join and every signal, in order of call.
fn calls(notes: &[Note<Told>]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for Note { at, who, what } in notes {
        let (at, who) = (*at, *who);
        let begun = |barrier, name| Call { who, at, barrier, name, went: None, released: None };
        let last = calls.iter_mut().rev().find(|call| call.who == who);
        match what {
            Told::Joins { at, name } => calls.push(begun(*at, Some(name.clone()))),
            Told::Signals => calls.push(begun(SIGNALLED, None)),
            Told::Joined { generation } | Told::Signalled { generation } => {
                last.expect("who is answered has called").went = Some((*generation, at));
            }
            Told::Released { .. } => {
                last.expect("who is released has joined").released = Some(at);
            }
        }
    }
    calls
}

/// The names of the tasks that were there when a generation of a barrier went.
type Fired = BTreeMap<(usize, u64), BTreeSet<String>>;

fn fired(end: &End<'_>) -> Result<Fired, String> {
    let (mut tasks, mut fired) = (Fired::new(), Fired::new());
    for event in end.events()? {
        let parts: Vec<&str> = event.node.path.as_str().split('/').skip(2).collect();
        let [name, number, rest @ ..] = parts.as_slice() else { continue };
        let barrier = BARRIERS.iter().position(|it| it.strip_prefix("/r/") == Some(name));
        let (Some(barrier), Ok(generation)) = (barrier, number.parse()) else { continue };
        let place = (barrier, generation);
        let here = tasks.entry(place).or_default();
        match (rest, event.action) {
            (["fired"], Action::Create) => {
                let before = fired.insert(place, here.clone());
                if before.is_some() {
                    return Err(format!("{generation} of {} went twice", BARRIERS[barrier]));
                }
            }
            (["tasks", name], Action::Create) => drop(here.insert((*name).into())),
            (["tasks", name], _) => drop(here.remove(*name)),
            _ => {}
        }
    }
    Ok(fired)
}

/// When the first member of a generation of a barrier was released.
type Gone = BTreeMap<(usize, u64), u64>;

/// Whether every generation went by its rule.
fn by_rule(calls: &[Call], fired: &Fired, gone: &Gone, end: &End<'_>) -> Result<(), String> {
    let mut signals = Signals::new(calls, end);
    for (&(barrier, generation), tasks) in fired {
        let holds = match barrier {
            0 => tasks.len() >= SIZE,
            1 => tasks.contains(FIRST),
            _ => signals.called(generation, tasks, gone),
        };
        if !holds {
            let barrier = BARRIERS[barrier];
            return Err(format!("generation {generation} of {barrier} went before its rule held"));
        }
    }
    Ok(())
}

/// The signals, as generation after generation is accounted for.
struct Signals<'a> {
    calls: &'a [Call],
    /// Those that nobody knows the generation of, and that stand for none yet: until
    /// when each may come into a log, and when it was called; sorted.
    open: Vec<(u64, u64)>,
    /// When the last of all tasks up to this generation was called in. What is put into
    /// a log before that cannot come behind it.
    since: u64,
}

impl<'a> Signals<'a> {
    fn new(calls: &'a [Call], end: &End<'_>) -> Self {
        let open = calls.iter().filter(|call| call.name.is_none() && call.went.is_none());
        let until = |call: &Call| end.deaths.get(&call.who).map_or(u64::MAX, |at| at + HELD);
        let mut open: Vec<_> = open.map(|call| (until(call), call.at)).collect();
        open.sort_unstable();
        Self { calls, open, since: 0 }
    }

    /// Whether a signal made the next generation go, which had these tasks. Of those
    /// that nobody knows the generation of, the one that could wait least stands for it.
    fn called(&mut self, generation: u64, tasks: &BTreeSet<String>, gone: &Gone) -> bool {
        let ours = |call: &&Call| call.name.as_ref().is_some_and(|name| tasks.contains(name));
        let joined = self.calls.iter().filter(ours).map(|call| call.at);
        self.since = joined.fold(self.since, u64::max);
        let by = gone.range((SIGNALLED, generation)..).map(|(_, at)| *at).min();
        let by = by.unwrap_or(u64::MAX);
        let known = |call: &Call| call.name.is_none() && call.belongs(generation) && call.at < by;
        if self.calls.iter().any(known) {
            return true;
        }
        let nth = self.open.iter().position(|&(until, at)| at < by && self.since <= until);
        nth.map(|nth| self.open.remove(nth)).is_some()
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let (calls, fired) = (calls(notes), fired(end)?);
    let mut gone = Gone::new();
    for note in notes {
        if let Told::Released { at, generation } = note.what {
            gone.entry((at, generation)).or_insert(note.at);
        }
    }
    by_rule(&calls, &fired, &gone, end)?;
    for (&(barrier, generation), &first) in &gone {
        let tasks = fired.get(&(barrier, generation)).ok_or("it never went".to_owned());
        let here = calls.iter().filter(|call| call.barrier == barrier);
        let here: Vec<&Call> = here.collect();
        tasks
            .and_then(|tasks| check(generation, first, tasks, &here, end))
            .map_err(|what| format!("generation {generation} of {}: {what}", BARRIERS[barrier]))?;
    }
    for (at, name) in BARRIERS.iter().enumerate() {
        let times = gone.iter().filter(|((barrier, _), _)| *barrier == at).map(|(_, at)| *at);
        end.goes_on(name, times, BOUND)?;
    }
    Ok(Happened::often(gone.len()))
}

/// One generation of a barrier, whose first member was released at `first`, given the
/// tasks that it had, and all calls at the barrier: who belongs to it, and who has gone.
fn check(
    generation: u64,
    first: u64,
    tasks: &BTreeSet<String>,
    calls: &[&Call],
    end: &End<'_>,
) -> Result<(), String> {
    for call in calls.iter().filter(|call| call.belongs(generation)) {
        let (who, (_, joined)) = (call.who, call.went.unwrap_or_default());
        if call.at > first {
            return Err(format!("{who} came late"));
        }
        let Some(name) = &call.name else { continue };
        if call.released.is_some() && !tasks.contains(name) {
            return Err(format!("{who} was not there when it went"));
        }
        let due = first.max(end.calm.start).max(joined) + TOGETHER;
        let is_late = call.released.is_none_or(|at| at > due);
        if is_late && due < end.calm.end && end.lives(who) {
            return Err(format!("{who} is left behind"));
        }
    }
    Ok(())
}
