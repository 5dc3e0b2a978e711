//! The connection to one peer: opened again and again, written in bursts.

use std::time::Duration;

use bytes::BytesMut;
use quorate_engine::{Member, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::frame::{self, GREETING_BYTES, Greeting};
use crate::identity::Identity;

/// How long a connection may take to open, greet, or take a burst.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a first failure; it doubles up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The pause after a peer said who it is and was not the one looked for.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);

/// Messages and bytes that go out in one write.
const BURST_MESSAGES: usize = 256;
const BURST_BYTES: usize = 256 << 10;

/// Who is to be reached, where, and what is said first.
#[derive(Debug)]
pub struct Link {
    addresses: Vec<String>,
    greeting: Greeting,
}

enum Failure {
    Network(std::io::Error),
    Refused(String),
}

impl Link {
    /// The link from this member to another.
    pub fn new(identity: &Identity, to: &Member) -> Self {
        let addresses = to.peer_urls.iter().map(|url| url.replacen("http://", "", 1)).collect();
        Self { addresses, greeting: Greeting::new(identity, to.id) }
    }

    async fn open(&self, attempt: usize) -> Result<TcpStream, Failure> {
        let address = &self.addresses[attempt % self.addresses.len()];
        let opened = timeout(PATIENCE, self.connect_and_greet(address)).await;
        opened.unwrap_or_else(|late| Err(Failure::Network(late.into())))
    }

    async fn connect_and_greet(&self, address: &str) -> Result<TcpStream, Failure> {
        let mut stream = TcpStream::connect(address).await.map_err(Failure::Network)?;
        stream.set_nodelay(true).map_err(Failure::Network)?;
        super::PATIENCE.apply(&stream).map_err(Failure::Network)?;
        stream.write_all(&self.greeting.frame()).await.map_err(Failure::Network)?;
        let mut arrived = BytesMut::new();
        let payload = loop {
            let frame = frame::take(&mut arrived, GREETING_BYTES)
                .map_err(|error| Failure::Refused(format!("it answers with {error}")))?;
            match frame {
                Some(payload) => break payload,
                None if stream.read_buf(&mut arrived).await.map_err(Failure::Network)? == 0 => {
                    return Err(Failure::Refused("it closes without a greeting".into()));
                }
                None => {}
            }
        };
        let theirs = Greeting::decode(payload)
            .map_err(|error| Failure::Refused(format!("its greeting cannot be read: {error}")))?;
        let expected = Greeting { from: self.greeting.to, to: self.greeting.from, ..self.greeting };
        match theirs.differs(&expected) {
            None => Ok(stream),
            Some(difference) => Err(Failure::Refused(difference)),
        }
    }
}

/// Sends what the queue holds until its sender is gone. While there is no
/// connection, what gathers is thrown away: raft will say it again, newer.
pub async fn keep_sending(link: Link, mut queue: Receiver<Message>) {
    let (mut attempt, mut pause, mut complaint) = (0, SHORTEST_PAUSE, String::new());
    let peer = link.greeting.to;
    loop {
        match link.open(attempt).await {
            Ok(stream) => {
                info!("connected to member {peer:x}");
                (pause, complaint) = (SHORTEST_PAUSE, String::new());
                match send_over(stream, &mut queue).await {
                    Ok(()) => return,
                    Err(error) => info!("connection to member {peer:x} ended: {error}"),
                }
            }
            Err(failure) => {
                let (line, this_pause) = match failure {
                    Failure::Network(error) => (error.to_string(), pause),
                    Failure::Refused(why) => (why, REFUSED_PAUSE),
                };
                if line != complaint {
                    let address = &link.addresses[attempt % link.addresses.len()];
                    warn!("cannot reach member {peer:x} at {address}: {line}; trying on");
                    complaint = line;
                }
                while queue.try_recv().is_ok() {}
                sleep(jittered(this_pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                attempt += 1;
            }
        }
        if queue.is_closed() {
            return;
        }
    }
}

/// `Ok` when there will be nothing more to send.
async fn send_over(mut stream: TcpStream, queue: &mut Receiver<Message>) -> std::io::Result<()> {
    let (mut reading, mut writing) = stream.split();
    let (mut messages, mut burst) = (Vec::with_capacity(BURST_MESSAGES), Vec::new());
    let mut unexpected = [0];
    loop {
        tokio::select! {
            count = queue.recv_many(&mut messages, BURST_MESSAGES) => {
                if count == 0 {
                    return Ok(());
                }
            }
            // Nothing is ever said on this side: it can only end.
            _ = reading.read(&mut unexpected) => return Err(std::io::ErrorKind::ConnectionReset.into()),
        }
        for message in messages.drain(..) {
            frame::put(&mut burst, &message.encode());
            if burst.len() >= BURST_BYTES {
                timeout(PATIENCE, writing.write_all(&burst)).await??;
                burst = Vec::new();
            }
        }
        timeout(PATIENCE, writing.write_all(&burst)).await??;
        burst.clear();
    }
}

/// Somewhere between half and all of a pause, so that members do not knock in
/// step.
fn jittered(pause: Duration) -> Duration {
    let share = getrandom::u32().unwrap_or(u32::MAX);
    pause / 2 + pause.mul_f64(f64::from(share) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_half_a_pause() {
        for _ in 0..100 {
            let pause = jittered(LONGEST_PAUSE);
            assert!(pause >= LONGEST_PAUSE / 2 && pause <= LONGEST_PAUSE);
        }
    }
}
