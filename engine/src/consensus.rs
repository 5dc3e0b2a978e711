//! raft-rs, driven: its dice pinned, its messages checked and translated, its
//! `Ready` taken apart.
//!
//! Only this room and the log may name `raft::`.

use bytes::Bytes;
use raft::eraftpb::{self, MessageType};
use raft::{Config as RaftConfig, RawNode, ReadOnlyOption, SnapshotStatus, StateRole};

use crate::boundary::{Halt, NodeId};
use crate::config::Config;
use crate::log::{Compacted, Entry, Log, from_raft, snapshot, to_raft};
use crate::message::{RaftKind, RaftMessage};
use crate::rng::Rng;
use crate::view::Role;
use crate::wal::{Hard, MAX_COUNT};

/// Terms and indexes beyond this are nobody's honest count. Half of what a log may hold:
/// this node may yet stand for election in the next term, and must be able to read that
/// back.
const MAX_TOLD: u64 = MAX_COUNT / 2;

/// Entries in one append that was merged from several.
const MOST_MERGED: usize = 1_024;

/// raft's part of a node.
pub(crate) struct Consensus {
    node: RawNode<Log>,
    rng: Rng,
    election_ticks: u32,
    max_append_bytes: u64,
    /// (term, role, leader) for which the election timeout was drawn, and it.
    drawn: Option<((u64, StateRole, NodeId), u32)>,
}

/// What raft wants done, in the order in which it may be done.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// raft's own number for it.
    pub number: u64,
    /// May leave now.
    pub messages: Vec<(NodeId, RaftMessage)>,
    /// May leave once all that is to be written is durable.
    pub held: Vec<(NodeId, RaftMessage)>,
    /// Whether something is to be written.
    pub must_sync: bool,
    /// (index, term) of a snapshot that takes the log's place.
    pub installed: Option<(u64, u64)>,
    /// To be written.
    pub entries: Vec<Entry>,
    /// Committed and durable here: to be applied.
    pub committed: Vec<Entry>,
    /// Rounds of reads that are confirmed, with the index to wait for.
    pub reads: Vec<(Bytes, u64)>,
}

impl Consensus {
    /// raft as it was before the last death. `applied`: the snapshot's index.
    pub fn new(config: &Config, log: Log, applied: u64) -> Self {
        let raft = RaftConfig {
            id: config.id,
            election_tick: config.election_ticks as usize,
            heartbeat_tick: config.heartbeat_ticks as usize,
            applied,
            max_size_per_msg: config.max_append_bytes,
            max_inflight_msgs: config.max_inflight_appends,
            check_quorum: true,
            pre_vote: true,
            min_election_tick: config.election_ticks as usize,
            max_election_tick: 2 * config.election_ticks as usize,
            // Leases would trust clocks.
            read_only_option: ReadOnlyOption::Safe,
            // A follower answers its own clients when it applies: tell it soon.
            skip_bcast_commit: false,
            // raft-rs 0.7 batches entries into an empty append whatever its index:
            // `merge` below does it for those that follow each other.
            batch_append: false,
            priority: 0,
            max_uncommitted_size: config.max_uncommitted_bytes,
            max_committed_size_per_ready: 64 << 20,
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&raft, log, &logger).expect("Config::check and wal::recover");
        // Mixed, so that nodes given one seed and lives of one node differ.
        let seed = config.seed ^ config.id.rotate_left(32) ^ config.boot.rotate_left(17);
        let (election_ticks, max_append_bytes) = (config.election_ticks, config.max_append_bytes);
        Self { node, rng: Rng::new(seed), election_ticks, max_append_bytes, drawn: None }
    }

    /// One tick of raft's clock, with the election timeout drawn from our own
    /// dice: raft-rs draws its own from a thread's generator at every reset.
    pub fn tick(&mut self) {
        let raft = &mut self.node.raft;
        let situation = (raft.term, raft.state, raft.leader_id);
        let timeout = match self.drawn {
            Some((drawn_for, timeout)) if drawn_for == situation => timeout,
            // More than one timeout: after exactly one, others may still be bound to
            // the leader by check-quorum's lease, and the round would be lost.
            _ => self.rng.between(self.election_ticks + 1, 2 * self.election_ticks),
        };
        self.drawn = Some((situation, timeout));
        raft.set_randomized_election_timeout(timeout as usize);
        self.node.tick();
    }

    /// Stands for election at once.
    pub fn campaign(&mut self) {
        // raft-rs answers only "not now", which is no error of ours.
        let _ = self.node.campaign();
    }

    /// Gives up leadership without having been asked to.
    pub fn step_down(&mut self) {
        let term = self.term();
        self.node.raft.become_follower(term, raft::INVALID_ID);
    }

    /// Takes a peer's message. What makes no sense is dropped; what proves that
    /// this node or its leader is broken ends its life.
    pub fn step(&mut self, from: NodeId, message: RaftMessage) -> Result<(), Halt> {
        if !self.makes_sense(from, &message) {
            return Ok(());
        }
        self.contradiction(&message)?;
        let message = self.to_raft_message(from, message);
        // The errors left are "not a member" and "proposal dropped".
        let _ = self.node.step(message);
        Ok(())
    }

    fn makes_sense(&self, from: NodeId, message: &RaftMessage) -> bool {
        let known = self.node.raft.prs().get(from).is_some() && from != self.node.raft.id;
        let numbers = [message.term, message.log_term, message.index, message.commit];
        let plausible = numbers.iter().all(|number| *number < MAX_TOLD)
            && message.commit_term < MAX_TOLD
            && message.reject_hint < MAX_TOLD
            && message.request_snapshot == 0
            && message.priority == 0
            // What bears no term raft takes for its own word.
            && (message.term == 0) == (message.kind == RaftKind::ReadIndex);
        known
            && plausible
            && match message.kind {
                RaftKind::Append => in_order(message),
                RaftKind::AppendResponse => message.reject || message.index <= self.log().last(),
                // Only a leader may be asked: nothing is forwarded twice.
                RaftKind::ReadIndex => message.entries.len() == 1 && self.role() == Role::Leader,
                RaftKind::ReadIndexResponse => message.entries.len() == 1,
                RaftKind::Snapshot => false,
                _ => true,
            }
    }

    /// What a leader of this or a later term says must agree with what is
    /// committed here, and with what was acknowledged to it.
    fn contradiction(&self, message: &RaftMessage) -> Result<(), Halt> {
        let (last, committed) = (self.node.raft.raft_log.last_index(), self.committed());
        if message.term < self.term() {
            return Ok(());
        }
        match message.kind {
            RaftKind::Heartbeat if message.commit > last => {
                Err(Halt::Amnesia { committed: message.commit, last })
            }
            RaftKind::Append => {
                let before = (message.index, message.log_term);
                let entries = message.entries.iter().map(|entry| (entry.index, entry.term));
                let differs = std::iter::once(before).chain(entries).find(|(index, term)| {
                    *index <= committed && self.term_at(*index).is_some_and(|here| here != *term)
                });
                differs.map_or(Ok(()), |(index, _)| Err(Halt::Contradiction { index }))
            }
            _ => Ok(()),
        }
    }

    /// Tells raft that a snapshot from `from` is durable here.
    pub fn snapshot_received(&mut self, from: NodeId, term: u64, at: (u64, u64)) {
        let mut message = eraftpb::Message {
            msg_type: MessageType::MsgSnapshot,
            from,
            to: self.node.raft.id,
            term,
            ..Default::default()
        };
        message.set_snapshot(snapshot(at.0, at.1, self.log().conf_state()));
        let _ = self.node.step(message);
    }

    /// Tells raft that a follower could not be sent a snapshot.
    pub fn snapshot_failed(&mut self, to: NodeId) {
        self.node.report_snapshot(to, SnapshotStatus::Failure);
    }

    /// Whether raft still waits for a follower to install a snapshot.
    pub fn awaits_snapshot(&self, follower: NodeId) -> bool {
        let progress = self.node.raft.prs().get(follower);
        progress.is_some_and(|progress| progress.state == raft::ProgressState::Snapshot)
    }

    /// Appends to the log of a leader and says at which index; `None` if the
    /// uncommitted part is full.
    pub fn propose(&mut self, data: Vec<u8>) -> Option<u64> {
        assert!(
            self.role() == Role::Leader,
            "only a leader proposes: nothing is forwarded by raft"
        );
        self.node.propose(Vec::new(), data).ok()?;
        Some(self.node.raft.raft_log.last_index())
    }

    /// Asks for a round of reads; it may be dropped without a word.
    pub fn read_index(&mut self, context: Vec<u8>) {
        self.node.read_index(context);
    }

    /// Whether raft has work.
    pub fn has_work(&self) -> bool {
        self.node.has_ready()
    }

    /// The next piece of work, if raft has any.
    pub fn work(&mut self) -> Option<Work> {
        if !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        let mut work = Work {
            number: ready.number(),
            messages: merge(
                ready.take_messages().into_iter().filter_map(from_raft_message),
                self.max_append_bytes,
            ),
            held: ready
                .take_persisted_messages()
                .into_iter()
                .filter_map(from_raft_message)
                .collect(),
            must_sync: ready.must_sync(),
            reads: ready
                .take_read_states()
                .into_iter()
                .map(|read| (read.request_ctx.into(), read.index))
                .collect(),
            committed: ready.take_committed_entries().iter().map(from_raft).collect(),
            ..Work::default()
        };
        let log = self.node.raft.mut_store();
        if !ready.snapshot().is_empty() {
            let metadata = ready.snapshot().get_metadata();
            work.installed = Some((metadata.index, metadata.term));
            log.reset(metadata.index, metadata.term);
        }
        let entries = ready.take_entries();
        work.entries = entries.iter().map(from_raft).collect();
        log.append(entries);
        self.node.advance_append_async(ready);
        Some(work)
    }

    /// All work up to this number is durable.
    pub fn persisted(&mut self, number: u64) {
        self.node.on_persist_ready(number);
    }

    /// All entries up to this index are applied.
    pub fn applied(&mut self, index: u64) {
        self.node.advance_apply_to(index);
    }

    /// Forgets log entries that a durable snapshot covers.
    pub fn compact(&mut self, index: u64) -> Compacted {
        self.node.raft.mut_store().compact(index)
    }

    /// Names the snapshot that may be sent.
    pub fn offer_snapshot(&mut self, index: u64, term: u64) {
        self.node.raft.mut_store().offer(index, term);
    }

    /// The log.
    pub fn log(&self) -> &Log {
        self.node.raft.store()
    }

    /// The term of an entry held: by the log, or by raft on its way there, for
    /// several messages may have been taken since the log was last told.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        self.node.raft.raft_log.term(index).ok().filter(|term| *term > 0)
    }

    /// The current term.
    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// The leader of this term, if known.
    pub fn leader(&self) -> Option<NodeId> {
        Some(self.node.raft.leader_id).filter(|id| *id != raft::INVALID_ID)
    }

    /// The commit index.
    pub fn committed(&self) -> u64 {
        self.node.raft.raft_log.committed
    }

    /// The index up to which the log is durable here.
    pub fn persisted_index(&self) -> u64 {
        self.node.raft.raft_log.persisted
    }

    /// What must be durable before what depends on it leaves.
    pub fn hard(&self) -> Hard {
        let state = self.node.raft.hard_state();
        Hard { term: state.term, vote: state.vote, commit: state.commit }
    }

    /// This node's part.
    pub fn role(&self) -> Role {
        match self.node.raft.state {
            StateRole::Follower => Role::Follower,
            StateRole::PreCandidate => Role::PreCandidate,
            StateRole::Candidate => Role::Candidate,
            StateRole::Leader => Role::Leader,
        }
    }

    fn to_raft_message(&self, from: NodeId, message: RaftMessage) -> eraftpb::Message {
        let entries: Vec<_> = message.entries.into_iter().map(to_raft).collect();
        eraftpb::Message {
            msg_type: to_type(message.kind),
            from,
            to: self.node.raft.id,
            term: message.term,
            log_term: message.log_term,
            index: message.index,
            commit: message.commit,
            commit_term: message.commit_term,
            reject: message.reject,
            reject_hint: message.reject_hint,
            request_snapshot: message.request_snapshot,
            priority: message.priority,
            context: message.context,
            entries: entries.into(),
            ..Default::default()
        }
    }
}

/// Whether entries follow each other and the one that an append says is before
/// them, and no term falls. Only the beginning of the log has no term: raft-rs
/// would find that one also behind its end.
fn in_order(append: &RaftMessage) -> bool {
    let (mut index, mut term) = (append.index, append.log_term);
    if (index == 0) != (term == 0) {
        return false;
    }
    for entry in &append.entries {
        if entry.index != index + 1 || entry.term < term.max(1) {
            return false;
        }
        (index, term) = (entry.index, entry.term);
    }
    term <= append.term
}

/// Appends to one follower that follow each other, as one, of so many bytes of
/// entries at most unless a single append has more.
fn merge(
    messages: impl Iterator<Item = (NodeId, RaftMessage)>,
    max_bytes: u64,
) -> Vec<(NodeId, RaftMessage)> {
    let mut merged: Vec<(NodeId, RaftMessage)> = Vec::new();
    let mut sizes: Vec<u64> = Vec::new();
    for (to, message) in messages {
        let bytes = message.entries.iter().map(|entry| entry.data.len() as u64).sum();
        let last = merged.iter_mut().zip(&mut sizes).rev().find(|((other, _), _)| *other == to);
        match last {
            Some(((_, before), size))
                if continues(before, &message) && *size + bytes <= max_bytes =>
            {
                before.commit = before.commit.max(message.commit);
                before.entries.extend(message.entries);
                *size += bytes;
            }
            _ => {
                merged.push((to, message));
                sizes.push(bytes);
            }
        }
    }
    merged
}

/// Whether an append begins where the one before ends, and there is room.
fn continues(before: &RaftMessage, append: &RaftMessage) -> bool {
    let appends = before.kind == RaftKind::Append && append.kind == RaftKind::Append;
    let end = before
        .entries
        .last()
        .map_or((before.index, before.log_term), |last| (last.index, last.term));
    appends
        && before.term == append.term
        && (append.index, append.log_term) == end
        && before.entries.len() + append.entries.len() <= MOST_MERGED
}

fn from_raft_message(message: eraftpb::Message) -> Option<(NodeId, RaftMessage)> {
    let kind = from_type(message.get_msg_type())?;
    let snapshot = message.snapshot.as_ref().map(|snapshot| {
        let metadata = snapshot.get_metadata();
        (metadata.index, metadata.term)
    });
    let out = RaftMessage {
        kind,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        request_snapshot: message.request_snapshot,
        priority: message.priority,
        entries: message.entries.iter().map(from_raft).collect(),
        snapshot: snapshot.filter(|_| kind == RaftKind::Snapshot),
        context: message.context,
    };
    Some((message.to, out))
}

fn to_type(kind: RaftKind) -> MessageType {
    match kind {
        RaftKind::Append => MessageType::MsgAppend,
        RaftKind::AppendResponse => MessageType::MsgAppendResponse,
        RaftKind::RequestVote => MessageType::MsgRequestVote,
        RaftKind::RequestVoteResponse => MessageType::MsgRequestVoteResponse,
        RaftKind::Snapshot => MessageType::MsgSnapshot,
        RaftKind::Heartbeat => MessageType::MsgHeartbeat,
        RaftKind::HeartbeatResponse => MessageType::MsgHeartbeatResponse,
        RaftKind::ReadIndex => MessageType::MsgReadIndex,
        RaftKind::ReadIndexResponse => MessageType::MsgReadIndexResp,
        RaftKind::RequestPreVote => MessageType::MsgRequestPreVote,
        RaftKind::RequestPreVoteResponse => MessageType::MsgRequestPreVoteResponse,
    }
}

fn from_type(kind: MessageType) -> Option<RaftKind> {
    Some(match kind {
        MessageType::MsgAppend => RaftKind::Append,
        MessageType::MsgAppendResponse => RaftKind::AppendResponse,
        MessageType::MsgRequestVote => RaftKind::RequestVote,
        MessageType::MsgRequestVoteResponse => RaftKind::RequestVoteResponse,
        MessageType::MsgSnapshot => RaftKind::Snapshot,
        MessageType::MsgHeartbeat => RaftKind::Heartbeat,
        MessageType::MsgHeartbeatResponse => RaftKind::HeartbeatResponse,
        MessageType::MsgReadIndex => RaftKind::ReadIndex,
        MessageType::MsgReadIndexResp => RaftKind::ReadIndexResponse,
        MessageType::MsgRequestPreVote => RaftKind::RequestPreVote,
        MessageType::MsgRequestPreVoteResponse => RaftKind::RequestPreVoteResponse,
        _ => return None,
    })
}
