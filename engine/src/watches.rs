//! The watches that wait, by where they look.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use crate::boundary::{Bound, Done, Outcome, Position, Refused, RequestId};
use crate::requests::Answer;
use crate::tree::{Event, Path, Tree, Watch};

/// Watches of this node's clients to which nothing has happened yet. They wait
/// for as long as it takes: the exits are an event, a snapshot that takes the
/// place of events, being forgotten, and shutdown.
#[derive(Debug)]
pub(crate) struct Watches {
    max: usize,
    waiting: BTreeMap<(Path, RequestId), Waiting>,
    paths: BTreeMap<RequestId, Path>,
    /// Those to be answered when this step is over.
    woken: BTreeSet<RequestId>,
}

#[derive(Debug)]
struct Waiting {
    recursive: bool,
    from: u64,
    limit: usize,
    events: Vec<Arc<Event>>,
}

impl Watches {
    /// Room for so many.
    pub fn new(max: usize) -> Self {
        let (waiting, paths, woken) = Default::default();
        Self { max, waiting, paths, woken }
    }

    /// A watch waits for its first event.
    pub fn wait(&mut self, id: RequestId, watch: Watch) -> Result<(), Bound> {
        if self.paths.len() >= self.max {
            return Err(Bound::Watches);
        }
        let Watch { path, recursive, from, limit } = watch;
        let before = self.paths.insert(id, path.clone());
        assert!(before.is_none(), "request {id} is already waiting: drivers never reuse an id");
        let events = Vec::new();
        self.waiting.insert((path, id), Waiting { recursive, from, limit, events });
        Ok(())
    }

    /// Nobody wants this answer any more; whether it was a watch's.
    pub fn forget(&mut self, id: RequestId) -> bool {
        self.woken.remove(&id);
        self.take(id).is_some()
    }

    /// An event has happened: every watch that it concerns is woken.
    pub fn notify(&mut self, event: &Arc<Event>) {
        if self.waiting.is_empty() || event.refresh {
            return;
        }
        let path = &event.node.path;
        let above = path.ancestors().chain([Path::root(), path.clone()]);
        for place in above {
            let here = self.waiting.range_mut((place.clone(), 0)..=(place, RequestId::MAX));
            wake(here, event, &mut self.woken);
        }
        if event.removes_directory() {
            let behind = (Excluded((path.clone(), RequestId::MAX)), Unbounded);
            let below = self.waiting.range_mut(behind);
            let below = below.take_while(|((place, _), _)| place.is_within(path));
            wake(below, event, &mut self.woken);
        }
    }

    /// A snapshot took the place of events behind `seen`: what the watches missed
    /// is in the new tree's history, or they are told that it is not.
    pub fn installed(&mut self, seen: u64, tree: &Tree, out: &mut Vec<Answer>) {
        let mut cleared = Vec::new();
        for ((path, id), waiting) in &mut self.waiting {
            if self.woken.contains(id) {
                continue;
            }
            waiting.from = waiting.from.max(seen + 1);
            let Waiting { recursive, from, limit, .. } = *waiting;
            match tree.watch(&Watch { path: path.clone(), recursive, from, limit }) {
                Ok(events) if events.is_empty() => {}
                Ok(events) => {
                    waiting.events = events;
                    self.woken.insert(*id);
                }
                Err(gone) => cleared.push((*id, Refused::Cleared(gone))),
            }
        }
        for (id, refused) in cleared {
            self.forget(id);
            out.push((id, Outcome::Refused(refused)));
        }
    }

    /// Answers those that have been woken.
    pub fn answer(&mut self, at: Position, out: &mut Vec<Answer>) {
        for id in std::mem::take(&mut self.woken) {
            let events = self.take(id).expect("a woken watch has waited").events;
            out.push((id, Outcome::Done(Done::Watched { events, at })));
        }
    }

    /// The node stops: everybody is told.
    pub fn close(self, out: &mut Vec<Answer>) {
        out.extend(self.paths.into_keys().map(|id| (id, Outcome::Refused(Refused::Stopping))));
    }

    /// What must always hold.
    pub fn check(&self) {
        assert!(self.paths.len() <= self.max, "more watches wait than max_watches");
        assert!(self.paths.len() == self.waiting.len(), "a watch is lost");
        assert!(self.woken.is_empty(), "a woken watch is not answered");
    }

    fn take(&mut self, id: RequestId) -> Option<Waiting> {
        let path = self.paths.remove(&id)?;
        self.waiting.remove(&(path, id))
    }
}

fn wake<'a>(
    watches: impl Iterator<Item = (&'a (Path, RequestId), &'a mut Waiting)>,
    event: &Arc<Event>,
    woken: &mut BTreeSet<RequestId>,
) {
    for ((path, id), waiting) in watches {
        let wanted = event.index() >= waiting.from && waiting.events.len() < waiting.limit;
        if wanted && event.concerns(path, waiting.recursive) {
            waiting.events.push(event.clone());
            woken.insert(*id);
        }
    }
}
