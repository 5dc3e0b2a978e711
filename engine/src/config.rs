//! Everything that is chosen before birth, and every bound.

use crate::boundary::{Member, NodeId, RecoverError};

/// What a node is told at birth. Same config, same image, same inputs: same
/// outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// This member; never 0.
    pub id: NodeId,
    /// The cluster: written into every file, so that data is never mixed up.
    pub cluster: u64,
    /// Every member, this one among them.
    pub members: Vec<Member>,
    /// Seed of the one generator from which election timeouts are drawn.
    pub seed: u64,
    /// A number that no earlier life of this node has used, drawn at random by
    /// the driver: it keeps the names of one life apart from another's.
    pub boot: u64,

    /// What one [`crate::Input::Tick`] adds to cluster time, in ms.
    pub tick_ms: u64,
    /// Ticks between a leader's heartbeats.
    pub heartbeat_ticks: u32,
    /// Ticks without a leader before an election; the actual number is drawn
    /// from above one to two times this. Also how long a leader's log write may take.
    pub election_ticks: u32,
    /// Ticks after which a request is answered come what may. etcd: 5 s plus two
    /// election timeouts.
    pub deadline_ticks: u32,
    /// Ticks without progress after which a snapshot transfer is given up.
    pub transfer_ticks: u32,

    /// Entries between the beginnings of two snapshots.
    pub snapshot_entries: u64,
    /// Entries kept behind a snapshot, so that a slow follower need not be sent
    /// one.
    pub catch_up_entries: u64,
    /// Bytes of log entries kept in memory. At half of it a snapshot is due; a
    /// quarter may stay behind it; beyond it a leader refuses writes.
    pub max_log_bytes: u64,
    /// Size at which a log segment is full, in bytes. A batch is never divided:
    /// a segment may end up one batch larger.
    pub segment_bytes: u64,
    /// Bytes of a snapshot written or sent at once.
    pub chunk_bytes: usize,
    /// Chunks of a snapshot sent and not yet acknowledged.
    pub chunk_window: u64,

    /// While a key has a time to live, a leader logs the time at least this often,
    /// in ms of its own ticks: so much may be lost of it with the leader.
    pub stamp_interval_ms: u64,
    /// Events of the tree remembered for watches; the same on every member, and
    /// for ever.
    pub history_events: usize,
    /// Watches that wait at once.
    pub max_watches: usize,

    /// Writes of this node's clients under way at once.
    pub max_pending_writes: usize,
    /// Bytes of values and keys in these writes.
    pub max_pending_bytes: usize,
    /// Linearizable reads under way at once.
    pub max_pending_reads: usize,
    /// Forwarded writes remembered per origin, to take each at most once. A
    /// duplicate that comes later than this many others is refused.
    pub forward_window: usize,
    /// Bytes of a key.
    pub max_key_bytes: usize,
    /// Components of a key.
    pub max_depth: usize,
    /// Bytes of a value. Log and wire carry somewhat more than this.
    pub max_value_bytes: usize,
    /// Bytes of what a member publishes of itself.
    pub max_attribute_bytes: usize,
    /// Bytes of entries in one append message; a larger single entry travels
    /// alone.
    pub max_append_bytes: u64,
    /// Append messages on their way to one follower.
    pub max_inflight_appends: usize,
    /// Bytes of entries not yet committed; beyond it proposals are refused.
    pub max_uncommitted_bytes: u64,
}

impl Config {
    /// The defaults of a server: etcd's, where etcd has them.
    pub fn new(id: NodeId, cluster: u64, members: Vec<Member>) -> Self {
        Self {
            id,
            cluster,
            members,
            seed: id,
            boot: 0,
            tick_ms: 100,
            heartbeat_ticks: 1,
            election_ticks: 10,
            deadline_ticks: 70,
            transfer_ticks: 50,
            snapshot_entries: 10_000,
            catch_up_entries: 5_000,
            max_log_bytes: 512 << 20,
            segment_bytes: 16 << 20,
            chunk_bytes: 256 << 10,
            chunk_window: 4,
            stamp_interval_ms: 500,
            history_events: 1_000,
            max_watches: 65_536,
            max_pending_writes: 16_384,
            max_pending_bytes: 64 << 20,
            max_pending_reads: 65_536,
            forward_window: 32_768,
            max_key_bytes: 8 << 10,
            max_depth: 256,
            max_value_bytes: 10 << 20,
            max_attribute_bytes: 64 << 10,
            max_append_bytes: 1 << 20,
            max_inflight_appends: 256,
            max_uncommitted_bytes: 256 << 20,
        }
    }

    /// How many members must agree.
    pub fn quorum(&self) -> usize {
        self.members.len() / 2 + 1
    }

    /// The store index of a cluster in which no client has written yet: etcd
    /// counts a record and its attributes per member, and the cluster version,
    /// so that the first write on a fresh single node gets 4.
    pub fn genesis_index(&self) -> u64 {
        2 * self.members.len() as u64 + 1
    }

    /// Refuses what could not work.
    pub(crate) fn check(&self) -> Result<(), RecoverError> {
        let wrong = |what: &str| Err(RecoverError::Config(what.to_owned()));
        let mut ids: Vec<NodeId> = self.members.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != self.members.len() {
            return wrong("two members have the same id");
        }
        if self.id == 0 || ids.first() == Some(&0) {
            return wrong("0 is not a member id");
        }
        if !ids.contains(&self.id) {
            return wrong("this member is not among the members");
        }
        if self.tick_ms == 0 || self.heartbeat_ticks == 0 {
            return wrong("ticks must take time");
        }
        if self.election_ticks <= self.heartbeat_ticks {
            return wrong("the election timeout must be longer than the heartbeat interval");
        }
        if self.snapshot_entries == 0 || self.chunk_bytes == 0 || self.chunk_window == 0 {
            return wrong("snapshots need entries and chunks");
        }
        if self.max_inflight_appends == 0 || self.forward_window == 0 || self.history_events == 0 {
            return wrong("a window of nothing lets nothing through");
        }
        if self.max_value_bytes > 1 << 30 || self.max_key_bytes > 1 << 20 {
            return wrong("keys or values larger than log and wire can carry");
        }
        Ok(())
    }
}
