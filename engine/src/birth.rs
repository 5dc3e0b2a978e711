//! What a data directory says, and what has to be put right in it.

use bytes::Bytes;

use crate::boundary::{DiskOp, FileName, Image, RecoverError};
use crate::codec::DecodeError;
use crate::config::Config;
use crate::snapshot::{Collector, own_draft, received_draft, snapshot_index};
use crate::state::State;
use crate::tree::{OTHER_WINDOW, Tree};
use crate::wal::{self, Identity, Recovered};

/// A node as its disk remembers it.
#[derive(Debug)]
pub(crate) struct Born {
    /// Whose directory it is.
    pub identity: Identity,
    /// The log.
    pub log: Recovered,
    /// The state in the newest snapshot, or the empty one.
    pub state: State,
    /// To be done before anything else is written.
    pub put_right: Vec<DiskOp>,
}

/// Reads the image without trust.
pub(crate) fn read(config: &Config, image: &Image) -> Result<Born, RecoverError> {
    let mut put_right = Vec::new();
    let identity = identity(config, image, &mut put_right)?;
    let mut log = wal::recover(image, identity)?;
    if log.segments.is_empty() && image.keys().any(|file| snapshot_index(file).is_some()) {
        return Err(RecoverError::Missing { what: "the log, of which a snapshot is left".into() });
    }
    let state = state(config, image, &mut log, &mut put_right)?;
    cut(&log, &mut put_right);
    for draft in [own_draft(), received_draft()] {
        if image.contains_key(&draft) {
            put_right.push(DiskOp::Remove { file: draft });
        }
    }
    Ok(Born { identity, log, state, put_right })
}

fn identity(
    config: &Config,
    image: &Image,
    put_right: &mut Vec<DiskOp>,
) -> Result<Identity, RecoverError> {
    let expected = Identity { cluster: config.cluster, node: config.id, nonce: config.boot };
    let Some(bytes) = image.get(&Identity::file()) else {
        let ours =
            |file: &FileName| wal::segment_number(file).is_some() || snapshot_index(file).is_some();
        if image.keys().any(ours) {
            return Err(RecoverError::Missing { what: Identity::file().to_string() });
        }
        let (draft, file) = (Identity::draft(), Identity::file());
        put_right.extend([
            DiskOp::Create { file: draft.clone(), size: 0 },
            DiskOp::Write { file: draft.clone(), offset: 0, bytes: expected.encode(), sync: true },
            DiskOp::Rename { from: draft, to: file },
        ]);
        return Ok(expected);
    };
    let file = Identity::file();
    let (version, found) = Identity::decode(bytes).map_err(|error| RecoverError::Corrupt {
        file: file.clone(),
        offset: 0,
        what: error.0.to_owned(),
    })?;
    if version != wal::VERSION {
        return Err(RecoverError::Version { file, found: version });
    }
    if (found.cluster, found.node) != (config.cluster, config.id) {
        let (found, expected) = ((found.cluster, found.node), (config.cluster, config.id));
        return Err(RecoverError::Foreign { found, expected });
    }
    Ok(found)
}

/// The newest snapshot that the log agrees with: one whose (index, term) the log
/// holds, or with which a batch says that it begins. A received snapshot that
/// the log does not know yet was never shown to raft: it is removed.
fn state(
    config: &Config,
    image: &Image,
    log: &mut Recovered,
    put_right: &mut Vec<DiskOp>,
) -> Result<State, RecoverError> {
    let mut state = None;
    let mut snapshots: Vec<_> = image
        .iter()
        .filter_map(|(file, bytes)| Some((snapshot_index(file)?, file, bytes)))
        .collect();
    snapshots.sort_unstable_by_key(|(index, ..)| *index);
    for (index, file, bytes) in snapshots.into_iter().rev() {
        if state.is_none() && log.term_at(index).is_some() {
            state = thaw(config, index, file, bytes, log)?;
        }
    }
    let keep = state.as_ref().map_or(0, |state| state.applied.0);
    let stale = image.keys().filter(|file| snapshot_index(file).is_some_and(|index| index != keep));
    put_right.extend(stale.map(|file| DiskOp::Remove { file: file.clone() }));
    let needed = log.installed.map_or(log.base.0, |(index, _)| index.max(log.base.0));
    if keep < needed {
        return Err(RecoverError::Missing {
            what: format!("a snapshot of index {needed} or later"),
        });
    }
    log.hard.commit = log.hard.commit.max(keep);
    Ok(state.unwrap_or_else(|| {
        State::new(Tree::new(config.genesis_index(), config.history_events), config.members.clone())
    }))
}

/// The state in a snapshot file; `None` if the log contradicts its term, which
/// means that it was received and never installed.
fn thaw(
    config: &Config,
    index: u64,
    file: &FileName,
    bytes: &Bytes,
    log: &Recovered,
) -> Result<Option<State>, RecoverError> {
    let corrupt = |offset: usize, what: &str| RecoverError::Corrupt {
        file: file.clone(),
        offset: offset as u64,
        what: what.to_owned(),
    };
    let refuse = |(at, error)| match error {
        OTHER_WINDOW => RecoverError::Config(format!("{file}: {}", OTHER_WINDOW.0)),
        DecodeError(what) => corrupt(at, what),
    };
    let mut collector = Collector::new(config.cluster, config.history_events);
    collector.push(bytes.clone()).map_err(refuse)?;
    let state = collector.finish().map_err(|error| refuse((bytes.len(), error)))?;
    if state.applied.0 != index {
        return Err(corrupt(0, "the snapshot bears another one's name"));
    }
    Ok(log.term_at(index).is_some_and(|term| term == state.applied.1).then_some(state))
}

/// Cuts a torn tail. A sound one is synced: a process that was killed may have
/// left its last batch in the page cache, from where this life has read it.
fn cut(log: &Recovered, put_right: &mut Vec<DiskOp>) {
    if let Some(file) = &log.unborn {
        put_right.push(DiskOp::Remove { file: file.clone() });
    }
    let Some((number, _)) = log.segments.last() else { return };
    let file = wal::segment_file(*number);
    put_right.push(if log.torn {
        DiskOp::Truncate { file, len: log.end }
    } else {
        DiskOp::Write { file, offset: log.end, bytes: Bytes::new(), sync: true }
    });
}
