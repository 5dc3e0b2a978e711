//! What is under way, messages between nodes and operations of disks, until its moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use madsim::time::Instant;
use quorate_engine::{Input, Message, NodeId};
use tokio::sync::Notify;

use super::journal::Fate;
use super::world::{Shared, World};

/// Everything under way, in the order in which it arrives. One task carries it all: a task
/// for each would cost more than what it does.
#[derive(Debug, Default)]
pub(super) struct Courier {
    due: BTreeMap<(Instant, u64), Parcel>,
    sent: u64,
    sooner: Arc<Notify>,
}

/// One thing under way.
#[derive(Debug)]
pub(super) enum Parcel {
    /// A message, as bytes, between two nodes.
    Message {
        from: NodeId,
        to: NodeId,
        bytes: Bytes,
        /// When it was sent (ns), and which lives the two lived then.
        sent: (u64, [u64; 2]),
    },
    /// A disk operation of one life of a node.
    Disk { id: NodeId, life: u64, op: u64, early: bool },
}

impl Courier {
    /// Takes something that arrives at this moment.
    pub fn take(&mut self, at: Instant, parcel: Parcel) {
        if self.next().is_none_or(|next| at < next) {
            self.sooner.notify_one();
        }
        self.due.insert((at, self.sent), parcel);
        self.sent += 1;
    }

    fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    fn arrived(&mut self, now: Instant) -> Option<Parcel> {
        let first = self.due.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}

/// Carries until the run ends.
pub(super) async fn carry(shared: Shared) {
    let sooner = shared.lock().courier.sooner.clone();
    loop {
        let now = Instant::now();
        let next = {
            let mut world = shared.lock();
            while let Some(parcel) = world.courier.arrived(now) {
                world.arrives(parcel);
            }
            world.courier.next()
        };
        match next {
            Some(next) => drop(madsim::time::timeout(next - now, sooner.notified()).await),
            None => sooner.notified().await,
        }
    }
}

impl World {
    fn arrives(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Message { from, to, bytes, sent } => {
                self.message_arrives(from, to, bytes, sent)
            }
            Parcel::Disk { id, life, op, early } => {
                if let Some(again) = self.try_complete(id, life, op, early) {
                    self.courier.take(again, Parcel::Disk { id, life, op, early });
                }
            }
        }
    }

    fn message_arrives(
        &mut self,
        from: NodeId,
        to: NodeId,
        bytes: Bytes,
        (sent_ns, lives): (u64, [u64; 2]),
    ) {
        let message = Message::decode(bytes).expect("what we wrote");
        let (open, now) = (self.links.is_open(from, to), self.lives(from, to));
        self.observers.arrives(open, lives, now);
        if !open {
            return self.flew(from, to, sent_ns, &message, Fate::Cut);
        }
        let message = self.liar.deliver(message, to);
        self.flew(from, to, sent_ns, &message, Fate::Arrived);
        self.tell(to, Input::Peer { from, message });
    }
}
