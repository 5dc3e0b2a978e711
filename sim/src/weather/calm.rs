//! After the storm: those that are well must serve, agree and keep time, whatever the
//! rest does; and if they do not, it is said what is missing.

use std::time::Duration;

use madsim::time::Instant;
use quorate_engine::command::Stamp;
use quorate_engine::tree::{Path, Read};
use quorate_engine::{Change, Content, NodeId, Role, View, Write};

use super::client::ask;
use super::journal::JUDGE;
use super::plan::Broken;
use super::scenario::Scenario;
use super::stream;
use super::world::{Shared, World};
use crate::check::ttl;
use crate::history::{Answer, Op};

/// Within so many election timeouts after the storm the core serves (one to two of which
/// pass before an election).
pub(crate) const SERVES_WITHIN: u64 = 50;

/// The nodes that are well.
pub(super) struct Core {
    shared: Shared,
    /// All but those that stay broken.
    sound: Vec<NodeId>,
    tick_ms: u64,
    election_ms: u64,
    /// Whether the weather may damage more than a minority: those that are left need not
    /// serve if they are too few.
    may_stop: bool,
}

/// Who leads, in which term, and what its clock shows, at one moment.
pub(super) struct Leadership {
    at_ns: u64,
    leader: (u64, NodeId),
    clock: Stamp,
}

impl Core {
    /// After a storm that leaves these broken.
    pub fn new(shared: &Shared, scenario: &Scenario, broken: &[Broken]) -> Self {
        let is_broken = |id: &NodeId| broken.iter().any(|broken| broken.node == *id);
        let sound = (1..=scenario.nodes).filter(|id| !is_broken(id)).collect();
        let may_stop = scenario.damaged > (scenario.nodes - 1) / 2;
        let config = scenario.config(shared.lock().seed, 1);
        let (shared, tick_ms) = (shared.clone(), config.tick_ms);
        let election_ms = tick_ms * u64::from(config.election_ticks);
        Self { shared, sound, tick_ms, election_ms, may_stop }
    }

    /// Those that are neither broken nor down.
    fn nodes(&self, world: &World) -> Vec<NodeId> {
        let down = |id: &NodeId| world.nodes.iter().any(|node| node.id == *id && node.down);
        self.sound.iter().copied().filter(|id| !down(id)).collect()
    }

    /// Whether so many are left that they must serve.
    fn must_serve(&self) -> bool {
        let world = self.shared.lock();
        !self.may_stop || self.nodes(&world).len() > world.nodes.len() / 2
    }

    /// Liveness: within a bound every node of the core acknowledges a write and a
    /// linearizable read.
    pub async fn serves_again(&self, seed: u64) {
        let bound = Duration::from_millis(SERVES_WITHIN * self.election_ms);
        let began = Instant::now();
        let rng = &mut stream(seed, "judge");
        if self.must_serve() {
            self.shared.lock().judged.push("serves again");
        }
        for id in self.sound.iter().copied() {
            for op in questions(id) {
                while !self.shared.lock().node(id).down && self.must_serve() {
                    let answer = ask(&self.shared, JUDGE, id, op.clone(), rng).await;
                    if matches!(answer, Answer::Written { .. } | Answer::Read { .. }) {
                        break;
                    }
                    if self.shared.lock().failure.is_some() {
                        return;
                    }
                    if began.elapsed() > bound {
                        let mut world = self.shared.lock();
                        let why = self.unmet(&world, id);
                        let what = format!("n{id} does not answer {op} within {bound:?}: {why}");
                        return world.fail("serves again", what);
                    }
                    madsim::time::sleep(Duration::from_millis(self.tick_ms)).await;
                }
            }
        }
    }

    /// The first condition of serving that is not met.
    fn unmet(&self, world: &World, id: NodeId) -> String {
        let nodes = self.nodes(world);
        let views: Vec<&View> = nodes.iter().filter_map(|id| world.view(*id)).collect();
        let majority = world.nodes.len() / 2 + 1;
        if views.len() < majority {
            return format!("only {} nodes of the core run, not {majority}", views.len());
        }
        let term = views.iter().map(|view| view.term).max().unwrap_or(0);
        let leader = world.nodes.iter().filter_map(|node| world.view(node.id));
        let Some(leader) = leader.filter(|it| it.term >= term).find(|it| it.role == Role::Leader)
        else {
            let terms: Vec<_> = views.iter().map(|it| (it.id, it.term, it.role)).collect();
            return format!("nobody leads in term {term}: {terms:?}");
        };
        let followers = views.iter().filter(|view| view.term == leader.term).count();
        if followers < majority {
            return format!("only {followers} of the core are in n{}'s term {term}", leader.id);
        }
        let behind = views.iter().filter(|view| view.applied < leader.applied).count();
        match world.view(id) {
            Some(view) if !view.ready => format!("it is not ready, {behind} are behind"),
            Some(view) if view.applied < leader.applied => {
                format!("it has applied {} of {}", view.applied, leader.applied)
            }
            Some(_) => format!("n{} leads in term {term} and commits nothing", leader.id),
            None => "it does not run".into(),
        }
    }

    /// Convergence: left alone, all of the core come to the same state.
    pub async fn agrees(&self) {
        let patience = Duration::from_millis(self.tick_ms * 100);
        let began = Instant::now();
        if self.must_serve() {
            self.shared.lock().judged.push("equal states");
        }
        while self.must_serve() && !self.agree() {
            if began.elapsed() > patience {
                let mut world = self.shared.lock();
                let views = self.nodes(&world).into_iter().filter_map(|id| world.view(id));
                let views = views.map(|view| format!(" n{} {:?}", view.id, view.position()));
                let what = format!("after {patience:?}:{}", views.collect::<String>());
                return world.fail("equal states", what);
            }
            madsim::time::sleep(Duration::from_millis(self.tick_ms)).await;
        }
    }

    /// Whether all of the core are in the same state.
    fn agree(&self) -> bool {
        let mut world = self.shared.lock();
        let nodes = self.nodes(&world);
        let views = nodes.iter().filter_map(|id| world.view(*id));
        let mut states: Vec<_> = views.map(|view| (view.applied, view.digest)).collect();
        states.dedup();
        if states.len() <= 1 {
            world.agreed = nodes;
        }
        states.len() <= 1
    }

    /// Who leads now, if it is one of the core.
    pub fn leadership(&self) -> Option<Leadership> {
        let world = self.shared.lock();
        let (term, leader, clock) = world.leader()?;
        let at_ns = world.now();
        self.sound.contains(&leader).then_some(Leadership { at_ns, leader: (term, leader), clock })
    }

    /// The calm since then, if nobody else has led in it.
    pub fn calm_since(&self, before: &Leadership) -> Option<ttl::Calm> {
        let now = self.leadership()?;
        let calm = ttl::Calm { from_ns: before.at_ns, clock: before.clock, until_ns: now.at_ns };
        (now.leader == before.leader).then_some(calm)
    }
}

/// What every node of the core is asked: a write and a linearizable read.
pub(crate) fn questions(id: NodeId) -> [Op; 2] {
    let path = Path::new("/judge").expect("clean");
    let content = Content::File(format!("calm at n{id}").into());
    let write = Write { path: path.clone(), change: Change::Set { content, ttl: None } };
    let read = Read { path, recursive: false };
    [Op::Write(write), Op::Read { read, local: false }]
}
