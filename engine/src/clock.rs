//! Cluster time: the clock that a leader stamps entries with.

use crate::command::Stamp;

/// This node's ticks, its wall clock, and, while it leads, cluster time.
#[derive(Debug)]
pub(crate) struct Clock {
    tick_ms: u64,
    ticks: u64,
    wall_ms: u64,
    /// Cluster time while this node leads.
    led: Option<Led>,
}

/// Cluster time as one leader tells it.
#[derive(Clone, Copy, Debug)]
struct Led {
    /// Where it began, in ms, and at which tick it begins to count.
    from: (u64, u64),
    /// Cluster time of the last entry stamped, and its raft index.
    last: (u64, u64),
}

impl Clock {
    /// A clock at its first moment.
    pub fn new(tick_ms: u64) -> Self {
        Self { tick_ms, ticks: 0, wall_ms: 0, led: None }
    }

    /// One tick interval has passed.
    pub fn tick(&mut self, wall_ms: u64) {
        self.ticks += 1;
        self.wall_ms = wall_ms;
    }

    /// Ticks since birth.
    pub fn now(&self) -> u64 {
        self.ticks
    }

    /// This node leads, and the highest stamp in its log is this, as of `applied`:
    /// cluster time goes on from there, by this node's ticks. The first of them
    /// does not count: it may come at once, and time must not run ahead.
    pub fn lead(&mut self, highest: Stamp, applied: u64) {
        let (from, last) = ((highest.cluster_ms, self.ticks + 1), (highest.cluster_ms, applied));
        self.led.get_or_insert(Led { from, last });
    }

    /// This node does not lead.
    pub fn follow(&mut self) {
        self.led = None;
    }

    /// Whether cluster time is this node's to tell.
    pub fn leads(&self) -> bool {
        self.led.is_some()
    }

    /// An entry bears the stamp of this moment.
    ///
    /// # Panics
    /// If this node does not lead.
    pub fn stamped(&mut self, index: u64) {
        let last = (self.stamp().cluster_ms, index);
        self.led.as_mut().expect("only a serving leader stamps").last = last;
    }

    /// Whether a leader has to log the time by itself, given what is due next in
    /// the state as applied: something is overdue and no entry under way will
    /// remove it, or nothing else has told the time for so long.
    pub fn wants_stamp(&self, deadline: u64, applied: u64, interval_ms: u64) -> bool {
        let Some(Led { last: (stamped, index), .. }) = self.led else { return false };
        let now = self.stamp().cluster_ms;
        if deadline <= now {
            return stamped < deadline || index <= applied;
        }
        now - stamped >= interval_ms
    }

    /// The stamp of an entry proposed now.
    ///
    /// # Panics
    /// If this node does not lead.
    pub fn stamp(&self) -> Stamp {
        let (cluster_ms, tick) = self.led.expect("only a serving leader stamps").from;
        let passed = self.ticks.saturating_sub(tick).saturating_mul(self.tick_ms);
        Stamp {
            cluster_ms: cluster_ms.saturating_add(passed),
            wall_ms: self.wall_ms,
            tick_ms: self.tick_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MS: u64 = 100;

    fn leading_from(cluster_ms: u64) -> Clock {
        let mut clock = Clock::new(TICK_MS);
        clock.tick(7);
        clock.lead(Stamp { cluster_ms, ..Stamp::default() }, 5);
        clock
    }

    #[test]
    fn the_first_tick_of_a_leader_does_not_count() {
        let mut clock = leading_from(1_000);
        let mut times = Vec::new();
        for wall_ms in [8, 9, 3] {
            times.push(clock.stamp());
            clock.tick(wall_ms);
        }
        let at = |cluster_ms, wall_ms| Stamp { cluster_ms, wall_ms, tick_ms: TICK_MS };
        assert_eq!(times, [at(1_000, 7), at(1_000, 8), at(1_100, 9)]);
        assert_eq!(clock.stamp(), at(1_200, 3));
    }

    #[test]
    fn what_is_overdue_wants_one_stamp_at_a_time() {
        let mut clock = leading_from(0);
        (0..11).for_each(|_| clock.tick(0));
        let wants = |clock: &Clock, applied| clock.wants_stamp(1_000, applied, 5_000);
        assert!(wants(&clock, 5));
        clock.stamped(6);
        assert!(!wants(&clock, 5), "the entry under way will do it");
        assert!(wants(&clock, 6), "it has not done it: more was due than one entry removes");
    }

    #[test]
    fn an_entry_from_before_the_deadline_does_not_do() {
        let mut clock = leading_from(0);
        (0..10).for_each(|_| clock.tick(0));
        clock.stamped(6);
        assert!(!clock.wants_stamp(1_000, 5, 5_000), "it is not due yet");
        clock.tick(0);
        assert!(clock.wants_stamp(1_000, 5, 5_000));
    }

    #[test]
    fn time_is_logged_when_nothing_else_has_told_it() {
        let mut clock = leading_from(0);
        (0..5).for_each(|_| clock.tick(0));
        assert!(!clock.wants_stamp(u64::MAX, 5, 500));
        clock.tick(0);
        assert!(clock.wants_stamp(u64::MAX, 5, 500));
        clock.stamped(6);
        assert!(!clock.wants_stamp(u64::MAX, 6, 500));
        clock.follow();
        assert!(!clock.wants_stamp(0, 6, 500));
    }
}
