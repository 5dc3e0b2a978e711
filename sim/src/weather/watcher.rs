//! Who watches: asks for what comes next, wherever it may be answered.

use std::time::Duration;

use quorate_engine::tree::{Path, Watch};
use quorate_engine::{Done, Input, NodeId, Outcome, Refused, Request, RequestId};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use tokio::sync::oneshot;

use super::journal::What;
use super::stream;
use super::world::{Shared, World};
use crate::check::watches::{Told, Watching};
use crate::history::Server;
use crate::workload::KEYS;

/// How long a watcher waits on one node before it goes to another.
pub(crate) const PATIENCE_MS: [u64; 3] = [100, 1_000, 10_000];

/// A watch on its way: what it is, and where its answer goes.
pub(super) type Waiting = (Watching, oneshot::Sender<Told>);

/// Watches until told to stop.
pub(super) async fn live(shared: Shared, id: u64, seed: u64) {
    let rng = &mut stream(seed, &format!("watcher {id}"));
    let nodes = shared.lock().scenario.nodes;
    let mut node = rng.random_range(1..=nodes);
    let mut watch = draw(rng, 1);
    loop {
        match ask(&shared, id, node, watch.clone(), rng).await {
            Some(Told::Shown { events, .. }) => {
                let last = events.last().expect("a watch is shown something");
                watch.from = last.index() + 1;
            }
            Some(Told::Cleared(cleared)) => watch.from = cleared.index + 1,
            None => node = rng.random_range(1..=nodes),
        }
        if rng.random_bool(0.1) {
            watch = draw(rng, watch.from);
        }
        let slow = rng.random_bool(0.05);
        let pause_ms = if slow { rng.random_range(2_000..6_000) } else { rng.random_range(1..50) };
        madsim::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// What to watch from now on: mostly what comes next, with all that lies below;
/// now and then from far in the past or the future.
pub(crate) fn draw(rng: &mut Xoshiro256PlusPlus, next: u64) -> Watch {
    let key = match rng.random_range(0..4) {
        0 => "/",
        1 => "/d",
        _ => KEYS[rng.random_range(0..KEYS.len())],
    };
    let from = match rng.random_range(0..10) {
        0 => 0,
        1 => next.saturating_sub(rng.random_range(0..100)),
        2 => next + rng.random_range(0..30),
        _ => next,
    };
    let path = Path::new(key).expect("the keys in play are clean paths");
    let limit = [1, 2, 100][rng.random_range(0..3)];
    Watch { path, recursive: rng.random_bool(0.7), from, limit }
}

/// One watch, until something comes of it or the watcher goes away.
async fn ask(
    shared: &Shared,
    watcher: u64,
    node: NodeId,
    watch: Watch,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Told> {
    let patience = Duration::from_millis(PATIENCE_MS[rng.random_range(0..PATIENCE_MS.len())]);
    let (id, told) = shared.lock().watch(node, watcher, watch)?;
    match madsim::time::timeout(patience, told).await {
        Ok(told) => told.ok(),
        Err(_) => {
            shared.lock().forget(node, id);
            None
        }
    }
}

impl World {
    /// A watch reaches a node.
    pub(crate) fn watch(
        &mut self,
        id: NodeId,
        watcher: u64,
        watch: Watch,
    ) -> Option<(RequestId, oneshot::Receiver<Told>)> {
        let journal = self.journal.clone();
        let node = self.node(id);
        let server = Server { node: id, life: node.life };
        let alive = node.alive.as_mut()?;
        let (tell, told) = oneshot::channel();
        node.asked += 1;
        let request = node.asked;
        let asked = || Box::new(watch.clone());
        journal.record(|| What::Watches { watcher, node: id, request, watch: asked() });
        let watching = Watching { watcher, server, watch: watch.clone(), told: None };
        alive.watches.insert(request, (watching, tell));
        self.tell(id, Input::Client { id: request, request: Request::Watch(watch) });
        Some((request, told))
    }

    /// Something has come of a watch; whoever is refused is not told a word.
    pub(super) fn watched(&mut self, (mut watching, tell): Waiting, outcome: Outcome) {
        let said = match outcome {
            Outcome::Done(Done::Watched { events, at }) => Told::Shown { events, at },
            Outcome::Refused(Refused::Cleared(cleared)) => Told::Cleared(cleared),
            _ => return,
        };
        watching.told = Some(said.clone());
        self.journal.record(|| What::Watched(Box::new(watching.clone())));
        let _ = tell.send(said);
        self.watchings.push(watching);
    }

    /// The watches that still wait, on nodes that have all there is.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Watching> {
        let agreed = self.nodes.iter().filter(|node| self.agreed.contains(&node.id));
        let alive = agreed.filter_map(|node| node.alive.as_ref());
        alive.flat_map(|alive| alive.watches.values().map(|(watching, _)| watching))
    }
}
