//! Connections from peers: greeted, then read frame by frame into the inbox.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quorate_engine::{Config, Message, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::flags::MOST_WRITE_BYTES;
use crate::frame::{self, GREETING_BYTES, Greeting};
use crate::identity::Identity;
use crate::node::Word;

/// How long a stranger may take to greet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections at once, strangers among them.
const MOST_CONNECTIONS: usize = 256;

/// Room asked for at each read.
const READ_BYTES: usize = 64 << 10;

/// What all connections from peers share.
#[derive(Debug)]
pub struct Incoming {
    identity: Identity,
    inbox: SyncSender<Word>,
    max_frame: usize,
    /// The connection of each peer: a newer one takes an older one's place.
    current: Mutex<BTreeMap<NodeId, AbortHandle>>,
}

impl Incoming {
    /// Peers of this identity speak to this inbox, in frames within what any
    /// member's flags let it carry.
    pub fn new(identity: Identity, inbox: SyncSender<Word>, config: &Config) -> Arc<Self> {
        let entry = MOST_WRITE_BYTES + config.max_attribute_bytes;
        let append = usize::try_from(config.max_append_bytes).unwrap_or(usize::MAX);
        let max_frame = entry.saturating_add(append).saturating_add(config.chunk_bytes) * 2;
        Arc::new(Self { identity, inbox, max_frame, current: Mutex::default() })
    }

    /// Accepts for ever.
    pub async fn listen(self: Arc<Self>, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let incoming = self.clone();
                    tokio::spawn(async move {
                        incoming.greet(stream).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    warn!("cannot accept a peer's connection: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn greet(self: Arc<Self>, mut stream: TcpStream) {
        let address = stream.peer_addr().map_or_else(|_| "a peer".into(), |at| at.to_string());
        match timeout(PATIENCE, self.exchange_greetings(&mut stream)).await {
            Ok(Ok((from, arrived))) => {
                info!("member {from:x} connected from {address}");
                let reading = tokio::spawn(self.clone().read_all(from, stream, arrived));
                self.take_place(from, reading.abort_handle());
                // Ended, or ended by a newer one.
                let _ = reading.await;
            }
            Ok(Err(why)) => warn!("connection from {address} dropped: {why}"),
            Err(_) => warn!("connection from {address} dropped: no greeting in time"),
        }
    }

    fn take_place(&self, from: NodeId, connection: AbortHandle) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(older) = current.insert(from, connection) {
            older.abort();
        }
    }

    /// Says who this is in any case, so that the other side can name what
    /// differs.
    async fn exchange_greetings(
        &self,
        stream: &mut TcpStream,
    ) -> Result<(NodeId, BytesMut), String> {
        super::PATIENCE.apply(stream).map_err(|error| error.to_string())?;
        let mut arrived = BytesMut::new();
        let Some(payload) = next_frame(stream, &mut arrived, GREETING_BYTES).await? else {
            return Err("it closed without a greeting".into());
        };
        let theirs = Greeting::decode(payload).map_err(|error| error.to_string())?;
        let ours = Greeting::new(&self.identity, theirs.from);
        stream.write_all(&ours.frame()).await.map_err(|error| error.to_string())?;
        let expected = Greeting { from: theirs.from, to: ours.from, ..ours };
        if let Some(difference) = theirs.differs(&expected) {
            return Err(difference);
        }
        let known = self.identity.members.iter().any(|member| member.id == theirs.from);
        if !known || theirs.from == self.identity.id {
            return Err(format!("{:x} is no other member of this cluster", theirs.from));
        }
        Ok((theirs.from, arrived))
    }

    async fn read_all(self: Arc<Self>, from: NodeId, mut stream: TcpStream, arrived: BytesMut) {
        let mut arrived = arrived;
        loop {
            let message = match next_frame(&mut stream, &mut arrived, self.max_frame).await {
                Ok(Some(payload)) => Message::decode(payload)
                    .map_err(|error| format!("a message that cannot be read: {error}")),
                Ok(None) => return info!("member {from:x} closed its connection"),
                Err(why) => Err(why),
            };
            match message {
                Ok(message) => {
                    // A wire may lose messages, and a full inbox is such a wire.
                    if self.inbox.try_send(Word::Peer { from, message }).is_err() {
                        debug!("inbox full: a message of member {from:x} dropped");
                    }
                }
                Err(why) => return warn!("connection of member {from:x} dropped: {why}"),
            }
        }
    }
}

/// The next frame; `None` when the other side has closed between two.
async fn next_frame(
    stream: &mut TcpStream,
    arrived: &mut BytesMut,
    max_bytes: usize,
) -> Result<Option<Bytes>, String> {
    loop {
        if let Some(payload) = frame::take(arrived, max_bytes).map_err(|error| error.to_string())? {
            return Ok(Some(payload));
        }
        arrived.reserve(READ_BYTES);
        match stream.read_buf(arrived).await {
            Ok(0) if arrived.is_empty() => return Ok(None),
            Ok(0) => return Err("it closed within a frame".into()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
