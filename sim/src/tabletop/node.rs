//! One node on the table: an engine, or none while it is down, and its disk.

use std::collections::BTreeMap;

use quorate_engine::{Config, DiskId, Engine, Output, RecoverError, View};

use crate::disk::Disk;

/// 1 January 2030: every node's wall clock at its first tick.
const EPOCH_MS: u64 = 1_893_456_000_000;

#[derive(Debug)]
pub(super) struct Node {
    pub config: Config,
    pub engine: Option<Engine>,
    pub disk: Disk,
    /// Disk operations under way, and when they began.
    pub began: BTreeMap<DiskId, u64>,
    pub stalled: bool,
    /// How wrong its wall clock is.
    pub wall_offset_ms: i64,
    ticks: u64,
}

impl Node {
    pub fn new(config: Config) -> Self {
        let (disk, began) = (Disk::default(), BTreeMap::new());
        Self { config, engine: None, disk, began, stalled: false, wall_offset_ms: 0, ticks: 0 }
    }

    /// A new life from what the disk holds.
    pub fn recover(&mut self) -> Result<(View, Vec<Output>), RecoverError> {
        self.config.boot += 1;
        let (engine, outputs) = Engine::recover(self.config.clone(), self.disk.image())?;
        let view = engine.view();
        self.engine = Some(engine);
        Ok((view, outputs))
    }

    pub fn wall_ms(&mut self) -> u64 {
        self.ticks += 1;
        (EPOCH_MS + self.ticks * self.config.tick_ms).saturating_add_signed(self.wall_offset_ms)
    }

    /// The disk operation that began first.
    pub fn oldest(&self) -> Option<DiskId> {
        self.began.iter().min_by_key(|(_, order)| **order).map(|(id, _)| *id)
    }
}
