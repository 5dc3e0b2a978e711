//! What may be asked of the tree.

use std::sync::Arc;

use crate::tree::{Action, Path};

/// A change asked of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key concerned; for [`Change::CreateInOrder`] the directory.
    pub path: Path,
    /// What is to become of it.
    pub change: Change,
}

/// The changes etcd's v2 API knows. A `ttl` is in seconds; without one the key
/// stays until it is removed, and loses the one it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write whether or not the key exists; `createdIndex` starts afresh.
    Set {
        /// What it holds from now on.
        content: Content,
        /// Seconds to live.
        ttl: Option<u64>,
    },
    /// Write only if the key does not exist.
    Create {
        /// What it holds.
        content: Content,
        /// Seconds to live.
        ttl: Option<u64>,
    },
    /// Create a key in this directory whose name is the event's store index, in
    /// 20 digits: names rise for ever.
    CreateInOrder {
        /// What it holds.
        content: Content,
        /// Seconds to live.
        ttl: Option<u64>,
    },
    /// Write only if the key exists; `createdIndex` is kept. A directory takes no
    /// value: only its time to live changes, and the event's index.
    Update {
        /// The new value; a file wants one, a directory none.
        value: Option<Arc<str>>,
        /// Seconds to live.
        ttl: Option<u64>,
    },
    /// Write only if the file is as the condition says.
    CompareAndSwap {
        /// The new value.
        value: Arc<str>,
        /// What must be true first.
        condition: Condition,
        /// Seconds to live.
        ttl: Option<u64>,
    },
    /// Give an existing key another time to live and keep its value; no watch is
    /// woken by it.
    Refresh {
        /// Seconds to live.
        ttl: u64,
        /// What is otherwise done to the key.
        like: Refresh,
    },
    /// Remove.
    Delete {
        /// Allow an empty directory.
        dir: bool,
        /// Allow any directory, with all below it.
        recursive: bool,
    },
    /// Remove only if the file is as the condition says.
    CompareAndDelete {
        /// What must be true first.
        condition: Condition,
    },
}

/// Which write a refresh is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// A set: of a file only, and `createdIndex` starts afresh.
    Set,
    /// An update: of a directory, too.
    Update,
    /// A compare-and-swap.
    CompareAndSwap(Condition),
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A value: UTF-8, since JSON is all that v2 speaks.
    File(Arc<str>),
    /// Other keys.
    Dir,
}

/// What compare-and-swap and compare-and-delete compare; both parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The value before.
    pub value: Option<Arc<str>>,
    /// The `modifiedIndex` before; never 0, which in v2 means "not given".
    pub index: Option<u64>,
}

/// Digits in the name of an in-order key: those of the largest store index.
const ORDER_DIGITS: usize = 20;

impl Write {
    /// Bytes of the key written: an in-order name counts.
    pub fn key_bytes(&self) -> usize {
        self.path.as_str().len() + if self.is_in_order() { 1 + ORDER_DIGITS } else { 0 }
    }

    /// Components of the key written: an in-order name counts.
    pub fn depth(&self) -> usize {
        self.path.depth() + usize::from(self.is_in_order())
    }

    fn is_in_order(&self) -> bool {
        matches!(self.change, Change::CreateInOrder { .. })
    }

    /// Seconds to live that it gives, if any.
    pub fn ttl(&self) -> Option<u64> {
        match &self.change {
            Change::Set { ttl, .. }
            | Change::Create { ttl, .. }
            | Change::CreateInOrder { ttl, .. }
            | Change::Update { ttl, .. }
            | Change::CompareAndSwap { ttl, .. } => *ttl,
            Change::Refresh { ttl, .. } => Some(*ttl),
            Change::Delete { .. } | Change::CompareAndDelete { .. } => None,
        }
    }

    /// What its event is called if it happens.
    pub fn action(&self) -> Action {
        match &self.change {
            Change::Set { .. } | Change::Refresh { like: Refresh::Set, .. } => Action::Set,
            Change::Create { .. } | Change::CreateInOrder { .. } => Action::Create,
            Change::Update { .. } | Change::Refresh { like: Refresh::Update, .. } => Action::Update,
            Change::CompareAndSwap { .. }
            | Change::Refresh { like: Refresh::CompareAndSwap(_), .. } => Action::CompareAndSwap,
            Change::Delete { .. } => Action::Delete,
            Change::CompareAndDelete { .. } => Action::CompareAndDelete,
        }
    }
}
