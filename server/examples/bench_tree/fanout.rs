//! Events to 200 streams as fast as they can all be had.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::server::Site;
use crate::table::{Figure, Floor, Row};
use crate::wire::{Connection, get, put};

const WATCHERS: usize = 200;
/// Writers in turn: few, and as many as floors are judged at elsewhere.
const WRITERS: [(usize, Row); 2] = [(8, EIGHT), (64, SIXTY_FOUR)];
/// Events written and not yet received by every watcher. etcd cuts a stream off
/// that is more than 100 behind.
const AHEAD: u32 = 64;
/// How long the last events may take.
const PATIENCE: Duration = Duration::from_secs(10);

const EIGHT: Row = Row {
    name: "events per second to 200 streaming watchers, 8 writers",
    digits: 0,
    floor: Some(Floor::TimesEtcd(3.0)),
};
const SIXTY_FOUR: Row =
    Row { name: "events per second to 200 streaming watchers, 64 writers", ..EIGHT };

/// What has been received.
struct Tally {
    /// By how many watchers, event by event.
    arrivals: Vec<usize>,
    /// By all watchers together.
    delivered: f64,
    /// Room for writes: it comes back when all watchers have the event.
    room: Arc<Semaphore>,
}

/// Watchers of one server, with few writers and with many.
pub async fn measure(site: &Site) -> Result<Vec<Figure>, Box<dyn Error>> {
    let server = site.start("fanout")?;
    let length = Duration::from_secs(site.seconds);
    let mut figures = Vec::new();
    for (writers, row) in WRITERS {
        figures.push((row, deliver(server.port(), writers, length).await?));
    }
    Ok(figures)
}

/// Events received per second while some write; every watcher must see every index
/// in order.
async fn deliver(port: u16, writers: usize, length: Duration) -> Result<f64, Box<dyn Error>> {
    let room = Arc::new(Semaphore::new(AHEAD as usize));
    let tally = Tally { arrivals: Vec::new(), delivered: 0.0, room: room.clone() };
    let tally = Arc::new(Mutex::new(tally));
    Connection::open(port).await?.ask(&put("fanout/0", "")).await?;
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let mut connection = Connection::open(port).await?;
        let request = get("keys/fanout?wait=true&stream=true&recursive=true");
        let first = connection.begin(&request).await?.index + 1;
        watchers.spawn(watch(connection, first, tally.clone()));
    }
    let begun = Instant::now();
    let mut writing = JoinSet::new();
    for writer in 0..writers {
        writing.spawn(put_until(port, writer, begun + length, room.clone()));
    }
    tokio::select! {
        Some(ended) = watchers.join_next() => ended??,
        () = sleep(length) => {}
    }
    let rate =
        tally.lock().map_err(|_| "a watcher panicked")?.delivered / begun.elapsed().as_secs_f64();
    while let Some(written) = writing.join_next().await {
        written??;
    }
    // All room is there again: every watcher has every event.
    timeout(PATIENCE, room.acquire_many(AHEAD)).await??.forget();
    Ok(rate)
}

async fn watch(mut stream: Connection, first: u64, tally: Arc<Mutex<Tally>>) -> io::Result<()> {
    let mut wanted = first;
    loop {
        let arrived = |line: &str| {
            let index = index(line);
            if index != Some(wanted) {
                return Err(io::Error::other(format!("event {wanted} was wanted: {line}")));
            }
            let at = usize::try_from(wanted - first).map_err(io::Error::other)?;
            wanted += 1;
            tally.lock().map_err(|_| io::Error::other("a watcher panicked"))?.arrived(at);
            Ok(())
        };
        stream.lines(arrived).await?;
    }
}

/// The node's `modifiedIndex`, the first in the line.
fn index(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("\"modifiedIndex\":")?;
    rest.split_once(',')?.0.parse().ok()
}

impl Tally {
    fn arrived(&mut self, at: usize) {
        if at == self.arrivals.len() {
            self.arrivals.push(0);
        }
        self.arrivals[at] += 1;
        self.delivered += 1.0;
        if self.arrivals[at] == WATCHERS {
            self.room.add_permits(1);
        }
    }
}

async fn put_until(port: u16, writer: usize, end: Instant, room: Arc<Semaphore>) -> io::Result<()> {
    let mut connection = Connection::open(port).await?;
    let request = put(&format!("fanout/{writer}"), "");
    while Instant::now() < end {
        let permit = room.acquire().await.map_err(io::Error::other)?;
        permit.forget();
        connection.ask(&request).await?;
    }
    Ok(())
}
