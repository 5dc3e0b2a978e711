//! Links between nodes: what happens to a message on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use madsim::time::Instant;
use quorate_engine::NodeId;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use super::plan::{Broken, How};
use super::{scenario, stream};

/// Every directed link.
#[derive(Debug)]
pub(crate) struct Links {
    weather: scenario::Links,
    rng: Xoshiro256PlusPlus,
    /// How much worse than the weather each link is: not at all, or several times.
    worse: BTreeMap<(NodeId, NodeId), f64>,
    /// How many cuts lie on a link; none if it is open.
    cuts: BTreeMap<(NodeId, NodeId), u32>,
    /// Until when a link holds back what it carries.
    clogged: BTreeMap<(NodeId, NodeId), Instant>,
    calm: bool,
}

/// How much worse than the weather each link is, drawn.
pub(crate) fn worse(nodes: u64, seed: u64) -> BTreeMap<(NodeId, NodeId), f64> {
    let mut drawn = stream(seed, "worse links");
    let links = (1..=nodes).flat_map(|a| (1..=nodes).map(move |b| (a, b)));
    links.map(|link| (link, [0.0, 1.0, 1.0, 3.0][drawn.random_range(0..4)])).collect()
}

impl Links {
    pub fn new(weather: scenario::Links, nodes: u64, seed: u64) -> Self {
        Self {
            weather,
            rng: stream(seed, "links"),
            worse: worse(nodes, seed),
            cuts: BTreeMap::new(),
            clogged: BTreeMap::new(),
            calm: false,
        }
    }

    /// From now on no message is lost, repeated or late, but for those of nodes that
    /// stay broken.
    pub fn calm(&mut self, broken: &[Broken]) {
        self.calm = true;
        self.cuts.clear();
        self.clogged.clear();
        let nodes: BTreeSet<NodeId> = self.worse.keys().map(|(from, _)| *from).collect();
        for Broken { node, how } in broken {
            let others = nodes.iter().filter(|other| *other != node);
            for other in others {
                let (there, back) = ((*node, *other), (*other, *node));
                match how {
                    How::Isolated => self.cut(&[there, back]),
                    How::Mute => self.cut(&[there]),
                    How::Deaf => self.cut(&[back]),
                    _ => {}
                }
            }
        }
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

    pub fn clog(&mut self, links: &[(NodeId, NodeId)], until: Instant) {
        for link in links {
            let clogged = self.clogged.entry(*link).or_insert(until);
            *clogged = until.max(*clogged);
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
        let held = self
            .clogged
            .get(&(from, to))
            .map(|until| until.saturating_duration_since(Instant::now()));
        let mut delay = || {
            let ms = rng.random_range(low..=high);
            let late = rng.random_bool(weather.tail) && !*calm;
            held.unwrap_or_default() + Duration::from_millis(if late { ms * 20 } else { ms })
        };
        let mut arrivals = vec![delay(), delay()];
        let worse = self.worse.get(&(from, to)).copied().unwrap_or(1.0);
        let lost = rng.random_bool((weather.loss * worse).min(1.0)) && !*calm;
        let repeated = rng.random_bool(weather.duplicate) && !*calm;
        arrivals.truncate(1 + usize::from(repeated));
        if lost || !self.is_open(from, to) { Vec::new() } else { arrivals }
    }
}
