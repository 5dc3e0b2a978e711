//! A snapshot is a function of the state: all members' snapshots of one index are the
//! same file, byte for byte, whether they wrote it themselves or were sent it
//! (ARCHITECTURE.md, decision 12).

use std::collections::BTreeMap;

use quorate_engine::{DiskId, DiskOp, FileName, Input, NodeId, Output};
use xxhash_rust::xxh3::xxh3_64;

use super::{Observation, Property, trim};

#[derive(Debug, Default)]
pub(super) struct SnapshotsEqual {
    /// What is being written, by node and draft.
    drafts: BTreeMap<(NodeId, FileName), Vec<u8>>,
    /// Renames under way: what is to be which snapshot.
    renamed: BTreeMap<(NodeId, DiskId), (FileName, Vec<u8>)>,
    /// Digests of snapshots, by index (16 hexadecimal digits).
    known: BTreeMap<FileName, u64>,
}

impl Property for SnapshotsEqual {
    fn name(&self) -> &'static str {
        "snapshots are equal"
    }

    fn observe(&mut self, node: NodeId, what: &Observation<'_>) -> Result<(), String> {
        match what {
            Observation::Born(_) | Observation::Died => {
                self.drafts.retain(|(of, _), _| *of != node);
                self.renamed.retain(|(of, _), _| *of != node);
                Ok(())
            }
            Observation::Out(Output::Disk { id, op }) => {
                self.begun(node, *id, op);
                Ok(())
            }
            Observation::In(Input::Disk { id, result: Ok(()) }) => self.ended(node, *id),
            _ => Ok(()),
        }
    }
}

impl SnapshotsEqual {
    fn begun(&mut self, node: NodeId, id: DiskId, op: &DiskOp) {
        match op {
            DiskOp::Create { file, .. } if is_draft(file) => {
                self.drafts.insert((node, file.clone()), Vec::new());
            }
            DiskOp::Write { file, offset, bytes, .. } => {
                let Some(draft) = self.drafts.get_mut(&(node, file.clone())) else { return };
                let from = usize::try_from(*offset).expect("snapshots fit in memory");
                draft.resize(draft.len().max(from + bytes.len()), 0);
                draft[from..from + bytes.len()].copy_from_slice(bytes);
            }
            DiskOp::Rename { from, to } if is_draft(from) => {
                // The next draft may be begun before this one has its name.
                let bytes = self.drafts.remove(&(node, from.clone())).unwrap_or_default();
                self.renamed.insert((node, id), (to.clone(), bytes));
            }
            _ => {}
        }
    }

    fn ended(&mut self, node: NodeId, id: DiskId) -> Result<(), String> {
        let Some((name, bytes)) = self.renamed.remove(&(node, id)) else { return Ok(()) };
        let digest = xxh3_64(&bytes);
        let known = *self.known.entry(name.clone()).or_insert(digest);
        trim(&mut self.known);
        match known == digest {
            true => Ok(()),
            false => Err(format!("its {name} differs from another's, in {} bytes", bytes.len())),
        }
    }
}

fn is_draft(file: &FileName) -> bool {
    file.as_str().starts_with("snapshot.")
}
