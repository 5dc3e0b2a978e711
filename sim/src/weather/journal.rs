//! The journal of a run: what happened to whom, in order, as data.
//!
//! All that is ever shown of a run is made of it: the lines of a replay, the first
//! difference between two runs, the page. It is kept only when it is asked for, and a
//! run does not notice whether it is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use madsim::time::Instant;
use quorate_engine::tree::Watch;
use quorate_engine::{DiskId, Input, Message, NodeId, Output, RequestId, Role, View};

use super::lies::Lie;
use super::plan::{Action, Broken};
use super::run::Failure;
use super::world::World;
use crate::check::watches::Watching;
use crate::history::{Answer, Op, OpId};

/// A client that only the harness uses.
pub(crate) const JUDGE: u64 = u64::MAX;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Record {
    /// When: virtual time since the beginning, in ns.
    pub at_ns: u64,
    /// What.
    pub what: What,
}

/// What may happen.
#[derive(Clone, Debug)]
pub enum What {
    /// A node's process starts: the number of its life, and where it stands then.
    Born(NodeId, u64, Standing),
    /// A node's process ends, and with it the power or not.
    Died {
        /// Whose.
        node: NodeId,
        /// Whether what was not synced may be gone too.
        power: bool,
    },
    /// A node is told something.
    In(NodeId, Box<Input>),
    /// A node says something.
    Out(NodeId, Box<Output>),
    /// A node has another role or another term than before.
    Became(NodeId, Standing),
    /// A node knows of more that is committed, or has applied more.
    Advanced(NodeId, Standing),
    /// A message has come to the end of its way.
    Flew(Box<Flight>),
    /// A disk operation is done, well or not.
    Finished(NodeId, DiskId, bool),
    /// The nemesis does something.
    Did(Action),
    /// A paused node goes on.
    Resumed(NodeId),
    /// Links are open again, but for other cuts.
    Joined(Vec<(NodeId, NodeId)>),
    /// The storm is over: nothing is cut, paused or stalled any more.
    Calm,
    /// A node stays broken in the calm.
    StaysBroken(Broken),
    /// A node comes to harm, in words: what of its disk is damaged, why it does not start.
    Suffers(NodeId, String),
    /// A neighbour of this node breaks its promise.
    Lied(NodeId, Lie),
    /// A client calls.
    Called {
        /// The operation's place in the history.
        id: OpId,
        /// Who calls.
        client: u64,
        /// Whom.
        node: NodeId,
        /// What for.
        op: Box<Op>,
    },
    /// A client is answered, or gives up.
    Answered {
        /// The operation's place in the history.
        id: OpId,
        /// Who called.
        client: u64,
        /// Whom.
        node: NodeId,
        /// With what.
        answer: Box<Answer>,
    },
    /// A watch begins.
    Watches {
        /// Whose.
        watcher: u64,
        /// Where.
        node: NodeId,
        /// Under which name.
        request: RequestId,
        /// For what.
        watch: Box<Watch>,
    },
    /// Something has come of a watch.
    Watched(Box<Watching>),
    /// A recipe's process notes something down.
    Noted(String),
    /// An oracle objects.
    Failed(Failure),
}

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub role: Role,
    /// In which term.
    pub term: u64,
    /// The last entry it knows to be committed.
    pub committed: u64,
    /// The last entry it has applied.
    pub applied: u64,
    /// The store index of that.
    pub store_index: u64,
}

/// One copy of a message, from its sending to its end.
#[derive(Clone, Debug)]
pub struct Flight {
    /// Who sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// When, in ns.
    pub sent_ns: u64,
    /// As it arrived, or as it was sent.
    pub message: Message,
    /// What became of it.
    pub fate: Fate,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrived,
    /// The link loses it.
    Lost,
    /// The link is cut.
    Cut,
    /// Nobody is there, or too much waits there already.
    Dropped,
}

/// What has been written so far: it outlives the run, also one that panics.
pub(crate) type Pages = Arc<Mutex<Vec<Record>>>;

/// The journal, being written.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    began: Instant,
    detail: Detail,
    pages: Pages,
}

/// How much is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Nothing,
    /// What a page shows: a message once, as it arrives, and no ticks.
    Page,
    /// Every word.
    All,
}

impl Journal {
    /// Begins now.
    pub fn new(detail: Detail, pages: Pages) -> Self {
        Self { began: Instant::now(), detail, pages }
    }

    /// Writes down what happens now, if there is anything to write on.
    pub fn record(&self, what: impl FnOnce() -> What) {
        if self.detail == Detail::Nothing {
            return;
        }
        let what = what();
        if self.detail == Detail::All || what.is_for_a_page() {
            let at_ns = u64::try_from(self.began.elapsed().as_nanos()).expect("runs are short");
            let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            pages.push(Record { at_ns, what });
        }
    }

    /// Writes down what is new in a node's view.
    pub fn look(&self, before: &View, view: &View) {
        let (old, new) = (Standing::of(before), Standing::of(view));
        if (old.role, old.term) != (new.role, new.term) {
            self.record(|| What::Became(view.id, new));
        }
        if (old.committed, old.applied) != (new.committed, new.applied) {
            self.record(|| What::Advanced(view.id, new));
        }
    }
}

/// Takes all that has been written.
pub(super) fn take(pages: &Pages) -> Vec<Record> {
    std::mem::take(&mut *pages.lock().unwrap_or_else(PoisonError::into_inner))
}

impl What {
    fn is_for_a_page(&self) -> bool {
        match self {
            Self::In(_, input) => matches!(**input, Input::Client { .. } | Input::Forget { .. }),
            Self::Out(_, output) => !matches!(**output, Output::Peer { .. }),
            _ => true,
        }
    }
}

impl World {
    /// A message has come to the end of its way, to be written down.
    pub(super) fn flew(
        &mut self,
        from: NodeId,
        to: NodeId,
        sent_ns: u64,
        message: &Message,
        fate: Fate,
    ) {
        let fate = match fate {
            Fate::Lost if !self.links.is_open(from, to) => Fate::Cut,
            Fate::Arrived if !self.hears(to) => Fate::Dropped,
            fate => fate,
        };
        let flight = || Flight { from, to, sent_ns, message: message.clone(), fate };
        self.journal.record(|| What::Flew(Box::new(flight())));
    }
}

impl Standing {
    /// Where a view says that its node stands.
    pub fn of(view: &View) -> Self {
        let View { role, term, committed, applied, .. } = *view;
        Self { role, term, committed, applied, store_index: view.tree.store_index() }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at_ns / 1_000;
        write!(f, "{:>7}.{:03} {}", micros / 1_000, micros % 1_000, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Born(node, life, at) => write!(f, "n{node} starts, life {life}: {at}"),
            Self::Died { node, power: true } => write!(f, "n{node} dies, its power fails"),
            Self::Died { node, power: false } => write!(f, "n{node} dies"),
            Self::In(node, input) => write!(f, "n{node} < {input}"),
            Self::Out(node, output) => write!(f, "n{node} > {output}"),
            Self::Became(node, at) => write!(f, "n{node} is {at}"),
            Self::Advanced(node, at) => write!(f, "n{node} is {at}"),
            Self::Flew(flight) => flight.fmt(f),
            Self::Finished(node, op, true) => write!(f, "n{node}'s disk has done {op}"),
            Self::Finished(node, op, false) => write!(f, "n{node}'s disk fails {op}"),
            Self::Did(action) => action.fmt(f),
            Self::Resumed(node) => write!(f, "n{node} goes on"),
            Self::Joined(links) => write!(f, "joined {}", Links(links)),
            Self::Calm => f.write_str("the calm begins"),
            Self::StaysBroken(broken) => broken.fmt(f),
            Self::Suffers(node, what) => write!(f, "n{node}: {what}"),
            Self::Lied(node, lie) => write!(f, "n{node} is lied to: {}", lie.name()),
            Self::Called { id, client, node, op } => {
                write!(f, "{} #{id} asks n{node}: {op}", Caller(*client))
            }
            Self::Answered { id, client, node, answer } => {
                write!(f, "{} #{id} at n{node}: {answer:?}", Caller(*client))
            }
            Self::Watches { watcher, node, watch, .. } => {
                write!(f, "watcher {watcher} asks n{node}: {watch}")
            }
            Self::Watched(watching) => watching.fmt(f),
            Self::Noted(what) => f.write_str(what),
            Self::Failed(failure) => write!(f, "FAILED {failure}"),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, term, committed, applied, store_index } = self;
        let role = match role {
            Role::Follower => "follower",
            Role::PreCandidate => "pre-candidate",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        };
        write!(f, "{role} in term {term}, committed {committed}, applied {applied}")?;
        write!(f, ", store {store_index}")
    }
}

impl fmt::Display for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, sent_ns, message, fate } = self;
        let micros = sent_ns / 1_000;
        let fate = fate.as_str();
        write!(f, "n{from} to n{to} {fate}, sent at {}.{:03}: ", micros / 1_000, micros % 1_000)?;
        message.fmt(f)
    }
}

impl Fate {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Lost => "lost",
            Self::Cut => "cut",
            Self::Dropped => "dropped",
        }
    }
}

/// Who calls, in words.
pub(crate) struct Caller(pub u64);

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            JUDGE => f.write_str("the judge"),
            client => write!(f, "client {client}"),
        }
    }
}

/// Directed links, in words.
pub(super) struct Links<'a>(pub &'a [(NodeId, NodeId)]);

impl fmt::Display for Links<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (from, to)) in self.0.iter().enumerate() {
            write!(f, "{}n{from}-n{to}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}
