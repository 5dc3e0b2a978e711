//! What peers say to each other, and how it looks in bytes.
//!
//! The bytes are ours, not protobuf's: nothing that came over a wire is ever
//! parsed by protobuf 2 (RUSTSEC-2024-0437). Decoding checks form; whether a
//! message makes sense to this node is judged where it is used.

use std::fmt;

use bytes::Bytes;

use crate::boundary::Bound;
use crate::codec::{DecodeError, Encode, Reader};
use crate::command::Command;
use crate::log::Entry;

/// The version of this format, exchanged by drivers before the first message.
pub const PROTOCOL_VERSION: u32 = 2;

/// What one member says to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// raft's own.
    Raft(RaftMessage),
    /// A write accepted by a member that does not lead.
    Forward {
        /// Only the leader of exactly this term may take it.
        term: u64,
        /// What to put in the log, stamped by the leader; names its origin.
        command: Command,
    },
    /// A forwarded write was not taken.
    NotTaken {
        /// The life of the origin that forwarded it.
        boot: u64,
        /// The origin's name for it.
        seq: u64,
        /// The leader's bound that it would exceed, if that is why.
        bound: Option<Bound>,
    },
    /// A part of a snapshot.
    Chunk(Chunk),
    /// How much of a snapshot has arrived.
    ChunkAck {
        /// The snapshot's raft index.
        index: u64,
        /// Bytes received in order.
        received: u64,
    },
}

/// A part of a snapshot on its way to a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The sending leader's term.
    pub term: u64,
    /// The last entry that the snapshot replaces.
    pub index: u64,
    /// That entry's term.
    pub index_term: u64,
    /// Where this part begins, in bytes.
    pub offset: u64,
    /// The part: whole records of a snapshot file.
    pub bytes: Bytes,
    /// Whether this is the last part.
    pub last: bool,
}

/// The kinds of raft message that travel. raft-rs's local kinds, proposals and
/// leadership transfers never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaftKind {
    /// Entries to append.
    Append,
    /// What became of them.
    AppendResponse,
    /// A candidate asks for a vote.
    RequestVote,
    /// The vote.
    RequestVoteResponse,
    /// A snapshot is to be installed: never sent as such, made at the receiver
    /// when all chunks are durable there.
    Snapshot,
    /// The leader lives.
    Heartbeat,
    /// So does the follower.
    HeartbeatResponse,
    /// A follower asks up to where it must have applied before it may read.
    ReadIndex,
    /// The answer.
    ReadIndexResponse,
    /// Would you vote for me?
    RequestPreVote,
    /// Whether it would.
    RequestPreVoteResponse,
}

const KINDS: [RaftKind; 11] = [
    RaftKind::Append,
    RaftKind::AppendResponse,
    RaftKind::RequestVote,
    RaftKind::RequestVoteResponse,
    RaftKind::Snapshot,
    RaftKind::Heartbeat,
    RaftKind::HeartbeatResponse,
    RaftKind::ReadIndex,
    RaftKind::ReadIndexResponse,
    RaftKind::RequestPreVote,
    RaftKind::RequestPreVoteResponse,
];

/// A raft message, field by field as raft-rs has it.
#[derive(Clone, Debug, PartialEq)]
pub struct RaftMessage {
    /// What it is.
    pub kind: RaftKind,
    /// The sender's term; 0 for the reads that carry none.
    pub term: u64,
    /// Term of the entry before `entries`, or of a candidate's last entry.
    pub log_term: u64,
    /// Index of the entry before `entries`, of a candidate's last entry, of what
    /// is acknowledged, or of a read.
    pub index: u64,
    /// The sender's commit index.
    pub commit: u64,
    /// That entry's term (votes only).
    pub commit_term: u64,
    /// The last index of a follower that refused an append.
    pub reject_hint: u64,
    /// Index from which on a follower wants a snapshot; 0 for none.
    pub request_snapshot: u64,
    /// Whether it refuses.
    pub reject: bool,
    /// A candidate's priority.
    pub priority: i64,
    /// Names a round of reads.
    pub context: Bytes,
    /// The entries of an append; of a read, one whose data is the context.
    pub entries: Vec<Entry>,
    /// (index, term) of a snapshot.
    pub snapshot: Option<(u64, u64)>,
}

impl RaftMessage {
    /// A message that says nothing but this.
    pub fn new(kind: RaftKind, term: u64) -> Self {
        Self {
            kind,
            term,
            log_term: 0,
            index: 0,
            commit: 0,
            commit_term: 0,
            reject_hint: 0,
            request_snapshot: 0,
            reject: false,
            priority: 0,
            context: Bytes::new(),
            entries: Vec::new(),
            snapshot: None,
        }
    }
}

impl Message {
    /// The message in bytes, at most a little more than the largest entry or
    /// chunk it carries.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(128);
        match self {
            Self::Raft(raft) => {
                out.u8(1);
                raft.encode(&mut out);
            }
            Self::Forward { term, command } => {
                out.u8(2);
                out.u64(*term);
                out.bytes(&command.encode());
            }
            Self::NotTaken { boot, seq, bound } => {
                out.u8(3);
                out.u64(*boot);
                out.u64(*seq);
                out.u8(bound.map_or(0, Bound::number));
            }
            Self::Chunk(chunk) => {
                out.u8(4);
                out.u64(chunk.term);
                out.u64(chunk.index);
                out.u64(chunk.index_term);
                out.u64(chunk.offset);
                out.bool(chunk.last);
                out.bytes(&chunk.bytes);
            }
            Self::ChunkAck { index, received } => {
                out.u8(5);
                out.u64(*index);
                out.u64(*received);
            }
        }
        out.into()
    }

    /// Reads what [`Message::encode`] wrote; any other bytes are an error, never
    /// a panic.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        let message = match from.u8()? {
            1 => Self::Raft(RaftMessage::decode(&mut from)?),
            2 => Self::Forward { term: from.u64()?, command: Command::decode(from.bytes()?)? },
            3 => {
                let (boot, seq) = (from.u64()?, from.u64()?);
                let bound = match from.u8()? {
                    0 => None,
                    number => Some(Bound::numbered(number).ok_or(DecodeError("unknown bound"))?),
                };
                Self::NotTaken { boot, seq, bound }
            }
            4 => {
                let (term, index, index_term) = (from.u64()?, from.u64()?, from.u64()?);
                let (offset, last) = (from.u64()?, from.bool()?);
                let bytes = from.bytes()?;
                Self::Chunk(Chunk { term, index, index_term, offset, bytes, last })
            }
            5 => Self::ChunkAck { index: from.u64()?, received: from.u64()? },
            _ => return Err(DecodeError("unknown kind of message")),
        };
        from.end()?;
        Ok(message)
    }

    /// Of an append, which carries entries of the log: the bytes that
    /// [`Message::encode`] writes (for statistics).
    pub fn append_bytes(&self) -> Option<usize> {
        match self {
            Self::Raft(raft) if raft.kind == RaftKind::Append => Some(1 + raft.encoded_bytes()),
            _ => None,
        }
    }
}

impl RaftMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        let kind = KINDS.iter().position(|kind| *kind == self.kind).expect("every kind is listed");
        out.u8(u8::try_from(kind).expect("few kinds"));
        for number in [
            self.term,
            self.log_term,
            self.index,
            self.commit,
            self.commit_term,
            self.reject_hint,
            self.request_snapshot,
            self.priority.cast_unsigned(),
        ] {
            out.u64(number);
        }
        out.bool(self.reject);
        out.bytes(&self.context);
        out.u32(u32::try_from(self.entries.len()).expect("appends are bounded"));
        for entry in &self.entries {
            entry.encode(out);
        }
        out.bool(self.snapshot.is_some());
        if let Some((index, term)) = self.snapshot {
            out.u64(index);
            out.u64(term);
        }
    }

    /// How many bytes that is.
    fn encoded_bytes(&self) -> usize {
        let entries = self.entries.iter().map(|entry| Entry::LEAST_BYTES + entry.data.len());
        let snapshot = if self.snapshot.is_some() { 16 } else { 0 };
        let (numbers, lengths, flags) = (8 * 8, 2 * 4, 3);
        numbers + lengths + flags + self.context.len() + entries.sum::<usize>() + snapshot
    }

    fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        let kind = *KINDS.get(from.u8()? as usize).ok_or(DecodeError("unknown raft message"))?;
        let mut number = || from.u64();
        let (term, log_term, index, commit) = (number()?, number()?, number()?, number()?);
        let (commit_term, reject_hint) = (number()?, number()?);
        let (request_snapshot, priority) = (number()?, number()?.cast_signed());
        let reject = from.bool()?;
        let context = from.bytes()?;
        let mut entries = Vec::with_capacity(from.count(Entry::LEAST_BYTES)?);
        for _ in 0..entries.capacity() {
            entries.push(Entry::decode(from)?);
        }
        let snapshot = if from.bool()? { Some((from.u64()?, from.u64()?)) } else { None };
        Ok(Self {
            kind,
            term,
            log_term,
            index,
            commit,
            commit_term,
            reject_hint,
            request_snapshot,
            reject,
            priority,
            context,
            entries,
            snapshot,
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raft(raft) => raft.fmt(f),
            Self::Forward { term, command } => write!(f, "forward@{term} {command}"),
            Self::NotTaken { seq, bound: None, .. } => write!(f, "not-taken {seq}"),
            Self::NotTaken { seq, bound: Some(bound), .. } => write!(f, "not-taken {seq}: {bound}"),
            Self::Chunk(chunk) => {
                let end = if chunk.last { " last" } else { "" };
                let (index, term, offset) = (chunk.index, chunk.index_term, chunk.offset);
                write!(f, "chunk@{} snapshot {index}@{term} +{offset}{end}", chunk.term)
            }
            Self::ChunkAck { index, received } => {
                write!(f, "chunk-ok snapshot {index} +{received}")
            }
        }
    }
}

impl fmt::Display for RaftMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { term, index, log_term, commit, .. } = self;
        let verdict = if self.reject { "no" } else { "yes" };
        match self.kind {
            RaftKind::Append => {
                write!(f, "append@{term} after {index}@{log_term} commit {commit}")?;
                self.entries.iter().try_for_each(|entry| write!(f, " [{entry}]"))
            }
            RaftKind::AppendResponse if self.reject => {
                write!(f, "append-no@{term} {index} hint {}", self.reject_hint)
            }
            RaftKind::AppendResponse => write!(f, "append-ok@{term} {index}"),
            RaftKind::RequestVote => write!(f, "vote?@{term} last {index}@{log_term}"),
            RaftKind::RequestVoteResponse => write!(f, "vote-{verdict}@{term}"),
            RaftKind::RequestPreVote => write!(f, "pre-vote?@{term} last {index}@{log_term}"),
            RaftKind::RequestPreVoteResponse => write!(f, "pre-vote-{verdict}@{term}"),
            RaftKind::Snapshot => match self.snapshot {
                Some((index, of)) => write!(f, "snapshot@{term} {index}@{of}"),
                None => write!(f, "snapshot@{term} of nothing"),
            },
            RaftKind::Heartbeat => write!(f, "heartbeat@{term} commit {commit}"),
            RaftKind::HeartbeatResponse => write!(f, "heartbeat-ok@{term}"),
            RaftKind::ReadIndex => write!(f, "read-index@{term}"),
            RaftKind::ReadIndexResponse => write!(f, "read-index-ok@{term} {index}"),
        }
    }
}
