//! Three barriers, one of each rule, with members that come again and again, and a
//! controller for the one that waits for a signal.
//!
//! **Oracle**: each generation goes once, and its rule holds by the tasks that were
//! there then, or by a signal that had been called; whoever it releases had its task
//! there, nobody belongs to it who began to join after the first was released, and in
//! the calm everybody who does is released soon after the first. Each barrier goes
//! again and again.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::tree::Action;
use quorate_recipes::condition::{Rule, join, signal, wait};
use quorate_recipes::{Refusal, Store, code};

use super::{Client, End, Note, Notes, SECOND, Verdict, Who};

const SIZE: usize = 2;
const FIRST: &str = "first";
const BARRIERS: [&str; 3] = ["/r/size", "/r/task", "/r/signal"];
/// How soon all others follow the first.
const TOGETHER: u64 = 3 * SECOND;
/// How long a barrier may take, whose members come within a second.
const BOUND: u64 = 6 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A process is about to put this task in.
    Joins { at: usize, name: String },
    /// It is in.
    Joined { generation: u64 },
    /// The name is taken: by its own earlier life.
    Declined,
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
            Err(refusal) if refusal.code == code::EXISTS => {
                client.note(&notes, Told::Declined);
                continue;
            }
            Err(refusal) => return Err(refusal),
        };
        let generation = member.generation;
        client.note(&notes, Told::Joined { generation });
        wait(&client, BARRIERS[at], &member, &rule).await?;
        client.note(&notes, Told::Released { at, generation });
    }
    Ok(())
}

/// A join or a signal: when it was called, and the generation it went to, unless
/// nobody knows.
struct Call {
    who: Who,
    at: u64,
    barrier: usize,
    name: String,
    went: Went,
    answered: u64,
    released: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Went {
    To(u64),
    Nowhere,
    Unknown,
}

/// Every join and every signal, in order of call.
fn calls(notes: &[Note<Told>]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let call = |note: &Note<Told>, barrier, name| {
        let (who, at) = (note.who, note.at);
        Call { who, at, barrier, name, went: Went::Unknown, answered: at, released: None }
    };
    for note in notes {
        match &note.what {
            Told::Joins { at, name } => calls.push(call(note, *at, name.clone())),
            Told::Signals => calls.push(call(note, 2, String::new())),
            told => {
                let last = calls.iter_mut().rev().find(|call| call.who == note.who);
                let last = last.expect("who is answered has called");
                match told {
                    Told::Joined { generation } | Told::Signalled { generation } => {
                        (last.went, last.answered) = (Went::To(*generation), note.at);
                    }
                    Told::Declined => last.went = Went::Nowhere,
                    _ => last.released = Some(note.at),
                }
            }
        }
    }
    calls
}

/// The names of the tasks that were there when a generation of a barrier went.
type Fired = BTreeMap<(usize, u64), BTreeSet<String>>;

fn fired(end: &End<'_>) -> Result<Fired, String> {
    let (mut tasks, mut fired) = (Fired::new(), Fired::new());
    for event in end.hint.in_order().map_err(|violation| violation.to_string())? {
        let parts: Vec<&str> = event.node.path.as_str().split('/').skip(2).collect();
        let [name, number, rest @ ..] = parts.as_slice() else { continue };
        let barrier = BARRIERS.iter().position(|it| it.strip_prefix("/r/") == Some(name));
        let (Some(barrier), Ok(generation)) = (barrier, number.parse()) else { continue };
        let place = (barrier, generation);
        let here = tasks.entry(place).or_default();
        match (rest, event.action) {
            (["fired"], Action::Create) => {
                if fired.insert(place, here.clone()).is_some() {
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

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let calls = calls(notes);
    let mut gone = BTreeMap::new();
    for note in notes {
        if let Told::Released { at, generation } = note.what {
            gone.entry((at, generation)).or_insert(note.at);
        }
    }
    let fired = fired(end)?;
    for (&(barrier, generation), &first) in &gone {
        let Some(tasks) = fired.get(&(barrier, generation)) else {
            return Err(format!("generation {generation} of {} never went", BARRIERS[barrier]));
        };
        let here = || calls.iter().filter(move |call| call.barrier == barrier);
        let mine = |call: &&Call| call.went == Went::To(generation);
        let able = |call: &&Call| call.at < first && (mine(call) || call.went == Went::Unknown);
        let signalled = |call: &&Call| call.name.is_empty() && able(call);
        let holds = match barrier {
            0 => tasks.len() >= SIZE,
            1 => tasks.contains(FIRST),
            _ => here().find(signalled).is_some(),
        };
        let name = BARRIERS[barrier];
        if !holds {
            return Err(format!("generation {generation} of {name} went before its rule held"));
        }
        for call in here().filter(mine) {
            let who = call.who;
            if call.released.is_some() && !tasks.contains(&call.name) {
                return Err(format!("{who} was not there when {generation} of {name} went"));
            }
            if call.at > first {
                return Err(format!("{who} came late to generation {generation} of {name}"));
            }
            let due = first.max(end.calm.start).max(call.answered) + TOGETHER;
            let waits = !call.name.is_empty() && end.lives(who);
            if waits && due < end.calm.end && call.released.is_none_or(|at| at > due) {
                return Err(format!("{who} is left behind by generation {generation} of {name}"));
            }
        }
    }
    for (at, name) in BARRIERS.iter().enumerate() {
        let times = gone.iter().filter(|((barrier, _), _)| *barrier == at).map(|(_, at)| *at);
        end.goes_on(name, times, BOUND)?;
    }
    Ok(gone.len() as u64)
}
