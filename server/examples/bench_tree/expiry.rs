//! 100,000 keys whose time is over within one second, while others are written.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::server::Site;
use crate::table::{Figure, Floor, Row};
use crate::wire::{Connection, get, put};
use crate::writers::{Sample, p99_and_longest, scattered, write};

const KEYS: usize = 100_000;
const CONNECTIONS: usize = 64;
const WRITTEN: usize = 1_000;
/// How long writes are measured before the first key is due.
const BEFORE: Duration = Duration::from_secs(3);
/// A moment of it that is left out, since a clock may be ahead.
const GUARD: Duration = Duration::from_millis(500);
/// How long expiry may take.
const PATIENCE: Duration = Duration::from_secs(30);

const P99_BEFORE: Row =
    Row { name: "PUT p99 in ms before 100,000 keys expire in one second", digits: 1, floor: None };
const P99_AROUND: Row = Row { name: "PUT p99 in ms while they expire", digits: 1, floor: None };
const SLOWED: Row =
    Row { name: "PUT p99 while they expire ÷ before", digits: 2, floor: Some(Floor::AtMost(2.0)) };
const LONGEST: Row = Row { name: "longest PUT in ms meanwhile", digits: 0, floor: None };
const SILENCE: Row =
    Row { name: "longest time in ms meanwhile with no PUT answered", digits: 0, floor: None };
const GONE: Row =
    Row { name: "seconds from the first key due until the last has gone", digits: 2, floor: None };

/// Fills a server with keys that are due at one time, and writes across it.
pub async fn measure(site: &Site) -> Result<Vec<Figure>, Box<dyn Error>> {
    let server = site.start("expiry")?;
    let port = server.port();
    let due = fill(port).await?;
    let begun = due.checked_sub(BEFORE).ok_or("no time")?;
    if begun < Instant::now() {
        return Err("the keys with a time to live were not written in time".into());
    }
    sleep(begun - Instant::now()).await;
    let watching = Arc::new(AtomicBool::new(true));
    let expiry = tokio::spawn(expiry(port, due, watching.clone()));
    let next = move |number| {
        let key = || put(&format!("bench/{:04}", scattered(number, WRITTEN)), "");
        watching.load(Ordering::Relaxed).then(key)
    };
    let samples = write(port, CONNECTIONS, next).await?;
    let (first, last) = expiry.await??;
    let before = samples.iter().filter(|sample| sample.ended < due - GUARD);
    let (before, _) = p99_and_longest(before);
    let meanwhile = |sample: &&Sample| sample.ended >= first && sample.begun <= last;
    let meanwhile: Vec<Sample> = samples.iter().filter(meanwhile).copied().collect();
    let (p99, longest) = p99_and_longest(meanwhile.iter());
    Ok(vec![
        (P99_BEFORE, before),
        (P99_AROUND, p99),
        (SLOWED, p99 / before),
        (LONGEST, longest),
        (SILENCE, silence(first, meanwhile)),
        (GONE, (last - due).as_secs_f64()),
    ])
}

/// Writes the keys, each to go at the same whole second of its own: between the
/// returned moment and a second later. They are written for an hour at first, to
/// see how long that takes.
async fn fill(port: u16) -> Result<Instant, Box<dyn Error>> {
    let begun = Instant::now();
    write(port, CONNECTIONS, |number| ttl_put(number, 3_600)).await?;
    let due = Instant::now() + begun.elapsed().mul_f64(2.5) + BEFORE + Duration::from_secs(2);
    let left = move || due.saturating_duration_since(Instant::now()).as_secs() + 1;
    write(port, CONNECTIONS, move |number| ttl_put(number, left())).await?;
    Ok(due)
}

/// The PUT of this number, if there are so many.
fn ttl_put(number: usize, ttl: u64) -> Option<String> {
    (number < KEYS).then(|| put(&format!("ttl/{number}"), &format!("&ttl={ttl}")))
}

/// The last moment when no key had expired, and the first when all had; then nobody
/// needs to write any more.
async fn expiry(
    port: u16,
    due: Instant,
    watching: Arc<AtomicBool>,
) -> std::io::Result<(Instant, Instant)> {
    let mut connection = Connection::open(port).await?;
    let (mut first, mut said) = (Instant::now(), String::new());
    while due.elapsed() < PATIENCE {
        let asked = Instant::now();
        said = String::from_utf8_lossy(connection.ask(&get("stats/store")).await?).into_owned();
        if said.contains("\"expireCount\":0,") {
            first = asked;
        }
        if said.contains(&format!("\"expireCount\":{KEYS},")) {
            watching.store(false, Ordering::Relaxed);
            return Ok((first, Instant::now()));
        }
        sleep(Duration::from_millis(20)).await;
    }
    watching.store(false, Ordering::Relaxed);
    Err(std::io::Error::other(format!("not every key has expired: {said}")))
}

/// The longest time between two answers, in ms.
fn silence(begin: Instant, samples: Vec<Sample>) -> f64 {
    let mut ends: Vec<Instant> = samples.into_iter().map(|sample| sample.ended).collect();
    ends.push(begin);
    ends.sort_unstable();
    let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or_default().as_secs_f64() * 1e3
}
