//! A weather file: one claim, and the weather in which it must hold.

use std::fmt;

use quorate_engine::{Config, Member};
use serde::{Deserialize, Serialize};

use crate::recipes::Recipe;

/// What a weather file says. Every field it does not name is calm.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What must be true, in one sentence.
    pub claim: String,
    /// Members of the cluster.
    pub nodes: u64,
    /// Clients, each with one operation under way.
    pub clients: u64,
    /// Processes that live by a recipe, beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// Watchers beside them.
    #[serde(default = "few_watchers")]
    pub watchers: u64,
    /// Of a hundred writes that may give a time to live, how many do.
    #[serde(default = "some_ttls")]
    pub ttl_percent: u32,
    /// How long a client thinks between two operations, at most, in ms.
    pub think_ms: u64,
    /// The largest value, in bytes; most are short.
    #[serde(default = "few_bytes")]
    pub max_value_bytes: usize,
    /// Seconds of faults.
    pub storm_s: u64,
    /// Seconds without, in which the cluster must come round.
    pub calm_s: u64,
    /// For each seed, leave out some of the faults and scale the others.
    #[serde(default)]
    pub swarm: bool,
    /// What links do.
    #[serde(default)]
    pub links: Links,
    /// What clocks do.
    #[serde(default)]
    pub clocks: Clocks,
    /// How long disks take.
    #[serde(default)]
    pub disks: Disks,
    /// What befalls nodes and links, and how often.
    #[serde(default)]
    pub faults: Faults,
    /// Nodes that go down for good in the middle of the storm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down: Option<Down>,
    /// How many nodes' disks may be damaged beyond what a lone node can repair. If a
    /// majority is left the cluster serves on; if not it may stop, and must never be
    /// wrong.
    #[serde(default)]
    pub damaged: u64,
    /// What is well again when the storm is over.
    #[serde(default)]
    pub heals: Heals,
    /// Bounds of the engine, drawn small so that rare paths are common.
    #[serde(default)]
    pub engine: Tweaks,
}

/// What a link does to messages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// The share of messages that is lost.
    pub loss: f64,
    /// The share that arrives twice.
    pub duplicate: f64,
    /// How long one takes, in ms; messages overtake each other.
    pub delay_ms: [u64; 2],
    /// The share that takes twenty times as long.
    pub tail: f64,
}

/// What clocks do, drawn per node.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clocks {
    /// The wall clock is wrong by up to so many ms, either way.
    pub offset_ms: u64,
    /// Ticks, and recipes' clocks, are too fast or too slow by up to this share.
    pub drift: f64,
}

/// How long a disk takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disks {
    /// For one operation, in ms.
    pub delay_ms: [u64; 2],
}

/// Faults; each comes on average once in `every_s` seconds, somewhere.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// The cluster falls into two parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<Fault>,
    /// Nothing gets from one node to another, while the way back is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_way: Option<Fault>,
    /// One node hears and reaches nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolate: Option<Fault>,
    /// The cluster falls into two parts, and one node belongs to both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Fault>,
    /// One node is cut off, joined, cut off again, every few hundred ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flap: Option<Fault>,
    /// What one node sends to another is held back, and arrives all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clog: Option<Fault>,
    /// A node loses its power, and with it what was not synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<Fault>,
    /// A process is killed; what it had written stays in the page cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill: Option<Fault>,
    /// A process is killed, starts again at once, and loses its power within
    /// `lasts_ms`: what it had only written, and has read back, is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_crash: Option<Fault>,
    /// All nodes lose their power at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_all: Option<Fault>,
    /// A node loses its power several times, each time soon after it has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Fault>,
    /// The next node that comes into some rare state loses its power just then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ambush: Option<Fault>,
    /// A node does nothing for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Fault>,
    /// A disk answers nothing for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Fault>,
    /// A disk operation fails once; a write may have happened in part, what was not
    /// synced is gone, and the next operation succeeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_error: Option<Fault>,
    /// A disk has no space for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_space: Option<Fault>,
    /// The power fails, and some of what was durable has rotted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rot: Option<Fault>,
    /// The power fails, and the last batch of the log has rotted, if a quorum holds it
    /// without this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rot_tail: Option<Fault>,
    /// A write goes to another place than it was meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misdirect: Option<Fault>,
    /// The power fails, and the last changes of names are undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_names: Option<Fault>,
    /// A node's clocks stand still while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_freeze: Option<Fault>,
    /// A wall clock jumps to and fro at every reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_strobe: Option<Fault>,
    /// A wall clock jumps by up to `lasts_ms`, either way, for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_jump: Option<Fault>,
    /// A node's ticks come faster or slower than before, within `clocks.drift`, for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_drift: Option<Fault>,
    /// A recipe's process does nothing for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_pause: Option<Fault>,
    /// A recipe's process is gone, and comes back as another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_crash: Option<Fault>,
}

impl Faults {
    /// Every fault by the name that files have for it.
    pub(super) fn by_name(&self) -> [(&'static str, Option<Fault>); 26] {
        [
            ("partition", self.partition),
            ("one_way", self.one_way),
            ("isolate", self.isolate),
            ("bridge", self.bridge),
            ("flap", self.flap),
            ("clog", self.clog),
            ("crash", self.crash),
            ("kill", self.kill),
            ("kill_crash", self.kill_crash),
            ("crash_all", self.crash_all),
            ("restarts", self.restarts),
            ("ambush", self.ambush),
            ("pause", self.pause),
            ("stall", self.stall),
            ("disk_error", self.disk_error),
            ("no_space", self.no_space),
            ("rot", self.rot),
            ("rot_tail", self.rot_tail),
            ("misdirect", self.misdirect),
            ("lost_names", self.lost_names),
            ("clock_freeze", self.clock_freeze),
            ("clock_strobe", self.clock_strobe),
            ("clock_jump", self.clock_jump),
            ("clock_drift", self.clock_drift),
            ("process_pause", self.process_pause),
            ("process_crash", self.process_crash),
        ]
    }
}

/// How often, and how long.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Seconds between two of them, on average.
    pub every_s: f64,
    /// How long one lasts, in ms.
    pub lasts_ms: [u64; 2],
}

/// What is well again when the storm is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heals {
    /// A majority, drawn; the rest stays broken for ever.
    #[default]
    Majority,
    /// All.
    All,
}

/// Nodes that stay down.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Down {
    /// How many.
    pub nodes: u64,
    /// What the others must do.
    pub expect: Expect,
}

/// What is expected of the nodes that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// They serve.
    Serves,
    /// They acknowledge nothing until one comes back, and have lost nothing then.
    AcknowledgesNothing,
}

/// Bounds of the engine that differ from the defaults of these scenarios.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tweaks {
    /// Ms of one tick.
    pub tick_ms: u64,
    /// Entries between two snapshots, drawn from this range.
    pub snapshot_entries: [u64; 2],
    /// Entries kept behind one, drawn from this range.
    pub catch_up_entries: [u64; 2],
    /// Bytes of a log segment, drawn from this range.
    pub segment_bytes: [u64; 2],
    /// Bytes of a snapshot's chunk, drawn from this range.
    pub chunk_bytes: [u64; 2],
    /// Events in the history window, drawn from this range.
    pub history_events: [u64; 2],
    /// Forwarded writes remembered per origin, drawn from this range.
    pub forward_window: [u64; 2],
    /// Writes of one node's clients under way at once, drawn from this range.
    pub max_pending_writes: [u64; 2],
    /// Bytes of entries in one append, drawn from this range: a single entry may have more.
    pub max_append_bytes: [u64; 2],
}

impl Default for Links {
    fn default() -> Self {
        Self { loss: 0.0, duplicate: 0.0, delay_ms: [1, 4], tail: 0.0 }
    }
}

impl Default for Disks {
    fn default() -> Self {
        Self { delay_ms: [1, 4] }
    }
}

impl Default for Tweaks {
    fn default() -> Self {
        Self {
            tick_ms: 50,
            snapshot_entries: [5, 80],
            catch_up_entries: [1, 20],
            segment_bytes: [256, 4096],
            chunk_bytes: [64, 2048],
            history_events: [64, 128],
            forward_window: [16, 64],
            max_pending_writes: [3, 64],
            max_append_bytes: [1, 4096],
        }
    }
}

/// A mistake in a weather file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(String);

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    pub(super) fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Scenario {
    /// Reads a weather file.
    ///
    /// # Errors
    /// If it says something unknown, or nothing where something must be said;
    /// with line and field.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(ScenarioError::new)?;
        super::mistakes::look(&scenario, text).map_err(ScenarioError)?;
        Ok(scenario)
    }

    /// The configuration of node `id`, but for its life's own number. All nodes
    /// of one seed are configured alike.
    pub fn config(&self, seed: u64, id: u64) -> Config {
        use rand::RngExt;
        let rng = &mut super::stream(seed, "config");
        let mut draw = |[low, high]: [u64; 2]| rng.random_range(low..=high);
        let members = (1..=self.nodes).map(|id| Member {
            id,
            peer_urls: vec![format!("http://n{id}:2380")],
            attributes: Default::default(),
        });
        let tweaks = &self.engine;
        let mut config = Config::new(id, 0xC1, members.collect());
        config.seed = seed;
        config.tick_ms = tweaks.tick_ms;
        config.snapshot_entries = draw(tweaks.snapshot_entries);
        config.catch_up_entries = draw(tweaks.catch_up_entries);
        config.segment_bytes = draw(tweaks.segment_bytes);
        config.chunk_bytes = usize::try_from(draw(tweaks.chunk_bytes)).expect("small");
        config.history_events = usize::try_from(draw(tweaks.history_events)).expect("small");
        config.forward_window = usize::try_from(draw(tweaks.forward_window)).expect("small");
        config.max_pending_writes =
            usize::try_from(draw(tweaks.max_pending_writes)).expect("small");
        config.max_append_bytes = draw(tweaks.max_append_bytes);
        config
    }
}

fn few_bytes() -> usize {
    2_000
}

fn few_watchers() -> u64 {
    2
}

fn some_ttls() -> u32 {
    crate::workload::Mix::default().ttl_percent
}
