//! Every directed link, and what its weather does to a connection.
//!
//! A TCP connection delivers every byte once and in order, or breaks. So a *delay*
//! holds up what comes behind it too; *loss* breaks the connection, and with it goes
//! what was under way; a *cut* either holds everything back until it ends, as when
//! packets are dropped and sent again, or breaks the connection and every new one.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_engine::NodeId;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::weather::{LinkWeather, stream, worse_links};

/// From whom to whom.
pub(super) type Link = (NodeId, NodeId);

/// What a cut does to the connections of its links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// It holds back what they carry until it ends.
    Holds,
    /// It breaks them, and every new one.
    Breaks,
}

/// How long nobody looks whether the run has ended.
const GLANCE: Duration = Duration::from_millis(200);

/// All links of one run.
#[derive(Debug)]
pub(super) struct Links {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    weather: LinkWeather,
    rng: Xoshiro256PlusPlus,
    /// How much worse than the weather each link is.
    worse: BTreeMap<Link, f64>,
    /// How many cuts of either kind lie on a link.
    cuts: BTreeMap<(Link, Way), u32>,
    /// The members by the ids that they greet with; none before they are known.
    names: BTreeMap<u64, NodeId>,
    /// Whoever has greeted before that.
    strangers: Vec<u64>,
    calm: bool,
    ended: bool,
}

/// What becomes of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They arrive after so long.
    Arrives(Duration),
    /// The connection breaks.
    Breaks,
}

impl Links {
    /// Calm until [`Links::begin`].
    pub fn new(weather: LinkWeather, nodes: u64, seed: u64) -> Self {
        let state = State {
            weather,
            worse: worse_links(nodes, seed),
            rng: stream(seed, "real links"),
            cuts: BTreeMap::new(),
            names: BTreeMap::new(),
            strangers: Vec::new(),
            calm: true,
            ended: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// These are the members, and the weather begins.
    pub fn begin(&self, names: Vec<(u64, NodeId)>) -> Result<(), String> {
        let mut state = self.lock();
        state.names = names.into_iter().collect();
        state.calm = false;
        match state.strangers.iter().find(|id| !state.names.contains_key(id)) {
            None => Ok(()),
            Some(id) => Err(format!("{id:x} has greeted a member and is none")),
        }
    }

    /// From now on no link is cut and no connection broken.
    pub fn calm(&self) {
        let mut state = self.lock();
        state.calm = true;
        state.cuts.clear();
        self.changed.notify_all();
    }

    /// Nothing is carried any more.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    pub fn cut(&self, links: &[Link], way: Way) {
        let mut state = self.lock();
        for link in links {
            *state.cuts.entry((*link, way)).or_default() += 1;
        }
        self.changed.notify_all();
    }

    /// Ends one such cut of each of these links.
    pub fn join(&self, links: &[Link], way: Way) {
        let mut state = self.lock();
        for link in links {
            if let Some(cuts) = state.cuts.get_mut(&(*link, way)) {
                *cuts = cuts.saturating_sub(1);
            }
        }
        self.changed.notify_all();
    }

    /// Who greets with this id; nobody if it is known that it is no member. While the
    /// members are not known yet, no link is cut.
    pub fn greeted(&self, id: u64) -> bool {
        let mut state = self.lock();
        if state.names.is_empty() {
            state.strangers.push(id);
            return true;
        }
        state.names.contains_key(&id)
    }

    /// What becomes of the next bytes that this member says to another.
    pub fn fate(&self, id: u64, to: NodeId) -> Fate {
        let mut state = self.lock();
        let from = state.names.get(&id).copied();
        let State { weather, rng, calm, worse, .. } = &mut *state;
        let [low, high] = weather.delay_ms;
        let ms = rng.random_range(low..=high);
        let late = rng.random_bool(weather.tail) && !*calm;
        let worse = from.and_then(|from| worse.get(&(from, to)).copied()).unwrap_or(1.0);
        let lost = rng.random_bool((weather.loss * worse).min(1.0)) && !*calm;
        match lost {
            true => Fate::Breaks,
            false => Fate::Arrives(Duration::from_millis(if late { ms * 20 } else { ms })),
        }
    }

    /// Waits while what this member says to another is held back; whether the
    /// connection is whole then.
    pub fn passes(&self, id: u64, to: NodeId) -> bool {
        let mut state = self.lock();
        loop {
            let is_cut =
                |way| state.names.get(&id).is_some_and(|from| state.is_cut(*from, to, way));
            if state.ended || is_cut(Way::Breaks) {
                return false;
            }
            if !is_cut(Way::Holds) {
                return true;
            }
            let waited = self.changed.wait_timeout(state, GLANCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_cut(&self, from: NodeId, to: NodeId, way: Way) -> bool {
        self.cuts.get(&((from, to), way)).is_some_and(|cuts| *cuts > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn links(weather: LinkWeather) -> Links {
        let links = Links::new(weather, 2, 1);
        links.begin(vec![(0xA, 1), (0xB, 2)]).unwrap();
        links
    }

    #[test]
    fn a_cut_breaks_in_its_direction_until_the_last_one_ends() {
        let links = links(LinkWeather::default());
        links.cut(&[(1, 2)], Way::Breaks);
        links.cut(&[(1, 2)], Way::Breaks);
        links.join(&[(1, 2)], Way::Breaks);
        assert!(!links.passes(0xA, 2));
        assert!(links.passes(0xB, 1), "the way back is open");
        links.join(&[(1, 2)], Way::Breaks);
        assert!(links.passes(0xA, 2));
    }

    #[test]
    fn a_cut_holds_back_until_it_ends_or_the_storm_does() {
        let links = Arc::new(links(LinkWeather::default()));
        let ends: [fn(&Links); 2] = [|it| it.join(&[(1, 2)], Way::Holds), Links::calm];
        for end in ends {
            links.cut(&[(1, 2)], Way::Holds);
            let it = links.clone();
            let passing = thread::spawn(move || it.passes(0xA, 2));
            thread::sleep(Duration::from_millis(20));
            assert!(!passing.is_finished(), "it is held back");
            end(&links);
            assert!(passing.join().unwrap());
        }
    }

    #[test]
    fn loss_breaks_and_a_tail_is_late_but_not_in_a_calm() {
        let links = links(LinkWeather { loss: 1.0, tail: 1.0, ..LinkWeather::default() });
        links.lock().worse.clear();
        assert_eq!(links.fate(0xA, 2), Fate::Breaks);
        links.calm();
        assert!(matches!(links.fate(0xA, 2), Fate::Arrives(after) if after.as_millis() <= 4));
    }

    #[test]
    fn a_stranger_is_told_from_a_member() {
        let links = Links::new(LinkWeather::default(), 2, 1);
        assert!(links.greeted(0xC), "nobody is known yet");
        assert!(links.begin(vec![(0xA, 1)]).unwrap_err().starts_with("c has greeted"));
        assert!(links.greeted(0xA) && !links.greeted(0xC));
    }
}
