//! Links between nodes: what happens to a message on its way.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_engine::NodeId;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::{scenario, stream};

/// Every directed link.
#[derive(Debug)]
pub(crate) struct Links {
    weather: scenario::Links,
    rng: Xoshiro256PlusPlus,
    /// How many cuts lie on a link; none if it is open.
    cuts: BTreeMap<(NodeId, NodeId), u32>,
    calm: bool,
}

impl Links {
    pub fn new(weather: scenario::Links, seed: u64) -> Self {
        Self { weather, rng: stream(seed, "links"), cuts: BTreeMap::new(), calm: false }
    }

    /// From now on no message is lost, repeated or late.
    pub fn calm(&mut self) {
        self.calm = true;
        self.cuts.clear();
    }

    pub fn cut(&mut self, links: &[(NodeId, NodeId)]) {
        for link in links {
            *self.cuts.entry(*link).or_default() += 1;
        }
    }

    pub fn join(&mut self, links: &[(NodeId, NodeId)]) {
        for link in links {
            if let Some(cuts) = self.cuts.get_mut(link) {
                *cuts = cuts.saturating_sub(1);
            }
        }
    }

    pub fn is_open(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts.get(&(from, to)).is_none_or(|cuts| *cuts == 0)
    }

    /// When the copies of a message arrive: none if it is lost, two if it is
    /// repeated. Delays differ, so messages overtake each other.
    pub fn send(&mut self, from: NodeId, to: NodeId) -> Vec<Duration> {
        let Self { weather, rng, calm, .. } = self;
        let [low, high] = weather.delay_ms;
        let mut delay = || {
            let ms = rng.random_range(low..=high);
            let late = rng.random_bool(weather.tail) && !*calm;
            Duration::from_millis(if late { ms * 20 } else { ms })
        };
        let mut arrivals = vec![delay(), delay()];
        let lost = rng.random_bool(weather.loss) && !*calm;
        let repeated = rng.random_bool(weather.duplicate) && !*calm;
        arrivals.truncate(1 + usize::from(repeated));
        if lost || !self.is_open(from, to) { Vec::new() } else { arrivals }
    }
}
