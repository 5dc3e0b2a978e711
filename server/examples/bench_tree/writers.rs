//! Writers that each send their next request when the last one is answered.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::wire::Connection;

/// One write that was done.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was sent.
    pub begun: Instant,
    /// When it was answered.
    pub ended: Instant,
}

/// Writes on so many connections until `next`, which is given the number of the
/// request, has no more.
pub async fn write(
    port: u16,
    connections: usize,
    next: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
) -> io::Result<Vec<Sample>> {
    let shared = Arc::new((next, AtomicUsize::new(0)));
    let mut writers = JoinSet::new();
    for _ in 0..connections {
        let shared = shared.clone();
        writers.spawn(async move {
            let mut connection = Connection::open(port).await?;
            let mut samples = Vec::new();
            let (next, number) = &*shared;
            while let Some(request) = next(number.fetch_add(1, Ordering::Relaxed)) {
                let begun = Instant::now();
                connection.ask(&request).await?;
                samples.push(Sample { begun, ended: Instant::now() });
            }
            io::Result::Ok(samples)
        });
    }
    let mut samples = Vec::new();
    while let Some(written) = writers.join_next().await {
        samples.extend(written??);
    }
    Ok(samples)
}

/// The 99th percentile of the time to an answer, and the longest, in ms; 0 if
/// there is none.
pub fn p99_and_longest<'a>(samples: impl Iterator<Item = &'a Sample>) -> (f64, f64) {
    let ms = |sample: &Sample| (sample.ended - sample.begun).as_secs_f64() * 1e3;
    let mut times: Vec<f64> = samples.map(ms).collect();
    times.sort_by(f64::total_cmp);
    let at = |index: usize| times.get(index).copied().unwrap_or(0.0);
    (at(times.len() * 99 / 100), at(times.len().saturating_sub(1)))
}

/// A number below `bound` for each number, scattered over all of them.
pub fn scattered(number: usize, bound: usize) -> usize {
    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize % bound
}
