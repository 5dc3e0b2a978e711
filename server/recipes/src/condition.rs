//! A queue that waits for a condition: nobody goes on before it holds, then all do.
//!
//! Members put their tasks into a directory and wait at `…/condition` for one of
//! three things: so many tasks are there, a certain task is there, or a controller
//! has given the signal. A barrier of that kind is used again and again, and
//! therefore has *generations*: each fires once, and a member belongs to one.
//!
//! ```text
//! DIR/00000000000000000007/tasks/NAME    a task of generation 7
//! DIR/00000000000000000007/fired         made once: generation 7 may go
//! ```
//!
//! The first generation without `fired` takes tasks. Creating `fired` with
//! `prevExist=false` is the one moment at which a generation goes; whoever sees the
//! rule satisfied may try, and one succeeds. A task belongs to its generation if its
//! createdIndex is below that of `fired`, which everybody can see: whoever comes late
//! takes its task away and joins the next. Names and values are unique, so repeated
//! creations do no harm.
//!
//! **Promised**: a generation fires once, and not before its rule held; each member
//! is released once, by a generation that had its task.
//!
//! **Not promised**: tasks outlive their processes, so one that died still counts.
//! Generations that have gone are kept for ten minutes: who sleeps for longer right
//! after joining, or a write that is under way for longer, may be counted twice.

use std::collections::BTreeMap;

use crate::calls::{self, Claim, PATIENCE_MS, change, read, settle};
use crate::store::{Delete, Put, Refusal, Store, code};

/// How long a generation that has gone is kept, in s.
const KEPT: u64 = 600;

/// When a generation may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// When so many tasks are there.
    Size(usize),
    /// When the task of this name is there.
    Task(String),
    /// When a controller calls [`signal`].
    Signal,
}

/// A task in a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which generation.
    pub generation: u64,
    key: String,
    index: u64,
}

/// What is under the directory.
struct View {
    index: u64,
    generations: BTreeMap<u64, Generation>,
}

#[derive(Default)]
struct Generation {
    fired: Option<u64>,
    tasks: Vec<String>,
    ends: bool,
}

/// Puts a task into the generation that takes tasks now.
///
/// # Errors
/// Refused with [`code::EXISTS`] if the generation has another's task of that name.
pub async fn join(store: &impl Store, dir: &str, name: &str) -> Result<Member, Refusal> {
    loop {
        let generation = View::read(store, dir).await?.current();
        let key = format!("{}/tasks/{name}", path(dir, generation));
        let index = match calls::create(store, &key, &calls::unique(store), None).await? {
            Claim::Mine(node) => node.created_index,
            Claim::Others { index, .. } => {
                let message = "Key already exists".into();
                return Err(Refusal { code: code::EXISTS, message, cause: key, index });
            }
        };
        let member = Member { generation, key, index };
        let now = View::read(store, dir).await?;
        let is_late = match now.fired(generation) {
            Some(fired) => fired < index,
            None => now.current() > generation,
        };
        if !is_late {
            return Ok(member);
        }
        member.leave(store).await?;
    }
}

/// Waits until a member's generation has gone, and makes it go when its rule holds.
/// All members of one barrier wait by the same rule.
pub async fn wait(
    store: &impl Store,
    dir: &str,
    member: &Member,
    rule: &Rule,
) -> Result<(), Refusal> {
    loop {
        let view = View::read(store, dir).await?;
        if view.current() > member.generation {
            return member.leave(store).await;
        }
        let tasks = view.generations.get(&member.generation).map(|it| it.tasks.as_slice());
        let holds = match rule {
            Rule::Size(size) => tasks.is_some_and(|tasks| tasks.len() >= *size),
            Rule::Task(name) => tasks.is_some_and(|tasks| tasks.contains(name)),
            Rule::Signal => false,
        };
        if holds {
            fire(store, dir, &view).await?;
        } else {
            change(store, dir, true, view.index, PATIENCE_MS).await;
        }
    }
}

/// The controller's signal: the generation that takes tasks now goes. Which it was.
pub async fn signal(store: &impl Store, dir: &str) -> Result<u64, Refusal> {
    let view = View::read(store, dir).await?;
    fire(store, dir, &view).await?;
    Ok(view.current())
}

/// Makes the current generation go; it does not matter who does.
async fn fire(store: &impl Store, dir: &str, view: &View) -> Result<(), Refusal> {
    let current = view.current();
    let key = format!("{}/fired", path(dir, current));
    calls::create(store, &key, &calls::unique(store), None).await?;
    // The latest one that has gone has to stay: it says which is the next.
    for (generation, _) in view.generations.range(..current).filter(|(_, it)| !it.ends) {
        let put = Put {
            key: path(dir, *generation),
            dir: true,
            ttl: Some(KEPT),
            prev_exist: Some(true),
            ..Put::default()
        };
        match settle(store, put).await.0 {
            Err(refusal) if refusal.code != code::NOT_FOUND => return Err(refusal),
            _ => {}
        }
    }
    Ok(())
}

fn path(dir: &str, generation: u64) -> String {
    format!("{dir}/{generation:020}")
}

impl Member {
    /// Takes the task away.
    async fn leave(&self, store: &impl Store) -> Result<(), Refusal> {
        let (key, prev_index) = (self.key.clone(), Some(self.index));
        let delete = Delete { key, prev_index, ..Delete::default() };
        match settle(store, delete).await.0 {
            Err(refusal) if !matches!(refusal.code, code::NOT_FOUND | code::COMPARE_FAILED) => {
                Err(refusal)
            }
            _ => Ok(()),
        }
    }
}

impl View {
    async fn read(store: &impl Store, dir: &str) -> Result<Self, Refusal> {
        let seen = read(store, dir).await?;
        let mut generations = BTreeMap::new();
        for node in seen.node.unwrap_or_default().nodes {
            let Ok(number) = node.name().parse() else { continue };
            let mut generation = Generation { ends: node.ttl.is_some(), ..Default::default() };
            for below in node.nodes {
                match below.name() {
                    "fired" => generation.fired = Some(below.created_index),
                    "tasks" => {
                        let names = below.nodes.iter().map(|task| task.name().to_owned());
                        generation.tasks = names.collect();
                    }
                    _ => {}
                }
            }
            generations.insert(number, generation);
        }
        Ok(Self { index: seen.index, generations })
    }

    /// The generation that takes tasks: the one after the last that has gone.
    fn current(&self) -> u64 {
        let gone = self.generations.iter().rev().find(|(_, it)| it.fired.is_some());
        gone.map_or(1, |(generation, _)| generation + 1)
    }

    fn fired(&self, generation: u64) -> Option<u64> {
        self.generations.get(&generation)?.fired
    }
}
