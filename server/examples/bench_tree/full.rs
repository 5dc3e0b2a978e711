//! A store with 200,000 keys: what it takes, how fast it is listed, and how long
//! its slowest writes take.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::server::Site;
use crate::table::{Figure, Floor, Row};
use crate::wire::{Connection, get, put, unchunked};
use crate::writers::{p99_and_longest, scattered, write};

const KEYS: usize = 200_000;
const DIRECTORIES: usize = 100;
/// Keys in one of the two halves, which is listed.
const LISTED: usize = KEYS / 2;
const CONNECTIONS: usize = 64;
/// Writes measured: enough for a snapshot of etcd's, which is due every 100,000.
const WRITES: usize = 110_000;
/// After the fill, before memory is read.
const SETTLING: Duration = Duration::from_secs(3);

const MEMORY: Row = Row {
    name: "resident bytes per key, 200,000 keys of 128 bytes",
    digits: 0,
    floor: Some(Floor::AtMost(600.0)),
};
const LISTING: Row = Row {
    name: "recursive GETs of 100,000 keys, per second",
    digits: 1,
    floor: Some(Floor::TimesEtcd(3.0)),
};
const P99_EMPTY: Row =
    Row { name: "PUT p99 in ms, 64 connections, empty store", digits: 1, floor: None };
const P99_FULL: Row =
    Row { name: "PUT p99 in ms, 64 connections, 200,000 keys", digits: 1, floor: None };
const LONGEST_FULL: Row =
    Row { name: "longest PUT in ms, 64 connections, 200,000 keys", digits: 0, floor: None };
const SLOWED: Row =
    Row { name: "PUT p99 at 200,000 keys ÷ empty", digits: 2, floor: Some(Floor::AtMost(2.0)) };

/// Fills a server and measures it, then one that is empty.
pub async fn measure(site: &Site) -> Result<Vec<Figure>, Box<dyn Error>> {
    let server = site.start("full")?;
    let port = server.port();
    let empty = server.resident()?;
    write(port, CONNECTIONS, |number| (number < KEYS).then(|| put(&key(number), ""))).await?;
    sleep(SETTLING).await;
    let memory = (server.resident()? - empty) / KEYS as f64;
    let listings = list(port, site.seconds).await?;
    let (full, longest) = slowest(port, KEYS).await?;
    drop(server);
    let server = site.start("empty")?;
    let (empty, _) = slowest(server.port(), 1_000).await?;
    Ok(vec![
        (MEMORY, memory),
        (LISTING, listings),
        (P99_EMPTY, empty),
        (P99_FULL, full),
        (LONGEST_FULL, longest),
        (SLOWED, full / empty),
    ])
}

/// In two halves, spread over directories.
fn key(number: usize) -> String {
    let (half, directory) = (number % 2, number / 2 % (DIRECTORIES / 2));
    format!("bench/h{half}/d{directory:02}/k{number:06}")
}

/// Recursive GETs of one half by one client after the other, per second.
async fn list(port: u16, seconds: u64) -> Result<f64, Box<dyn Error>> {
    let mut connection = Connection::open(port).await?;
    let request = get("keys/bench/h0?recursive=true");
    let (begun, mut listings) = (Instant::now(), 0.0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        connection.ask(&request).await?;
        listings += 1.0;
    }
    let rate = listings / begun.elapsed().as_secs_f64();
    let body = connection.ask(&request).await?;
    let body = unchunked(body).unwrap_or_else(|| body.to_vec());
    let listed = String::from_utf8(body)?.matches("\"value\":").count();
    if listed != LISTED {
        return Err(format!("{listed} keys were listed, not {LISTED}").into());
    }
    Ok(rate)
}

/// 99th percentile and longest time of a PUT to one of so many keys, in ms.
async fn slowest(port: u16, keys: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let next = move |number| (number < WRITES).then(|| put(&key(scattered(number, keys)), ""));
    let samples = write(port, CONNECTIONS, next).await?;
    Ok(p99_and_longest(samples.iter()))
}
