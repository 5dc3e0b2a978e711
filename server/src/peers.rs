//! The wires between members: one connection per direction, each message in a
//! frame of its own. Messages may be lost here; nothing waits for them.

mod incoming;
mod outgoing;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use quorate_engine::{Message, NodeId};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::identity::Identity;

pub use incoming::Incoming;

/// Messages on their way to one peer; beyond it they are dropped, which raft
/// expects of a wire.
const QUEUE: usize = 1_024;

/// How long the other end may leave what was sent without an acknowledgement. In
/// an outage the kernel waits longer between retransmissions each time, and the
/// connection would be of no use long after it; a new one is, at once.
const SILENCE: Duration = Duration::from_secs(5);

/// An idle connection is asked for a sign of life after this long,
const IDLE: Duration = Duration::from_secs(2);
/// again after this long,
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// and ended after so many questions without an answer.
const PROBES: u32 = 3;

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

/// Has the kernel end a connection whose other end gives no sign of life.
fn expect_signs_of_life(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(PROBE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive.with_retries(PROBES))?;
    socket.set_tcp_user_timeout(Some(SILENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_is_told_to_expect_signs_of_life() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        expect_signs_of_life(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(SILENCE));
    }
}
