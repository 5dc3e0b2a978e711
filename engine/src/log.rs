//! The tail of the raft log, in memory, as raft-rs wants to read it.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use raft::eraftpb::{self, ConfState, HardState};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use crate::boundary::NodeId;
use crate::codec::{DecodeError, Encode, Reader};
use crate::command::Command;
use crate::wal::{Hard, Recovered};

/// One entry of the raft log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub index: u64,
    /// The term of the leader that proposed it.
    pub term: u64,
    /// A [`Command`] in bytes; empty in the entry with which a leader begins.
    pub data: Bytes,
}

impl Entry {
    /// The least that one takes in bytes.
    pub const LEAST_BYTES: usize = 20;

    /// Appends the entry.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.u64(self.index);
        out.u64(self.term);
        out.bytes(&self.data);
    }

    /// Reads what [`Entry::encode`] wrote.
    pub fn decode(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { index: from.u64()?, term: from.u64()?, data: from.bytes()? })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)?;
        if self.data.is_empty() {
            return Ok(());
        }
        match Command::decode(self.data.clone()) {
            Ok(command) => write!(f, " {command}"),
            Err(error) => write!(f, " ({error})"),
        }
    }
}

/// Entries that the log has forgotten.
#[derive(Debug, Default)]
pub(crate) struct Compacted(Vec<eraftpb::Entry>);

impl Compacted {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The tail of the log, all of it in memory, and where it begins.
#[derive(Debug)]
pub(crate) struct Log {
    /// (index, term) of the entry before the first one held.
    base: (u64, u64),
    entries: VecDeque<eraftpb::Entry>,
    bytes: u64,
    /// (index, term) of the snapshot that may be sent.
    snapshot: Option<(u64, u64)>,
    hard_state: HardState,
    voters: Vec<NodeId>,
}

impl Log {
    /// The log as it was found at birth.
    pub fn new(recovered: Recovered, snapshot: Option<(u64, u64)>, voters: Vec<NodeId>) -> Self {
        let Recovered { hard: Hard { term, vote, commit }, base, entries, .. } = recovered;
        let mut hard_state = HardState::default();
        hard_state.set_term(term);
        hard_state.set_vote(vote);
        hard_state.set_commit(commit);
        let entries: VecDeque<_> = entries.into_iter().map(to_raft).collect();
        let bytes = entries.iter().map(weight).sum();
        Self { base, entries, bytes, snapshot, hard_state, voters }
    }

    /// Index of the first entry held, or of the one that will be.
    pub fn first(&self) -> u64 {
        self.base.0 + 1
    }

    /// Index of the last entry, held or not.
    pub fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    /// Bytes of the entries held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The term of an entry held, or of the one before the first.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.0 {
            return Some(self.base.1);
        }
        let at = index.checked_sub(self.first())?;
        self.entries.get(usize::try_from(at).ok()?).map(|entry| entry.term)
    }

    /// Appends entries, cutting off first what they contradict.
    pub fn append(&mut self, new: Vec<eraftpb::Entry>) {
        let Some(first) = new.first() else { return };
        assert!(
            self.base.0 < first.index && first.index <= self.last() + 1,
            "entry {} does not follow a log of {}..={}",
            first.index,
            self.first(),
            self.last()
        );
        let keep = usize::try_from(first.index - self.first()).expect("a log in memory fits usize");
        for cut in self.entries.drain(keep..) {
            self.bytes -= weight(&cut);
        }
        self.bytes += new.iter().map(weight).sum::<u64>();
        self.entries.extend(new);
    }

    /// Forgets the entries up to `index`, which a durable snapshot covers.
    pub fn compact(&mut self, index: u64) -> Compacted {
        let mut compacted = Vec::new();
        while self.base.0 < index {
            let Some(entry) = self.entries.pop_front() else { break };
            self.bytes -= weight(&entry);
            self.base = (entry.index, entry.term);
            compacted.push(entry);
        }
        Compacted(compacted)
    }

    /// How far the log may be compacted so that at most so many entries and bytes
    /// stay, but nothing beyond `limit` goes.
    pub fn compactable(&self, limit: u64, entries: u64, bytes: u64) -> u64 {
        let mut kept = self.bytes;
        let mut index = self.base.0;
        for entry in &self.entries {
            if entry.index > limit || (limit - entry.index < entries && kept <= bytes) {
                break;
            }
            kept -= weight(entry);
            index = entry.index;
        }
        index
    }

    /// Begins anew behind an installed snapshot.
    pub fn reset(&mut self, index: u64, term: u64) {
        self.base = (index, term);
        self.entries.clear();
        self.bytes = 0;
    }

    /// Names the snapshot that may be sent to those who need it.
    pub fn offer(&mut self, index: u64, term: u64) {
        self.snapshot = Some((index, term));
    }

    /// The membership as raft-rs wants it.
    pub fn conf_state(&self) -> ConfState {
        let mut conf = ConfState::default();
        conf.set_voters(self.voters.clone());
        conf
    }
}

fn weight(entry: &eraftpb::Entry) -> u64 {
    (entry.data.len() + Entry::LEAST_BYTES) as u64
}

/// An entry as raft-rs has it.
pub(crate) fn to_raft(entry: Entry) -> eraftpb::Entry {
    let Entry { index, term, data } = entry;
    eraftpb::Entry { index, term, data, ..Default::default() }
}

/// An entry as we have it.
pub(crate) fn from_raft(entry: &eraftpb::Entry) -> Entry {
    Entry { index: entry.index, term: entry.term, data: entry.data.clone() }
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<eraftpb::Entry>> {
        if low < self.first() {
            return Err(StorageError::Compacted.into());
        }
        assert!(high <= self.last() + 1, "raft reads {high} beyond the end {}", self.last());
        let limit = max_size.into().unwrap_or(u64::MAX);
        let from = usize::try_from(low - self.first()).expect("a log in memory fits usize");
        let count = usize::try_from(high - low).expect("a log in memory fits usize");
        let mut size = 0;
        let fits = |entry: &&eraftpb::Entry| {
            let first = size == 0;
            size += weight(entry);
            first || size <= limit
        };
        Ok(self.entries.range(from..from + count).take_while(fits).cloned().collect())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        self.term_at(index).ok_or_else(|| {
            if index < self.base.0 { StorageError::Compacted } else { StorageError::Unavailable }
                .into()
        })
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<eraftpb::Snapshot> {
        match self.snapshot {
            Some((index, term)) if index >= request_index => {
                Ok(snapshot(index, term, self.conf_state()))
            }
            _ => Err(StorageError::SnapshotTemporarilyUnavailable.into()),
        }
    }
}

/// A snapshot as raft-rs has it: metadata only, the bytes travel beside it.
pub(crate) fn snapshot(index: u64, term: u64, conf: ConfState) -> eraftpb::Snapshot {
    let mut out = eraftpb::Snapshot::default();
    let metadata = out.mut_metadata();
    metadata.index = index;
    metadata.term = term;
    metadata.set_conf_state(conf);
    out
}
