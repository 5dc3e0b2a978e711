//! What each node believes the time to be.

use std::time::Duration;

use madsim::time::Instant;
use quorate_engine::NodeId;
use rand::RngExt;

use super::world::World;
use super::{scenario, stream};
use crate::check::ttl::Pace;

/// One node's clocks: how long its ticks are, and what its wall shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// What a tick takes on a clock that does not drift.
    nominal_ns: u64,
    tick_ns: u64,
    offset_ms: i64,
    /// What the wall shows while the clocks stand still.
    frozen: Option<Duration>,
    /// Whether every reading of the wall jumps to and fro.
    strobes: bool,
    readings: u64,
}

/// How far a wall clock that strobes is off, either way, in ms.
const STROBE_MS: i64 = 30_000;

/// How far a tick may be from what it should be, in thousandths: as far as in files.
const MOST_DRIFT: i64 = 500;

/// The real wall clock at the beginning of every run, in ms since 1970.
const BEGINNING_MS: i64 = 1_700_000_000_000;

impl Clock {
    pub fn draw(weather: &scenario::Clocks, tick_ms: u64, nodes: u64, seed: u64) -> Vec<Self> {
        let mut rng = stream(seed, "clocks");
        let offset = i64::try_from(weather.offset_ms).unwrap_or(i64::MAX / 4);
        (0..nodes)
            .map(|_| {
                let drift = 1.0 + weather.drift * rng.random_range(-1.0..=1.0);
                let nominal_ns = tick_ms * 1_000_000;
                let tick_ns = (tick_ms as f64 * 1e6 * drift) as u64;
                let offset_ms = rng.random_range(-offset..=offset);
                Self { nominal_ns, tick_ns, offset_ms, frozen: None, strobes: false, readings: 0 }
            })
            .collect()
    }

    /// How long one of this node's ticks really takes, in ns.
    pub fn tick_ns(&self) -> u64 {
        self.tick_ns
    }

    /// What its wall shows `since` the beginning.
    pub fn wall_ms(&mut self, since: Duration) -> u64 {
        self.readings += 1;
        let since = self.frozen.unwrap_or(since);
        let real = BEGINNING_MS + i64::try_from(since.as_millis()).expect("runs are short");
        let strobe = match (self.strobes, self.readings % 2) {
            (false, _) => 0,
            (true, 0) => STROBE_MS,
            (true, _) => -STROBE_MS,
        };
        (real + self.offset_ms + strobe).max(0).cast_unsigned()
    }

    /// From now on it stands still: nothing ticks.
    pub fn freeze(&mut self, since: Duration) {
        self.frozen.get_or_insert(since);
    }

    /// Whether it stands still.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    pub fn strobe(&mut self, strobes: bool) {
        self.strobes = strobes;
    }

    /// It goes on, and shows the same to everybody.
    pub fn calm(&mut self) {
        (self.frozen, self.strobes) = (None, false);
    }

    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    /// From its next tick on each takes so many thousandths longer than it should.
    pub fn drift(&mut self, thousandths: i64) {
        let share = 1_000 + thousandths.clamp(-MOST_DRIFT, MOST_DRIFT);
        self.tick_ns = self.nominal_ns * share.cast_unsigned() / 1_000;
    }

    pub fn jump(&mut self, ms: i64) {
        self.offset_ms = self.offset_ms.saturating_add(ms);
    }
}

impl World {
    /// How fast time goes. How long a commit takes has no bound where messages
    /// overtake each other: an entry that comes before the one in front of it is
    /// refused, and sent again. But raft rests on its taking less than an election
    /// timeout; unless disks take longer: an entry waits for the flight before it, the
    /// making of a segment and its own flight, on the leader and then on a follower.
    pub fn pace(&self) -> Pace<'_> {
        let longest_ns = self.ticks_ns().max().expect("there are nodes");
        let config = self.scenario.config(self.seed, 1);
        let disks_ns = 6 * self.scenario.disks.delay_ms[1] * 1_000_000;
        let commit_ns = disks_ns.max(longest_ns * u64::from(config.election_ticks));
        Pace { tick_ms: config.tick_ms, shortest_ns: &self.shortest_ns, longest_ns, commit_ns }
    }

    fn ticks_ns(&self) -> impl Iterator<Item = u64> {
        self.nodes.iter().map(|node| node.clock.tick_ns())
    }

    /// When a node's tick ends that begins now.
    pub fn next_tick(&mut self, id: NodeId) -> Instant {
        Instant::now() + Duration::from_nanos(self.node(id).clock.tick_ns())
    }

    /// From its next tick on each takes so many thousandths longer than it should.
    pub fn drift(&mut self, id: NodeId, thousandths: i64) {
        self.node(id).clock.drift(thousandths);
        let shortest = self.ticks_ns().min().expect("there are nodes");
        self.shortest_ns.push((self.now(), shortest));
    }
}
