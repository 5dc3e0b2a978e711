//! The v2 API as a recipe sees it: plain data there and back, time, and chance.

use std::fmt;

/// A way to a cluster. One of these is one client: its clock and its dice.
///
/// Nothing here asks for `Send`: a client lives on one thread.
pub trait Store {
    /// Carries out one request. It ends in bounded time, a watch within its patience
    /// and that. A failed one is not repeated here; the next may go to another member.
    fn request(&self, request: Request) -> impl Future<Output = Result<Reply, Failure>>;

    /// Waits, in ms of this client's clock.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;

    /// This client's clock in ms: it never goes back, begins anywhere, and may drift.
    fn now_ms(&self) -> u64;

    /// A random number. No two clients, and no two lives of one, draw the same ones.
    fn random(&self) -> u64;
}

/// One request of the v2 keys API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read.
    Get(Get),
    /// Set, create, update, compare and swap, refresh.
    Put(Put),
    /// Create under the next in-order name.
    Post(Post),
    /// Delete, compare and delete.
    Delete(Delete),
    /// Wait for one event.
    Watch(Watch),
}

/// Read a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// The key.
    pub key: String,
    /// With all below.
    pub recursive: bool,
    /// The member asked may answer from what it has, however old; otherwise the
    /// answer is linearizable.
    pub local: bool,
}

/// Write a key; etcd decides from the conditions which action it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: String,
    /// The value. None with `dir` or `refresh`.
    pub value: Option<String>,
    /// Make a directory.
    pub dir: bool,
    /// Time to live, in s. None: it lives for ever from now on.
    pub ttl: Option<u64>,
    /// Only if the key exists, or only if it does not.
    pub prev_exist: Option<bool>,
    /// Only if this is the value.
    pub prev_value: Option<String>,
    /// Only if this is its modifiedIndex.
    pub prev_index: Option<u64>,
    /// Keep the value, set the TTL, wake no watcher.
    pub refresh: bool,
}

/// Create a key whose name is the next index, in 20 digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// The directory; it is made if need be.
    pub key: String,
    /// The value.
    pub value: String,
    /// Time to live, in s.
    pub ttl: Option<u64>,
}

/// Delete a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// The key.
    pub key: String,
    /// Also if it is an empty directory.
    pub dir: bool,
    /// Also if it is a directory, with all below.
    pub recursive: bool,
    /// Only if this is the value.
    pub prev_value: Option<String>,
    /// Only if this is its modifiedIndex.
    pub prev_index: Option<u64>,
}

/// One long poll.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The key.
    pub key: String,
    /// Events below it too.
    pub recursive: bool,
    /// The first event wanted.
    pub wait_index: u64,
    /// How long to wait for it, in ms.
    pub patience_ms: u64,
}

/// What the tree answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(serde::Deserialize), serde(rename_all = "camelCase", default))]
pub struct Reply {
    /// `get`, `set`, `create`, `update`, `compareAndSwap`, `delete`,
    /// `compareAndDelete`, `expire`; empty after a watch that saw nothing.
    pub action: String,
    /// The node read or written; none after a watch that saw nothing.
    pub node: Option<Node>,
    /// What was there before.
    pub prev_node: Option<Node>,
    /// X-Etcd-Index: the tree that answered contains every event up to here. A watch
    /// that saw nothing saw that nothing happened from its first index to here.
    #[cfg_attr(feature = "http", serde(skip))]
    pub index: u64,
}

/// A key with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(serde::Deserialize), serde(rename_all = "camelCase", default))]
pub struct Node {
    /// The whole key, from `/`.
    pub key: String,
    /// The value; none for a directory, and for what has been deleted.
    pub value: Option<String>,
    /// Whether it is a directory.
    pub dir: bool,
    /// What is left to live, in s, rounded up.
    pub ttl: Option<i64>,
    /// Children, in any order.
    pub nodes: Vec<Node>,
    /// Index of the last change.
    pub modified_index: u64,
    /// Index of the creation, or of the last plain set.
    pub created_index: u64,
}

impl Node {
    /// The last part of the key.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }

    /// The value; empty for a directory.
    pub fn text(&self) -> &str {
        self.value.as_deref().unwrap_or("")
    }

    /// Every node below, files and directories.
    pub fn below(&self) -> Vec<&Self> {
        self.nodes.iter().flat_map(|node| std::iter::once(node).chain(node.below())).collect()
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The tree said no, and nothing changed.
    Refused(Refusal),
    /// It certainly did not happen; why.
    NotDone(String),
    /// Nobody can say: it may have happened, or happen later; why.
    Unknown(String),
}

/// The tree's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// etcd's errorCode, one of [`code`]; 0 if it is not etcd's at all.
    pub code: u16,
    /// The message.
    pub message: String,
    /// Which key or comparison.
    pub cause: String,
    /// The index at which it was judged.
    pub index: u64,
}

/// The error codes that recipes know.
pub mod code {
    /// Key not found.
    pub const NOT_FOUND: u16 = 100;
    /// Compare failed.
    pub const COMPARE_FAILED: u16 = 101;
    /// Key already exists.
    pub const EXISTS: u16 = 105;
    /// The cluster cannot, now.
    pub const RAFT: u16 = 300;
    /// Nobody leads, now.
    pub const ELECTION: u16 = 301;
    /// The event in requested index is outdated and cleared.
    pub const CLEARED: u16 = 401;
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}) [{}]", self.code, self.message, self.cause, self.index)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotDone(why) => write!(f, "it did not happen: {why}"),
            Self::Unknown(why) => write!(f, "nobody can say whether it happened: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Get> for Request {
    fn from(get: Get) -> Self {
        Self::Get(get)
    }
}

impl From<Put> for Request {
    fn from(put: Put) -> Self {
        Self::Put(put)
    }
}

impl From<Post> for Request {
    fn from(post: Post) -> Self {
        Self::Post(post)
    }
}

impl From<Delete> for Request {
    fn from(delete: Delete) -> Self {
        Self::Delete(delete)
    }
}

impl From<Watch> for Request {
    fn from(watch: Watch) -> Self {
        Self::Watch(watch)
    }
}
