//! What each node believes the time to be.

use std::time::Duration;

use rand::RngExt;

use super::{scenario, stream};

/// One node's clocks: how long its ticks are, and what its wall shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
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

/// The real wall clock at the beginning of every run, in ms since 1970.
const BEGINNING_MS: i64 = 1_700_000_000_000;

impl Clock {
    pub fn draw(weather: &scenario::Clocks, tick_ms: u64, nodes: u64, seed: u64) -> Vec<Self> {
        let mut rng = stream(seed, "clocks");
        let offset = i64::try_from(weather.offset_ms).unwrap_or(i64::MAX / 4);
        (0..nodes)
            .map(|_| {
                let drift = 1.0 + weather.drift * rng.random_range(-1.0..=1.0);
                let tick_ns = (tick_ms as f64 * 1e6 * drift) as u64;
                let offset_ms = rng.random_range(-offset..=offset);
                Self { tick_ns, offset_ms, frozen: None, strobes: false, readings: 0 }
            })
            .collect()
    }

    /// How long the shortest and the longest tick of any of them really take.
    pub fn extremes(clocks: impl Iterator<Item = Self>) -> (u64, u64) {
        clocks.fold((u64::MAX, 0), |(shortest, longest), clock| {
            (shortest.min(clock.tick_ns), longest.max(clock.tick_ns))
        })
    }

    /// How long one of this node's ticks really takes.
    pub fn tick(&self) -> Duration {
        Duration::from_nanos(self.tick_ns)
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

    pub fn jump(&mut self, ms: i64) {
        self.offset_ms = self.offset_ms.saturating_add(ms);
    }
}
