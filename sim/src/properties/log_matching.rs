//! Log matching (raft paper, figure 3 and §5.3): if two logs contain an entry
//! with the same index and term, they are identical up to it.
//!
//! Looked at one entry at a time, as leaders send them, without a gap: index and term
//! decide the data and the term of the entry before; the rest follows by induction.

use std::collections::BTreeMap;

use quorate_engine::NodeId;
use quorate_engine::message::RaftKind;
use xxhash_rust::xxh3::xxh3_64;

use super::{Observation, Property, sent, trim};

#[derive(Debug, Default)]
pub(super) struct LogMatching {
    /// By (index, term).
    entries: BTreeMap<(u64, u64), Known>,
}

#[derive(Debug, PartialEq)]
struct Known {
    data: u64,
    term_before: u64,
}

impl Property for LogMatching {
    fn name(&self) -> &'static str {
        "log matching"
    }

    fn observe(&mut self, _: NodeId, what: &Observation<'_>) -> Result<(), String> {
        let Some((_, raft)) = sent(what) else { return Ok(()) };
        if raft.kind != RaftKind::Append {
            return Ok(());
        }
        let (mut before, mut term_before) = (raft.index, raft.log_term);
        for entry in &raft.entries {
            if entry.index != before + 1 {
                return Err(format!("entry {} is sent behind entry {before}", entry.index));
            }
            before = entry.index;
            self.compare(
                (entry.index, entry.term),
                Known { data: xxh3_64(&entry.data), term_before },
            )?;
            term_before = entry.term;
        }
        trim(&mut self.entries);
        Ok(())
    }
}

impl LogMatching {
    fn compare(&mut self, at @ (index, term): (u64, u64), now: Known) -> Result<(), String> {
        let Some(known) = self.entries.get(&at) else {
            self.entries.insert(at, now);
            return Ok(());
        };
        if known.data != now.data {
            return Err(format!("two entries {index}@{term} hold different data"));
        }
        if known.term_before != now.term_before {
            let (a, b) = (known.term_before, now.term_before);
            return Err(format!("two entries {index}@{term} follow entries of terms {a} and {b}"));
        }
        Ok(())
    }
}
