//! Messages on their way: one queue per pair of nodes and direction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_engine::{Message, NodeId};

type Link = (NodeId, NodeId);

#[derive(Debug, Default)]
pub(super) struct Network {
    links: BTreeMap<Link, VecDeque<(u64, Message)>>,
    cut: BTreeSet<Link>,
    held: BTreeSet<Link>,
}

impl Network {
    /// Puts a message on its way, unless the link is cut.
    pub fn send(&mut self, from: NodeId, to: NodeId, order: u64, message: Message) {
        if !self.is_cut(from, to) {
            self.links.entry((from, to)).or_default().push_back((order, message));
        }
    }

    pub fn take(&mut self, from: NodeId, to: NodeId, nth: usize) -> Option<Message> {
        self.links.get_mut(&(from, to))?.remove(nth).map(|(_, message)| message)
    }

    pub fn look(&self, from: NodeId, to: NodeId, nth: usize) -> Option<&Message> {
        self.links.get(&(from, to))?.get(nth).map(|(_, message)| message)
    }

    pub fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains(&(from, to))
    }

    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
        self.links.remove(&(from, to));
    }

    pub fn hold(&mut self, from: NodeId, to: NodeId) {
        self.held.insert((from, to));
    }

    pub fn heal(&mut self) {
        self.cut.clear();
        self.held.clear();
    }

    /// The first message of every link that is not held.
    pub fn due(&self) -> impl Iterator<Item = (u64, NodeId, NodeId)> {
        let free = self.links.iter().filter(|(link, _)| !self.held.contains(link));
        free.filter_map(|((from, to), queue)| queue.front().map(|(order, _)| (*order, *from, *to)))
    }

    pub fn busy(&self) -> impl Iterator<Item = Link> {
        self.links.iter().filter(|(_, queue)| !queue.is_empty()).map(|(link, _)| *link)
    }

    pub fn under_way(&self) -> impl Iterator<Item = String> {
        self.links.iter().flat_map(|((from, to), queue)| {
            queue.iter().map(move |(_, message)| format!("n{from} to n{to}: {message}"))
        })
    }
}
