//! The wires between members: one connection per direction, each message in a
//! frame of its own. Messages may be lost here; nothing waits for them.

mod incoming;
mod outgoing;

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_engine::{Message, NodeId};
use tokio::sync::mpsc;

use crate::identity::Identity;
use crate::keepalive::Patience;

pub use incoming::Incoming;

/// Messages on their way to one peer; beyond it they are dropped, which raft
/// expects of a wire.
const QUEUE: usize = 1_024;

/// A connection that is silent for longer is of no use; a new one is, at once.
const PATIENCE: Patience = Patience {
    idle: Duration::from_secs(2),
    probe_interval: Duration::from_secs(1),
    unacknowledged: Some(Duration::from_secs(5)),
};

/// The queues to the other members.
#[derive(Debug)]
pub struct Peers {
    queues: BTreeMap<NodeId, mpsc::Sender<Message>>,
}

impl Peers {
    /// Begins to connect to every other member and keeps at it. Must be called
    /// inside the runtime.
    pub fn connect(identity: &Identity) -> Self {
        let others = identity.members.iter().filter(|member| member.id != identity.id);
        let queues = others
            .map(|member| {
                let (sender, queue) = mpsc::channel(QUEUE);
                tokio::spawn(outgoing::keep_sending(outgoing::Link::new(identity, member), queue));
                (member.id, sender)
            })
            .collect();
        Self { queues }
    }

    /// Sends a message if there is room; says whether there was.
    pub fn send(&self, to: NodeId, message: Message) -> bool {
        self.queues.get(&to).is_some_and(|queue| queue.try_send(message).is_ok())
    }
}
