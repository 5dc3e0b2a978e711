//! Carrying out a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use madsim::time::Instant;
use quorate_engine::NodeId;

use super::plan::{Action, Plan, Step};
use super::world::Shared;
use crate::recipes::Processes;

/// Does to the cluster what the plan says.
pub(super) struct Nemesis {
    shared: Shared,
    nodes: BTreeMap<NodeId, NodeHandle>,
    processes: Option<Processes>,
}

impl Nemesis {
    pub fn new(
        shared: Shared,
        nodes: BTreeMap<NodeId, NodeHandle>,
        processes: Option<Processes>,
    ) -> Self {
        Self { shared, nodes, processes }
    }

    /// Every step at its time; undoing runs beside it.
    pub async fn rage(&self, plan: Plan, began: Instant) {
        for Step { at_ms, action } in plan.steps {
            madsim::time::sleep_until(began + Duration::from_millis(at_ms)).await;
            self.act(action);
        }
    }

    /// The storm is over: all that is not down for good comes back and is well.
    pub fn calm(&self) {
        let mut world = self.shared.lock();
        world.calm = true;
        world.links.calm();
        let now = Instant::now();
        let mut dead = Vec::new();
        for node in &mut world.nodes {
            node.stalled_until = now;
            if node.alive.is_none() && !node.down {
                dead.push(node.id);
            }
        }
        drop(world);
        for id in self.nodes.keys() {
            Handle::current().resume(self.nodes[id].id());
        }
        for id in dead {
            self.start(id);
        }
        self.processes.iter().for_each(Processes::be_well);
    }

    /// One that was down for good comes back after all.
    pub fn revive(&self) {
        let mut world = self.shared.lock();
        let Some(id) = world.nodes.iter().find(|node| node.down).map(|node| node.id) else {
            return;
        };
        world.node(id).down = false;
        drop(world);
        self.start(id);
    }

    fn act(&self, action: Action) {
        let mut world = self.shared.lock();
        match action {
            Action::Cut(links, ms) => {
                world.links.cut(&links);
                self.later(ms, move |it| it.shared.lock().links.join(&links));
            }
            Action::Crash(id, ms) => {
                drop(world);
                self.stop(id, true);
                self.later(ms, move |it| it.start(id));
            }
            Action::Kill(id, ms) => {
                drop(world);
                self.stop(id, false);
                self.later(ms, move |it| it.start(id));
            }
            Action::KillCrash(id, ms) => {
                drop(world);
                self.stop(id, false);
                self.start(id);
                self.later(ms, move |it| {
                    it.stop(id, true);
                    it.start(id);
                });
            }
            Action::Pause(id, ms) => {
                world.note(format!("n{id} pauses"));
                let handle = self.nodes[&id].id();
                Handle::current().pause(handle);
                self.later(ms, move |it| Handle::current().resume(it.nodes[&id].id()));
            }
            Action::Stall(id, ms) => {
                world.note(format!("n{id}'s disk stalls"));
                let until = Instant::now() + Duration::from_millis(ms);
                let node = world.node(id);
                node.stalled_until = node.stalled_until.max(until);
            }
            Action::Jump(id, ms) => world.node(id).clock.jump(ms),
            Action::Down(id) => {
                world.node(id).down = true;
                drop(world);
                self.stop(id, true);
            }
            Action::PauseProcess(id, ms) => {
                world.note(format!("process {id} pauses"));
                self.process(ms, move |it| it.pause(id), move |it| it.resume(id));
            }
            Action::CrashProcess(id, ms) => {
                world.note(format!("process {id} crashes"));
                self.process(ms, move |it| it.crash(id), move |it| it.restart(id));
            }
        }
    }

    /// Does something to a recipe's process, and later undoes it.
    fn process(
        &self,
        ms: u64,
        act: impl FnOnce(&Processes),
        undo: impl FnOnce(&Processes) + Send + 'static,
    ) {
        let Some(processes) = self.processes.clone() else { return };
        act(&processes);
        self.later(ms, move |_| undo(&processes));
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
            world.note(format!("n{id} starts"));
            drop(world);
            Handle::current().resume(self.nodes[&id].id());
            Handle::current().restart(self.nodes[&id].id());
        }
    }

    fn later(&self, ms: u64, undo: impl FnOnce(&Self) + Send + 'static) {
        let (shared, nodes) = (self.shared.clone(), self.nodes.clone());
        let it = Self { shared, nodes, processes: self.processes.clone() };
        madsim::task::spawn(async move {
            madsim::time::sleep(Duration::from_millis(ms)).await;
            if !it.shared.lock().calm {
                undo(&it);
            }
        });
    }
}
