//! Every recipe of `quorate-recipes` in the weather: processes that live by it, and
//! one oracle that judges what it told them, by the only clock that is right.
//!
//! A process is a madsim node with a client: it is paused, it crashes at any
//! await and comes back under another name, its clock runs too fast or too slow, and
//! its requests go to nodes that have troubles of their own. What it does stands in
//! the recipe's file, and so does the oracle: a function of what processes noted
//! down, each note with the true time. No oracle looks into an engine. Four
//! compare what they were told with the events of the run, which the checkers of
//! histories verify.

mod balance;
mod client;
mod condition;
mod config;
mod directory;
mod election;
mod fair_lock;
mod index_builder;
mod lock;
mod members;
mod monitor;
mod process;
mod queue;
mod registry;
mod spans;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use quorate_engine::tree::Event;
use quorate_recipes::Refusal;
use serde::{Deserialize, Serialize};

pub(crate) use client::Client;
pub(crate) use process::Processes;

use crate::check::ttl::Pace;
use crate::check::{Hint, Replay};
use crate::history::Seconds;

/// One second, in ns.
const SECOND: u64 = 1_000_000_000;

/// Which recipe the processes of a weather live by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Reads over all members.
    Balance,
    /// A queue that waits for a condition, in its three variants.
    Condition,
    /// Configuration, published and subscribed to.
    Config,
    /// A directory that is followed.
    Directory,
    /// Leader election.
    Election,
    /// A lock in the order of tickets.
    FairLock,
    /// An index that one elected node builds.
    IndexBuilder,
    /// A lock, and a resource guarded by its token.
    Lock,
    /// Cluster monitoring.
    Monitor,
    /// A FIFO queue.
    Queue,
    /// Service registration and discovery.
    Registry,
}

impl Recipe {
    /// Who plays, and who judges.
    pub(crate) fn cast(self) -> Cast {
        match self {
            Self::Balance => Cast::new("balance", 5, balance::live, balance::judge),
            Self::Condition => Cast::new("condition", 8, condition::live, condition::judge),
            Self::Config => Cast::new("config", 5, config::live, config::judge),
            Self::Directory => Cast::new("directory", 5, directory::live, directory::judge),
            Self::Election => Cast::new("election", 5, election::live, election::judge),
            Self::FairLock => Cast::new("fair lock", 4, fair_lock::live, fair_lock::judge),
            Self::IndexBuilder => {
                Cast::new("index builder", 4, index_builder::live, index_builder::judge)
            }
            Self::Lock => Cast::new("lock", 4, lock::live, lock::judge),
            Self::Monitor => Cast::new("monitor", 6, monitor::live, monitor::judge),
            Self::Queue => Cast::new("queue", 6, queue::live, queue::judge),
            Self::Registry => Cast::new("registry", 6, registry::live, registry::judge),
        }
    }
}

/// One life of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    /// Which process, from 1 on.
    pub id: u64,
    /// How often it has been started before.
    pub life: u64,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} life {}", self.id, self.life)
    }
}

/// What a process noted, when, in ns of true time.
#[derive(Clone, Debug)]
pub(crate) struct Note<T> {
    pub at: u64,
    pub who: Who,
    pub what: T,
}

/// What all processes of a run noted, in the order in which they did.
pub(crate) struct Notes<T>(Arc<Mutex<Vec<Note<T>>>>);

impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Notes<T> {
    fn lock(&self) -> MutexGuard<'_, Vec<Note<T>>> {
        self.0.lock().expect("one thread")
    }
}

/// What an oracle says: what is wrong, or what happened how often.
pub(crate) type Verdict = Result<Happened, String>;

/// How often something happened that makes an oracle's word worth something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happened {
    /// What the recipe is for.
    pub recipe: u64,
    /// What only happens when processes are in each other's way.
    pub contended: u64,
}

impl Happened {
    /// What the recipe is for, so often.
    fn often(recipe: usize) -> Self {
        Self { recipe: recipe as u64, contended: 0 }
    }
}

/// What an oracle knows beside the notes. Times are true, in ns.
pub(crate) struct End<'a> {
    /// From when on nothing disturbed anybody, and until when notes were taken.
    pub calm: Range<u64>,
    /// The life that each process lives.
    pub lives: &'a BTreeMap<u64, u64>,
    /// When each life that has ended did.
    pub deaths: &'a BTreeMap<Who, u64>,
    /// Members that are up in the calm.
    pub nodes: u64,
    /// How fast members' clocks went.
    pub pace: Pace<'a>,
    /// Everything that happened, as the checkers of histories have verified it.
    pub hint: &'a Hint,
}

impl End<'_> {
    /// Whether this life has not ended.
    fn lives(&self, who: Who) -> bool {
        self.lives.get(&who.id) == Some(&who.life)
    }

    /// Every event in order.
    fn events(&self) -> Result<Vec<&Arc<Event>>, String> {
        self.hint.in_order().map_err(|violation| violation.to_string())
    }

    /// The tree at any moment.
    fn replay(&self) -> Result<Replay<'_>, String> {
        Replay::new(self.hint).map_err(|violation| violation.to_string())
    }

    /// Of processes with greater numbers than this, the lives that have not ended.
    fn living_beyond(&self, id: u64) -> impl Iterator<Item = Who> {
        self.lives.range(id + 1..).map(|(&id, &life)| Who { id, life })
    }

    /// What happened at these moments, in any order, happened again and again in the
    /// calm: never was there a longer wait for it.
    fn goes_on(&self, what: &str, at: impl Iterator<Item = u64>, bound: u64) -> Result<(), String> {
        let mut moments: Vec<u64> = at.filter(|at| self.calm.contains(at)).collect();
        moments.sort_unstable();
        let mut before = self.calm.start;
        for at in moments.into_iter().chain([self.calm.end]) {
            if at - before > bound {
                let (from, bound) = (Seconds(before), Seconds(bound));
                return Err(format!("in the calm, from {from} on, {what} did not come in {bound}"));
            }
            before = at;
        }
        Ok(())
    }
}

type Life = std::pin::Pin<Box<dyn Future<Output = Result<(), Refusal>>>>;

/// The processes of a recipe and their judge.
pub(crate) struct Cast {
    /// Under this name it objects.
    pub name: &'static str,
    /// How many there are.
    pub processes: u64,
    live: Arc<dyn Fn(Client) -> Life + Send + Sync>,
    judge: Box<dyn Fn(&End<'_>) -> Verdict + Send + Sync>,
}

impl Cast {
    /// So many processes that each live like this, and note what happens to them.
    fn new<T: Send + 'static, L: Future<Output = Result<(), Refusal>> + 'static>(
        name: &'static str,
        processes: u64,
        live: impl Fn(Client, Notes<T>) -> L + Send + Sync + 'static,
        judge: impl Fn(&[Note<T>], &End<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let notes = Notes(Arc::default());
        let taken = notes.clone();
        Self {
            name,
            processes,
            live: Arc::new(move |client| Box::pin(live(client, taken.clone()))),
            judge: Box::new(move |end| judge(&notes.lock(), end)),
        }
    }
}
