//! What `/v2/stats` tells: counted by the driver, asked for rarely.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use quorate_engine::message::RaftKind;
use quorate_engine::{Message, NodeId, Role, View};
use tracing::{info, warn};

/// A rate is that of so many appends, the last ones (as etcd's).
const RATE_APPENDS: usize = 200;

/// There is no rate when there was no append for so long (as etcd's).
const RATE_PATIENCE: Duration = Duration::from_secs(1);

/// The driver's counters in one life.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// When this life began.
    pub started: SystemTime,
    /// Appends received.
    pub received: Appends,
    /// Appends sent.
    pub sent: Appends,
    /// The leader known, if any, and since when.
    pub leader: Option<(NodeId, SystemTime)>,
    /// What was sent to each follower while this member led last.
    pub followers: BTreeMap<NodeId, Follower>,
}

/// Appends that went one way.
#[derive(Clone, Debug, Default)]
pub struct Appends {
    /// How many.
    pub count: u64,
    /// When the last ones went, and their bytes.
    last: VecDeque<(Instant, usize)>,
}

/// How one follower answers appends.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    /// Appends that could not be sent.
    pub failed: u64,
    /// Appends that were acknowledged.
    pub succeeded: u64,
    /// The time from an append to its acknowledgement.
    pub latency: Latency,
    waiting_since: Option<Instant>,
}

/// A running summary of latencies, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// The last one.
    pub current: f64,
    /// The shortest.
    pub minimum: f64,
    /// The longest.
    pub maximum: f64,
    count: f64,
    sum: f64,
    sum_of_squares: f64,
}

impl Statistics {
    /// All zero, for the members but this one.
    pub fn new(view: &View) -> Self {
        let others = view.members.iter().filter(|member| member.id != view.id);
        Self {
            started: SystemTime::now(),
            received: Appends::default(),
            sent: Appends::default(),
            leader: None,
            followers: others.map(|member| (member.id, Follower::default())).collect(),
        }
    }

    /// A message has come.
    pub fn received(&mut self, from: NodeId, message: &Message) {
        if let Some(bytes) = message.append_bytes() {
            self.received.add(bytes, Instant::now());
        }
        let Message::Raft(raft) = message else { return };
        if raft.kind != RaftKind::AppendResponse || raft.reject {
            return;
        }
        if let Some(follower) = self.followers.get_mut(&from) {
            follower.succeeded += 1;
            if let Some(since) = follower.waiting_since.take() {
                follower.latency.add(since.elapsed());
            }
        }
    }

    /// An append has gone, or could not.
    pub fn sent(&mut self, to: NodeId, bytes: usize, sent: bool) {
        self.sent.add(bytes, Instant::now());
        if let Some(follower) = self.followers.get_mut(&to) {
            if sent {
                follower.waiting_since.get_or_insert_with(Instant::now);
            } else {
                follower.failed += 1;
            }
        }
    }

    /// Notes changes of the leader; one who begins to lead counts afresh.
    pub fn observe(&mut self, view: &View) {
        if self.leader.map(|(leader, _)| leader) == view.leader {
            return;
        }
        self.leader = view.leader.map(|leader| (leader, SystemTime::now()));
        match view.leader {
            Some(leader) if leader == view.id => info!("this member leads in term {}", view.term),
            Some(leader) => info!("member {leader:x} leads in term {}", view.term),
            None => warn!("no leader is known in term {}", view.term),
        }
        if view.role == Role::Leader {
            self.followers.values_mut().for_each(|follower| *follower = Follower::default());
        }
    }
}

impl Appends {
    /// Appends and bytes per second of late; `None` without two of them.
    pub fn rates(&self, now: Instant) -> Option<(f64, f64)> {
        let ((first, _), (last, _)) = (*self.last.front()?, *self.last.back()?);
        let seconds = (last - first).as_secs_f64();
        if seconds == 0.0 || now.saturating_duration_since(last) > RATE_PATIENCE {
            return None;
        }
        let bytes: usize = self.last.iter().map(|(_, bytes)| bytes).sum();
        #[expect(clippy::cast_precision_loss, reason = "a rate is not exact")]
        let per_second = |count: usize| count as f64 / seconds;
        Some((per_second(self.last.len()), per_second(bytes)))
    }

    fn add(&mut self, bytes: usize, now: Instant) {
        self.count += 1;
        if self.last.len() == RATE_APPENDS {
            self.last.pop_front();
        }
        self.last.push_back((now, bytes));
    }
}

impl Latency {
    /// The mean.
    pub fn average(&self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.sum / self.count }
    }

    /// The standard deviation.
    pub fn standard_deviation(&self) -> f64 {
        if self.count == 0.0 {
            return 0.0;
        }
        let mean = self.average();
        (self.sum_of_squares / self.count - mean * mean).max(0.0).sqrt()
    }

    fn add(&mut self, latency: Duration) {
        let ms = latency.as_secs_f64() * 1_000.0;
        self.minimum = if self.count == 0.0 { ms } else { self.minimum.min(ms) };
        self.maximum = self.maximum.max(ms);
        self.current = ms;
        self.count += 1.0;
        self.sum += ms;
        self.sum_of_squares += ms * ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_appends_and_end_with_them() {
        let began = Instant::now();
        let after = |ms| began + Duration::from_millis(ms);
        let mut appends = Appends::default();
        appends.add(1_000_000, began);
        assert_eq!(appends.rates(began), None);
        for nth in 1..=200 {
            appends.add(30, after(10 * nth));
        }
        assert_eq!(appends.count, 201);
        let (packages, bytes) = appends.rates(after(3_000)).unwrap();
        assert_eq!((packages.round(), bytes.round()), (101.0, 3_015.0));
        assert_eq!(appends.rates(after(3_001)), None);
    }

    #[test]
    fn a_summary_of_two() {
        let mut latency = Latency::default();
        assert_eq!((latency.average(), latency.standard_deviation()), (0.0, 0.0));
        latency.add(Duration::from_millis(4));
        latency.add(Duration::from_millis(2));
        assert_eq!((latency.minimum, latency.maximum, latency.current), (2.0, 4.0, 2.0));
        assert_eq!((latency.average(), latency.standard_deviation()), (3.0, 1.0));
    }
}
