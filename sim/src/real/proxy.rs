//! What stands between the members: a TCP proxy in front of each.
//!
//! The ids of members and cluster are computed from the peers' URLs, so all members
//! must be told the same URLs, and who comes cannot be told from where it knocks. It is
//! told from the greeting that opens every connection, which is the first frame of
//! `server`'s wire: a connection carries what one member says to another, and only the
//! answer to the greeting comes back.
//!
//! What goes wrong behind the proxy is shown in front of it by a reset, never by an
//! orderly end: a member that is down must look unreachable, not rude.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_engine::NodeId;
use socket2::SockRef;

use super::links::{Fate, Links};

/// How long a connection may take to open and to greet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a greeting with its frame, and where in it the sender's id is.
const GREETING_BYTES: usize = 48;
const SENDER: std::ops::Range<usize> = 32..40;

/// Bytes that are carried at once, and how many times that may be on the way.
const CHUNK_BYTES: usize = 64 << 10;
const CHUNKS: usize = 64;

/// The proxy in front of one member. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
    carries: Arc<Carries>,
    accepting: Option<JoinHandle<()>>,
}

/// What the connections to one member share.
#[derive(Debug)]
struct Carries {
    to: NodeId,
    /// The port where the member listens; 0 until it is known.
    target: AtomicU16,
    links: Arc<Links>,
}

/// Some bytes, and when they are due.
type Due = (Instant, Vec<u8>);

impl Proxy {
    /// Listens for what is said to this member.
    pub fn start(to: NodeId, links: &Arc<Links>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (target, links) = (AtomicU16::new(0), links.clone());
        let carries = Arc::new(Carries { to, target, links });
        let it = carries.clone();
        let accepting = thread::Builder::new().name(format!("proxy {to}"));
        let accepting = accepting.spawn(move || it.accept(&listener))?;
        Ok(Self { port, carries, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the member listens.
    pub fn carry_to(&self, port: u16) {
        self.carries.target.store(port, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.carries.links.end();
        // A knock wakes the one who waits for it.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let _ = self.accepting.take().map(JoinHandle::join);
    }
}

impl Carries {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.links.has_ended() {
                return;
            }
            // Whoever could not connect knocks again.
            let Ok(stream) = stream else { continue };
            let it = self.clone();
            thread::spawn(move || it.carry(stream));
        }
    }

    /// One connection, to its end; why it ended is of no use to anybody.
    fn carry(&self, mut from: TcpStream) -> Option<()> {
        let mut greeting = [0; GREETING_BYTES];
        SockRef::from(&from).set_linger(Some(Duration::ZERO)).ok()?;
        from.set_read_timeout(Some(PATIENCE)).ok()?;
        from.read_exact(&mut greeting).ok()?;
        from.set_read_timeout(None).ok()?;
        let id = u64::from_le_bytes(greeting[SENDER].try_into().ok()?);
        if !self.links.greeted(id) || !self.links.passes(id, self.to) {
            return None;
        }
        let target = (Ipv4Addr::LOCALHOST, self.target.load(Ordering::Relaxed));
        let mut to = TcpStream::connect_timeout(&target.into(), PATIENCE).ok()?;
        to.set_nodelay(true).ok()?;
        from.set_nodelay(true).ok()?;
        to.write_all(&greeting).ok()?;
        let (sender, chunks) = sync_channel(CHUNKS);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = io::copy(&mut &to, &mut &from);
                close(&from, &to);
            });
            scope.spawn(|| {
                self.write(id, &to, chunks);
                close(&from, &to);
            });
            self.read(id, &from, sender);
        });
        Some(())
    }

    /// Reads until the connection ends or breaks; what came before that still arrives.
    fn read(&self, id: u64, mut from: &TcpStream, sender: SyncSender<Due>) {
        let mut bytes = vec![0; CHUNK_BYTES];
        let mut last = Instant::now();
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let Fate::Arrives(after) = self.links.fate(id, self.to) else {
                return;
            };
            last = last.max(Instant::now() + after);
            if sender.send((last, bytes[..count].to_vec())).is_err() {
                return;
            }
        }
    }

    fn write(&self, id: u64, mut to: &TcpStream, chunks: Receiver<Due>) {
        for (due, bytes) in chunks {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if !self.links.passes(id, self.to) || to.write_all(&bytes).is_err() {
                return;
            }
        }
    }
}

/// The end of one side is the end of the connection: whoever reads is woken. The sender
/// sees the reset when the last of us lets go of its side.
fn close(from: &TcpStream, to: &TcpStream) {
    // One that is gone already is as closed as it should be.
    let _ = from.shutdown(Shutdown::Read);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::super::links::Way;
    use super::*;
    use crate::weather::LinkWeather;

    const ID: u64 = 0xA;

    /// A member's listener with the proxy in front of it, and its links.
    fn set_up() -> (TcpListener, Proxy, Arc<Links>) {
        let links = Arc::new(Links::new(LinkWeather::default(), 2, 1));
        links.begin(vec![(ID, 1)]).unwrap();
        let proxy = Proxy::start(2, &links).unwrap();
        let member = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        proxy.carry_to(member.local_addr().unwrap().port());
        (member, proxy, links)
    }

    fn greet(proxy: &Proxy, id: u64) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut greeting = [0; GREETING_BYTES];
        greeting[SENDER].copy_from_slice(&id.to_le_bytes());
        stream.write_all(&greeting).unwrap();
        stream
    }

    #[test]
    fn what_is_said_arrives_and_the_greeting_is_answered() {
        let (member, proxy, _links) = set_up();
        let mut peer = greet(&proxy, ID);
        let mut arrived = member.accept().unwrap().0;
        arrived.write_all(b"welcome").unwrap();
        let mut answer = [0; 7];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"welcome");
        peer.write_all(b"word").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        arrived.read_to_end(&mut said).unwrap();
        assert_eq!(said[GREETING_BYTES..], *b"word");
    }

    #[test]
    fn a_member_that_is_gone_and_a_stranger_who_comes_see_a_reset() {
        let (member, proxy, _links) = set_up();
        let is_reset = |mut peer: TcpStream| {
            let error = peer.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        };
        is_reset(greet(&proxy, 0xB));
        let peer = greet(&proxy, ID);
        drop(member.accept().unwrap());
        is_reset(peer);
        drop(member);
        is_reset(greet(&proxy, ID));
    }

    #[test]
    fn nothing_is_said_to_a_member_over_a_link_that_is_cut() {
        let (member, proxy, links) = set_up();
        let mut peer = greet(&proxy, ID);
        let mut arrived = member.accept().unwrap().0;
        arrived.read_exact(&mut [0; GREETING_BYTES]).unwrap();
        links.cut(&[(1, 2)], Way::Holds);
        peer.write_all(b"word").unwrap();
        arrived.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert_eq!(arrived.read(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        links.cut(&[(1, 2)], Way::Breaks);
        assert_eq!(arrived.read(&mut [0; 4]).unwrap(), 0);
        links.calm();
        let mut peer = greet(&proxy, ID);
        peer.write_all(b"again").unwrap();
        let mut said = [0; GREETING_BYTES + 5];
        member.accept().unwrap().0.read_exact(&mut said).unwrap();
        assert_eq!(said[GREETING_BYTES..], *b"again");
    }
}
