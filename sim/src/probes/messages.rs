//! What links do to messages, and lives to those on their way.

use super::{Observers, Probe};

impl Observers {
    /// A message is sent: it will arrive so many times.
    pub fn sent(&mut self, arrivals: usize) {
        self.probes.hit_if(Probe::MessageLost, arrivals == 0);
        self.probes.hit_if(Probe::MessageRepeated, arrivals > 1);
    }

    /// A message is at the end of its link. The lives are the sender's and the
    /// addressee's, when it was sent and now.
    pub fn arrives(&mut self, open: bool, then: [u64; 2], now: [u64; 2]) {
        let other = |who: usize| then[who] != now[who];
        self.probes.hit_if(Probe::MessageCutOff, !open);
        self.probes.hit_if(Probe::MessageOutlivedSender, open && other(0));
        self.probes.hit_if(Probe::MessageFoundAnotherLife, open && other(1));
    }
}
