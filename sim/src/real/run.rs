//! One run: storm, calm, verdict.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use quorate_engine::NodeId;
use quorate_engine::tree::{self, Read};
use tempfile::TempDir;

use super::client::{self, Caller};
use super::cluster::Cluster;
use super::judge::{self, Dark};
use super::links::Links;
use super::nemesis::Nemesis;
use super::proxy::Proxy;
use super::record::Record;
use super::report::Report;
use super::schedule;
use super::watch;
use crate::check::durable::Final;
use crate::history::{Answer, Op};
use crate::weather::{Expect, Run, SERVES_WITHIN, questions, stream};
use crate::workload::{Mix, Workload};

/// How long a member may take to answer the judge once, and to come to the state of the
/// others once nobody writes.
const PATIENCE: Duration = Duration::from_secs(2);
const AGREES_WITHIN: Duration = Duration::from_secs(30);

/// A client that only the judge uses.
const JUDGE: u64 = u64::MAX;

/// A run against real processes.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Scenario, seed and plan.
    pub run: Run,
    /// The program of `quorate`.
    pub server: PathBuf,
    /// The canary: in the middle of the storm every member's data is copied, and at its
    /// end the copies take the place of the data. Such a run must fail.
    pub forgets: bool,
}

impl Setup {
    /// Carries it out; this takes as long as the scenario says, and a little longer. If
    /// it fails, data and logs are kept.
    ///
    /// # Errors
    /// If it cannot be had with real processes at all, or the machine does not give
    /// what it takes.
    pub fn report(&self) -> Result<Report, String> {
        self.is_possible()?;
        let home = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
        let began = Instant::now();
        let genesis = self.run.scenario.config(self.run.seed, 1).genesis_index();
        let record = Arc::new(Record::new(self.run.scenario.nodes, genesis));
        let mut faults = 0;
        if let Err(what) = self.live(&record, &home, &mut faults) {
            record.fail("processes", what);
        }
        let mut report = Report::of(&self.run, &record.lock(), faults, began.elapsed());
        if report.failure.is_some() {
            report.kept = Some(home.keep());
        }
        Ok(report)
    }

    fn is_possible(&self) -> Result<(), String> {
        if self.run.scenario.recipe.is_some() {
            return Err("recipes are not run with real processes: their processes live on \
                        the simulator's clock"
                .into());
        }
        if self.run.lie.is_some() {
            return Err("real neighbours tell no lies; see --canary".into());
        }
        if !self.server.is_file() {
            let server = self.server.display();
            return Err(format!("{server} is not there; build it, or name it with --server"));
        }
        Ok(())
    }

    fn live(&self, record: &Arc<Record>, home: &TempDir, faults: &mut usize) -> Result<(), String> {
        let Run { scenario, seed, .. } = &self.run;
        let cannot = |error| format!("cannot set up the cluster: {error}");
        let links = Arc::new(Links::new(scenario.links.clone(), scenario.nodes, *seed));
        let proxies: Result<Vec<Proxy>, _> =
            (1..=scenario.nodes).map(|id| Proxy::start(id, &links)).collect();
        let proxies = proxies.map_err(cannot)?;
        let cluster = Cluster::new(scenario, *seed, &self.server, home.path(), &proxies);
        let mut cluster = cluster.map_err(cannot)?;
        cluster.start()?;
        links.begin(cluster.names(&proxies)?)?;
        let (cluster, links) = (&mut cluster, &*links);
        let nemesis = Nemesis { cluster, links, record, down_since: None, faults };
        Live { setup: self, record, nemesis, stop: &AtomicBool::new(false) }.run()
    }
}

/// A run while its cluster lives.
struct Live<'a> {
    setup: &'a Setup,
    record: &'a Arc<Record>,
    nemesis: Nemesis<'a>,
    /// Tells clients and watchers to end.
    stop: &'a AtomicBool,
}

/// However a scope ends, what runs in it is told to.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Live<'_> {
    fn run(mut self) -> Result<(), String> {
        let addresses = self.nemesis.cluster.addresses();
        let record = self.record;
        let watching = AtomicBool::new(false);
        let roots = watch::roots();
        let (states, dark) = thread::scope(|scope| {
            let _stops = Stops(&watching);
            for (id, address) in (1..).zip(&addresses) {
                for root in &roots {
                    let watching = &watching;
                    scope.spawn(move || watch::follow(record, id, address, root, watching));
                }
            }
            let dark = self.storm_and_calm(&addresses)?;
            let states = self.agrees(&addresses);
            self.shows_all(&states);
            self.nemesis.cluster.check()?;
            Ok::<_, String>((states, dark))
        })?;
        judge::judge(&mut record.lock(), &states, dark);
        Ok(())
    }

    /// Clients and watchers at work from the beginning of the storm to the end of the
    /// calm.
    fn storm_and_calm(&mut self, addresses: &[String]) -> Result<Option<Dark>, String> {
        let (record, run, stop) = (self.record, &self.setup.run, self.stop);
        let rng = stream(run.seed, "workload");
        let workload = Mutex::new(Workload::new(rng, mix(run)));
        thread::scope(|scope| {
            let _stops = Stops(stop);
            for id in 1..=run.scenario.clients {
                let (caller, workload) = (Caller::new(record, id, addresses), &workload);
                scope.spawn(move || client::live(caller, run, workload, stop));
            }
            for id in 1..=run.scenario.watchers {
                scope.spawn(move || watch::wander(record, run, id, addresses, stop));
            }
            let dark = self.storm()?;
            self.serves_again(addresses)?;
            self.pass(run.scenario.calm_s)?;
            Ok(dark)
        })
    }

    /// The storm, and the darkness behind it if so many are down that nothing may be
    /// acknowledged.
    fn storm(&mut self) -> Result<Option<Dark>, String> {
        let scenario = &self.setup.run.scenario;
        let began = Instant::now();
        let storm = Duration::from_secs(scenario.storm_s);
        self.nemesis.rage(&schedule::blows(&self.setup.run, self.setup.forgets), began)?;
        self.nemesis.wait_until(began + storm)?;
        let dark = scenario.down.filter(|down| down.expect == Expect::AcknowledgesNothing);
        let dark = dark.and(self.nemesis.down_since);
        self.nemesis.calm(&self.setup.run.plan.broken)?;
        let Some(from) = dark else { return Ok(None) };
        self.pass(scenario.calm_s)?;
        let dark = Dark { from, until: self.record.now() };
        self.nemesis.revive()?;
        Ok(Some(dark))
    }

    /// So many seconds go by.
    fn pass(&mut self, seconds: u64) -> Result<(), String> {
        self.nemesis.wait_until(Instant::now() + Duration::from_secs(seconds))
    }

    /// Liveness: within a bound after the storm every member that is well acknowledges a
    /// write and a linearizable read.
    fn serves_again(&mut self, addresses: &[String]) -> Result<(), String> {
        let config = self.setup.run.scenario.config(self.setup.run.seed, 1);
        let election_ms = config.tick_ms * u64::from(config.election_ticks);
        let bound = Duration::from_millis(SERVES_WITHIN * election_ms);
        let began = Instant::now();
        let mut judge = Caller::new(self.record, JUDGE, addresses);
        let ids: Vec<NodeId> = self.nemesis.cluster.core().map(|member| member.id).collect();
        for id in ids {
            for op in questions(id) {
                while judge.ask(id, &op, PATIENCE).position().is_none() {
                    self.nemesis.cluster.check()?;
                    if self.record.has_failed() {
                        return Ok(());
                    }
                    if began.elapsed() > bound {
                        let what = format!("n{id} does not answer {op} {bound:?} after the storm");
                        self.record.fail("serves again", what);
                        return Ok(());
                    }
                    sleep(Duration::from_millis(election_ms / 10));
                }
            }
        }
        Ok(())
    }

    /// Convergence: left alone, all members that are well show the same tree at the same
    /// index. What they show, each by what it has itself.
    fn agrees(&self, addresses: &[String]) -> Vec<(NodeId, Final)> {
        let read = Read { path: tree::Path::root(), recursive: true };
        let read = Op::Read { read, local: true };
        let began = Instant::now();
        let mut judge = Caller::new(self.record, JUDGE, addresses);
        loop {
            let core = self.nemesis.cluster.core();
            let states: Option<Vec<_>> = core
                .map(|member| match judge.ask(member.id, &read, PATIENCE) {
                    Answer::Read { found: Ok(root), at } => {
                        let (store_index, clock) = (at.store_index, at.clock);
                        Some((member.id, Final { store_index, clock, root }))
                    }
                    _ => None,
                })
                .collect();
            let states = states.unwrap_or_default();
            let shown = |(_, it): &(_, Final)| (it.store_index, it.root.clone());
            if states.first().is_some_and(|first| states.iter().all(|it| shown(it) == shown(first)))
            {
                return states;
            }
            if self.record.has_failed() {
                return states;
            }
            if began.elapsed() > AGREES_WITHIN {
                let at: Vec<String> =
                    states.iter().map(|(id, it)| format!("n{id} at {}", it.store_index)).collect();
                let what = format!("after {AGREES_WITHIN:?} {}", at.join(", "));
                self.record.fail("equal states", what);
                return states;
            }
            sleep(Duration::from_millis(self.setup.run.scenario.engine.tick_ms));
        }
    }

    /// Every member that is well has shown every event up to the last one to a watch.
    fn shows_all(&self, states: &[(NodeId, Final)]) {
        let began = Instant::now();
        loop {
            let told = self.record.lock();
            let genesis = told.hint.genesis();
            let missing = states.iter().find_map(|(id, state)| {
                let shown = told.shown.get(id);
                let mut all = genesis + 1..=state.store_index;
                let missing = all.find(|at| shown.is_none_or(|shown| !shown.contains(at)))?;
                Some((*id, missing))
            });
            let has_failed = told.failure.is_some();
            drop(told);
            let Some((id, index)) = missing.filter(|_| !has_failed) else { return };
            if began.elapsed() > AGREES_WITHIN {
                let what = format!("n{id} has not shown what happened at {index} to any watch");
                return self.record.fail("watches", what);
            }
            sleep(Duration::from_millis(50));
        }
    }
}

/// Nothing expires: the wire does not show by which clock it would.
fn mix(run: &Run) -> Mix {
    let max_value_bytes = run.scenario.max_value_bytes;
    Mix { max_value_bytes, refresh: 0, ttl_percent: 0, ..Mix::default() }
}
