//! The processes of a recipe: how they begin, pause, crash and come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use madsim::runtime::{Handle, NodeHandle};
use rand::RngExt;

use super::{Cast, Client, End, Happened, Recipe, Who};
use crate::probes::Probe;
use crate::weather::stream;
use crate::weather::world::{Shared, World};

/// What processes have in common.
#[derive(Default)]
pub(crate) struct Stage(Mutex<Times>);

#[derive(Default)]
struct Times {
    calm_from: Option<u64>,
    /// When nobody noted anything any more.
    until: u64,
    /// The life that each process lives, or lived last.
    lives: BTreeMap<u64, u64>,
    /// When each life that has ended did.
    deaths: BTreeMap<Who, u64>,
    /// Who is to be started again.
    down: BTreeSet<u64>,
}

impl Times {
    /// A process is gone; whether it was not before.
    fn dies(&mut self, id: u64, now: u64) -> bool {
        let dies = self.down.insert(id);
        if let Some(&life) = self.lives.get(&id).filter(|_| dies) {
            // Started again and gone before it lived, it dies no second death.
            self.deaths.entry(Who { id, life }).or_insert(now);
        }
        dies
    }
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().expect("one thread")
    }

    /// Since when nothing has disturbed anybody, in ns.
    pub fn calm_from(&self) -> Option<u64> {
        self.lock().calm_from
    }
}

/// All processes of one run.
#[derive(Clone)]
pub(crate) struct Processes {
    cast: Arc<Cast>,
    shared: Shared,
    stage: Arc<Stage>,
    nodes: Arc<BTreeMap<u64, NodeHandle>>,
}

impl Processes {
    /// Starts them.
    pub fn start(recipe: Recipe, shared: &Shared, seed: u64) -> Self {
        let (cast, stage) = (Arc::new(recipe.cast()), Arc::<Stage>::default());
        let rng = &mut stream(seed, "processes");
        let drift = shared.lock().scenario.clocks.drift;
        let nodes = (1..=cast.processes).map(|id| {
            let speed = (1e6 * (1.0 + drift * rng.random_range(-1.0..=1.0))) as u64;
            let (cast, shared, stage) = (cast.clone(), shared.clone(), stage.clone());
            let life = move || live(id, speed, seed, cast.clone(), shared.clone(), stage.clone());
            let runtime = Handle::current();
            (id, runtime.create_node().name(format!("process {id}")).init(life).build())
        });
        let nodes = Arc::new(nodes.collect());
        Self { cast, shared: shared.clone(), stage, nodes }
    }

    /// One stops where it stands, until it is resumed.
    pub fn pause(&self, id: u64) {
        Handle::current().pause(self.nodes[&id].id());
    }

    /// One that was paused goes on.
    pub fn resume(&self, id: u64) {
        Handle::current().resume(self.nodes[&id].id());
    }

    /// One is gone, and what it was about to do with it.
    pub fn crash(&self, id: u64) {
        let now = self.shared.lock().now();
        if self.stage.lock().dies(id, now) {
            Handle::current().kill(self.nodes[&id].id());
        }
    }

    /// One that is gone comes back as another.
    pub fn restart(&self, id: u64) {
        if self.stage.lock().down.remove(&id) {
            self.resume(id);
            Handle::current().restart(self.nodes[&id].id());
        }
    }

    /// No more crashes and pauses.
    pub fn be_well(&self) {
        for id in self.nodes.keys() {
            self.resume(*id);
            self.restart(*id);
        }
    }

    /// The calm begins.
    pub fn calm(&self) {
        let now = self.shared.lock().now();
        self.stage.lock().calm_from = Some(now);
    }

    /// Nobody does or notes anything any more.
    pub fn stop(&self) {
        self.stage.lock().until = self.shared.lock().now();
        for node in self.nodes.values() {
            Handle::current().kill(node.id());
        }
    }

    /// The oracle has its say, unless something has gone wrong before.
    pub fn judge(&self, world: &mut World) {
        if world.failure.is_some() {
            return;
        }
        world.judged.extend([self.cast.name, "no refusal"]);
        let times = self.stage.lock();
        let calm = times.calm_from.unwrap_or(times.until)..times.until;
        let nodes = world.nodes.iter().filter(|node| !node.down).count() as u64;
        let verdict = {
            let (lives, deaths) = (&times.lives, &times.deaths);
            let (hint, pace) = (&world.hint, world.pace());
            (self.cast.judge)(&End { calm, lives, deaths, nodes, pace, hint })
        };
        match verdict {
            Ok(Happened { recipe, contended }) => {
                world.observers.probes.hit_times(Probe::RecipeDone, recipe);
                world.observers.probes.hit_times(Probe::RecipeContended, contended);
            }
            Err(what) => world.fail(self.cast.name, what),
        }
    }
}

async fn live(id: u64, speed: u64, seed: u64, cast: Arc<Cast>, shared: Shared, stage: Arc<Stage>) {
    let life = {
        let mut times = stage.lock();
        let next = times.lives.get(&id).map_or(0, |life| life + 1);
        times.lives.insert(id, next);
        next
    };
    let who = Who { id, life };
    let seed = stream(seed, &who.to_string()).random();
    let client = Client::new(who, shared.clone(), stage, speed, seed);
    if let Err(refusal) = (cast.live)(client).await {
        shared.lock().fail("no refusal", format!("{who} has met with {refusal}"));
    }
}
