//! Carrying out a plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::time::Instant;
use quorate_engine::NodeId;
use tokio::sync::{mpsc, oneshot};

use super::journal::What;
use super::plan::{Action, Broken, How, Step};
use super::world::Shared;
use crate::recipes::Processes;

/// How long a node is awaited in a state.
const AMBUSH: Duration = Duration::from_secs(3);

/// After so long, who runs a node that has halted starts it again.
const SUPERVISOR: Duration = Duration::from_millis(500);

/// A disk that is never well again.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// Does to the cluster what the plan says.
#[derive(Clone)]
pub(super) struct Nemesis {
    shared: Shared,
    nodes: BTreeMap<NodeId, NodeHandle>,
    processes: Option<Processes>,
    /// Until when each node or process is in a state: what overlaps lasts as long as the
    /// longest of it.
    held: Arc<Mutex<BTreeMap<(Held, u64), Instant>>>,
}

/// A state that a node, or a recipe's process, is kept in for a while.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Off,
    Paused,
    Full,
    Frozen,
    Strobing,
    ProcessOff,
    ProcessPaused,
}

impl Nemesis {
    pub fn new(
        shared: Shared,
        nodes: BTreeMap<NodeId, NodeHandle>,
        processes: Option<Processes>,
    ) -> Self {
        Self { shared, nodes, processes, held: Arc::default() }
    }

    /// Every step at its time; undoing runs beside it.
    pub async fn rage(&self, steps: Vec<Step>, began: Instant) {
        for Step { at_ms, action } in steps {
            madsim::time::sleep_until(began + Duration::from_millis(at_ms)).await;
            self.act(action);
        }
    }

    /// The run is over, for every process.
    pub fn end(&self) {
        self.nodes.values().for_each(|node| Handle::current().kill(node.id()));
    }

    /// Starts again what has halted.
    pub async fn supervise(self, mut halted: mpsc::UnboundedReceiver<NodeId>) {
        while let Some(id) = halted.recv().await {
            madsim::time::sleep(SUPERVISOR).await;
            let stays_broken = self.shared.lock().broken.contains(&id);
            if !stays_broken {
                self.start_if_over(id);
            }
        }
    }

    /// The storm is over: all that is not down for good comes back and is well, but for
    /// what stays broken.
    pub fn calm(&self, broken: &[Broken]) {
        let mut world = self.shared.lock();
        world.journal.record(|| What::Calm);
        world.calm = true;
        world.broken = broken.iter().map(|broken| broken.node).collect();
        world.links.calm(broken);
        world.ambushes.clear();
        for node in &mut world.nodes {
            node.trouble.calm();
            node.clock.calm();
        }
        drop(world);
        for Broken { node: id, how } in broken {
            let mut world = self.shared.lock();
            world.journal.record(|| What::StaysBroken(Broken { node: *id, how: *how }));
            match how {
                How::Dark => {
                    world.node(*id).down = true;
                    drop(world);
                    self.stop(*id, true);
                }
                How::Stalled => {
                    world.node(*id).trouble.stalled_until = Instant::now() + FOR_EVER;
                }
                _ => {}
            }
        }
        for id in self.nodes.keys() {
            Handle::current().resume(self.nodes[id].id());
            self.start(*id);
        }
        for Broken { node, how } in broken {
            if *how == How::Paused {
                Handle::current().pause(self.nodes[node].id());
            }
        }
        self.processes.iter().for_each(Processes::be_well);
    }

    /// One that was down for good comes back after all.
    pub fn revive(&self) {
        let mut world = self.shared.lock();
        let mut down = world.nodes.iter().filter(|node| node.down && !node.trouble.damaged);
        let Some(id) = down.next().map(|node| node.id) else {
            return;
        };
        world.node(id).down = false;
        drop(world);
        self.start(id);
    }

    fn act(&self, action: Action) {
        let mut world = self.shared.lock();
        world.journal.record(|| What::Did(action.clone()));
        world.suffers(&action);
        match action {
            Action::Cut(links, ms) => {
                world.links.cut(&links);
                self.later(ms, move |it| {
                    let mut world = it.shared.lock();
                    world.links.join(&links);
                    world.journal.record(|| What::Joined(links));
                });
            }
            Action::Clog(links, ms) => {
                world.links.clog(&links, Instant::now() + Duration::from_millis(ms));
            }
            Action::Crash(id, ms) => {
                drop(world);
                self.crash(id, ms);
            }
            Action::Ambush(state, ms) => {
                let told = world.ambush(state);
                self.when(told, "the power fails", move |it, id| it.crash(id, ms));
            }
            Action::Strand(state, ms) => {
                let told = world.ambush(state);
                self.when(told, "it is stranded", move |it, id| {
                    let others = it.nodes.keys().filter(|other| **other != id);
                    let links = others.flat_map(|other| [(id, *other), (*other, id)]).collect();
                    it.act(Action::Cut(links, ms));
                    it.act(Action::Stall(id, ms));
                });
            }
            Action::Kill(id, ms) => {
                drop(world);
                self.stop(id, false);
                self.hold(Held::Off, id, ms, move |it| it.start(id));
            }
            Action::KillCrash(id, ms) => {
                drop(world);
                self.stop(id, false);
                self.start_if_over(id);
                self.later(ms, move |it| {
                    it.stop(id, true);
                    it.start_if_over(id);
                });
            }
            Action::Pause(id, ms) => {
                let handle = self.nodes[&id].id();
                Handle::current().pause(handle);
                self.hold(Held::Paused, id, ms, move |it| {
                    Handle::current().resume(it.nodes[&id].id());
                    it.shared.lock().journal.record(|| What::Resumed(id));
                });
            }
            Action::Stall(id, ms) => {
                let until = Instant::now() + Duration::from_millis(ms);
                let trouble = &mut world.node(id).trouble;
                trouble.stalled_until = trouble.stalled_until.max(until);
            }
            Action::DiskError(id) => world.node(id).trouble.error = true,
            Action::NoSpace(id, ms) => {
                world.node(id).trouble.full = true;
                self.hold(Held::Full, id, ms, move |it| {
                    it.shared.lock().node(id).trouble.full = false;
                });
            }
            Action::Rot(id, ms) => {
                drop(world);
                self.stop(id, true);
                self.shared.lock().rot(id);
                self.hold(Held::Off, id, ms, move |it| it.start(id));
            }
            Action::RotTail(id, ms) => {
                drop(world);
                self.stop(id, true);
                self.shared.lock().rot_tail(id);
                self.later(ms, move |it| it.start(id));
            }
            Action::Misdirect(id) => world.node(id).trouble.misdirects = true,
            Action::LostNames(id, ms) => {
                drop(world);
                self.shared.lock().lose_names(id);
                self.stop(id, true);
                self.hold(Held::Off, id, ms, move |it| it.start(id));
            }
            Action::Jump(id, ms) => world.node(id).clock.jump(ms),
            Action::Freeze(id, ms) => {
                let since = world.began.elapsed();
                world.node(id).clock.freeze(since);
                self.hold(Held::Frozen, id, ms, move |it| {
                    it.shared.lock().node(id).clock.thaw();
                });
            }
            Action::Strobe(id, ms) => {
                world.node(id).clock.strobe(true);
                self.hold(Held::Strobing, id, ms, move |it| {
                    it.shared.lock().node(id).clock.strobe(false);
                });
            }
            Action::Drift(id, thousandths) => world.drift(id, thousandths),
            Action::Down(id) => {
                world.node(id).down = true;
                drop(world);
                self.stop(id, true);
            }
            Action::PauseProcess(id, ms) => {
                let Some(processes) = self.processes.clone() else { return };
                processes.pause(id);
                self.hold(Held::ProcessPaused, id, ms, move |_| processes.resume(id));
            }
            Action::CrashProcess(id, ms) => {
                drop(world);
                let Some(processes) = self.processes.clone() else { return };
                processes.crash(id);
                self.hold(Held::ProcessOff, id, ms, move |_| processes.restart(id));
            }
        }
    }

    /// Does something to the node that is told of, if one is in time.
    fn when(
        &self,
        told: oneshot::Receiver<NodeId>,
        what: &'static str,
        act: impl FnOnce(&Self, NodeId) + Send + 'static,
    ) {
        let it = self.clone();
        madsim::task::spawn(async move {
            if let Ok(Ok(id)) = madsim::time::timeout(AMBUSH, told).await
                && !it.shared.lock().calm
            {
                it.shared.lock().journal.record(|| What::Suffers(id, what.into()));
                act(&it, id);
            }
        });
    }

    fn crash(&self, id: NodeId, ms: u64) {
        self.stop(id, true);
        self.hold(Held::Off, id, ms, move |it| it.start(id));
    }

    fn stop(&self, id: NodeId, power: bool) {
        Handle::current().kill(self.nodes[&id].id());
        self.shared.lock().death(id, power);
    }

    /// Starts a node again, unless it runs or is down for good.
    fn start(&self, id: NodeId) {
        let mut world = self.shared.lock();
        let node = world.node(id);
        if node.alive.is_none() && !node.down {
            drop(world);
            Handle::current().resume(self.nodes[&id].id());
            Handle::current().restart(self.nodes[&id].id());
        }
    }

    fn start_if_over(&self, id: NodeId) {
        if self.is_over(Held::Off, id) {
            self.start(id);
        }
    }

    /// Undoes something after so long, unless it was done again meanwhile and for longer.
    fn hold(&self, held: Held, id: u64, ms: u64, undo: impl FnOnce(&Self) + Send + 'static) {
        let until = Instant::now() + Duration::from_millis(ms);
        let mut all = self.held.lock().expect("one thread");
        let longest = all.entry((held, id)).or_insert(until);
        *longest = until.max(*longest);
        drop(all);
        self.later(ms, move |it| {
            if it.is_over(held, id) {
                undo(it);
            }
        });
    }

    fn is_over(&self, held: Held, id: u64) -> bool {
        let all = self.held.lock().expect("one thread");
        all.get(&(held, id)).is_none_or(|until| *until <= Instant::now())
    }

    fn later(&self, ms: u64, undo: impl FnOnce(&Self) + Send + 'static) {
        let it = self.clone();
        madsim::task::spawn(async move {
            madsim::time::sleep(Duration::from_millis(ms)).await;
            if !it.shared.lock().calm {
                undo(&it);
            }
        });
    }
}
