//! Cluster time: the clock that a leader stamps entries with.

use crate::command::Stamp;

/// This node's ticks, its wall clock, and, while it leads, cluster time.
#[derive(Debug)]
pub(crate) struct Clock {
    tick_ms: u64,
    ticks: u64,
    wall_ms: u64,
    /// (cluster time, tick) at which this node's leadership began to count.
    started: Option<(u64, u64)>,
}

impl Clock {
    /// A clock at its first moment.
    pub fn new(tick_ms: u64) -> Self {
        Self { tick_ms, ticks: 0, wall_ms: 0, started: None }
    }

    /// One tick interval has passed.
    pub fn tick(&mut self, wall_ms: u64) {
        self.ticks += 1;
        self.wall_ms = wall_ms;
    }

    /// Ticks since birth.
    pub fn now(&self) -> u64 {
        self.ticks
    }

    /// This node leads, and the highest stamp in its log is this: cluster time
    /// goes on from there, by this node's ticks.
    pub fn lead(&mut self, highest: Stamp) {
        if self.started.is_none() {
            self.started = Some((highest.cluster_ms, self.ticks));
        }
    }

    /// This node does not lead.
    pub fn follow(&mut self) {
        self.started = None;
    }

    /// The stamp of an entry proposed now.
    ///
    /// # Panics
    /// If this node does not lead.
    pub fn stamp(&self) -> Stamp {
        let (cluster_ms, tick) = self.started.expect("only a serving leader stamps");
        let passed = (self.ticks - tick).saturating_mul(self.tick_ms);
        Stamp { cluster_ms: cluster_ms.saturating_add(passed), wall_ms: self.wall_ms }
    }
}
