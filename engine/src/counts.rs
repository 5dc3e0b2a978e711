//! What has been done to the tree in this life of the node: v2's store statistics.

use crate::tree::Action;

/// Changes applied, by kind, whoever asked for them. Entries that are applied
/// again after a restart are counted again; nothing of it is replicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sets.
    pub set: Tally,
    /// Creates, in order or not.
    pub create: Tally,
    /// Updates.
    pub update: Tally,
    /// Compare-and-swaps.
    pub compare_and_swap: Tally,
    /// Deletes.
    pub delete: Tally,
    /// Compare-and-deletes.
    pub compare_and_delete: Tally,
    /// Keys that went by themselves.
    pub expire: u64,
}

/// How often one kind of change was done, and refused by the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Done.
    pub success: u64,
    /// Refused.
    pub fail: u64,
}

impl Counts {
    /// A change has been applied or refused.
    pub(crate) fn applied(&mut self, action: Option<Action>, done: bool) {
        let tally = match action {
            Some(Action::Set) => &mut self.set,
            Some(Action::Create) => &mut self.create,
            Some(Action::Update) => &mut self.update,
            Some(Action::CompareAndSwap) => &mut self.compare_and_swap,
            Some(Action::Delete) => &mut self.delete,
            Some(Action::CompareAndDelete) => &mut self.compare_and_delete,
            Some(Action::Expire) | None => return,
        };
        *(if done { &mut tally.success } else { &mut tally.fail }) += 1;
    }

    /// So many keys have expired.
    pub(crate) fn expired(&mut self, keys: usize) {
        self.expire += keys as u64;
    }
}
