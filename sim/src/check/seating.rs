//! Which write of unknown outcome stands behind which event.

use std::collections::{BTreeMap, VecDeque};

use crate::history::OpId;

/// A matching in the bipartite graph of events and the writes able to explain them.
///
/// A writer taken in haste may be the only one for a later event (two deletes of
/// one key may both explain the first, and only one the second), so when no
/// able writer is free the ones seated are asked to move, along an augmenting
/// path. By Berge's theorem there is one if the events so far can be explained
/// at all: nothing is given up.
///
/// What can never move is let go of. Which writes can explain an event does not change
/// any more, so once no way leads from an event to a free writer none ever will, and
/// all the writers on these ways are taken for good.
#[derive(Debug, Default)]
pub(super) struct Seating {
    able: BTreeMap<u64, Vec<OpId>>,
    writer: BTreeMap<u64, OpId>,
    event: BTreeMap<OpId, u64>,
}

/// By which event each writer on a way is wanted.
type Wanted = BTreeMap<OpId, u64>;

impl Seating {
    /// Finds a writer for the event at this index. The writers that are now taken for
    /// good; nothing if the event has none.
    pub fn seat(&mut self, index: u64, able: Vec<OpId>) -> Option<Vec<OpId>> {
        self.able.insert(index, able);
        let (free, wanted) = self.search(index);
        self.shift(free?, &wanted);
        Some(self.let_go(index))
    }

    /// How many events are seated, but not for good.
    pub fn len(&self) -> usize {
        self.able.len()
    }

    /// Looks for a free writer that an event may have if others move, breadth first.
    fn search(&self, index: u64) -> (Option<OpId>, Wanted) {
        let mut wanted = Wanted::new();
        let mut queue = VecDeque::from([index]);
        while let Some(event) = queue.pop_front() {
            for &id in &self.able[&event] {
                if wanted.contains_key(&id) {
                    continue;
                }
                wanted.insert(id, event);
                match self.event.get(&id) {
                    Some(&seated) => queue.push_back(seated),
                    None => return (Some(id), wanted),
                }
            }
        }
        (None, wanted)
    }

    /// Gives a free writer to the event that wants it, and the one that had to
    /// the event that wants that, up to the event that had none.
    fn shift(&mut self, free: OpId, wanted: &Wanted) {
        let mut next = Some(free);
        while let Some(id) = next {
            let event = wanted[&id];
            self.event.insert(id, event);
            next = self.writer.insert(event, id);
        }
    }

    /// Lets go of an event from which no way leads to a free writer, with all on its
    /// ways, and then of others that had only these ways left.
    fn let_go(&mut self, index: u64) -> Vec<OpId> {
        let mut gone = Vec::new();
        let mut suspects = vec![index];
        while let Some(index) = suspects.pop() {
            if !self.able.contains_key(&index) {
                continue;
            }
            let (None, taken) = self.search(index) else { continue };
            for id in taken.keys() {
                let event = self.event.remove(id).expect("no writer on its ways is free");
                self.writer.remove(&event);
                self.able.remove(&event);
            }
            for (&event, able) in &mut self.able {
                let before = able.len();
                able.retain(|id| !taken.contains_key(id));
                suspects.extend((able.len() < before).then_some(event));
            }
            gone.extend(taken.into_keys());
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_able_writer_is_taken_for_good() {
        let mut seating = Seating::default();
        assert_eq!(seating.seat(4, vec![1]), Some(vec![1]));
        assert_eq!(seating.len(), 0);
    }

    #[test]
    fn one_of_two_may_still_move() {
        let mut seating = Seating::default();
        assert_eq!(seating.seat(4, vec![1, 2]), Some(vec![]));
        assert_eq!(seating.len(), 1);
        assert_eq!(seating.seat(5, vec![1]), Some(vec![1, 2]), "2 moves to event 4");
        assert_eq!(seating.len(), 0);
    }

    #[test]
    fn who_had_only_one_way_left_goes_too() {
        let mut seating = Seating::default();
        assert_eq!(seating.seat(4, vec![1, 2]), Some(vec![]));
        assert_eq!(seating.seat(5, vec![2]), Some(vec![2, 1]));
        assert_eq!(seating.len(), 0);
    }

    #[test]
    fn as_long_as_one_is_free_nobody_is_let_go_of() {
        let mut seating = Seating::default();
        assert_eq!(seating.seat(4, vec![1, 2]), Some(vec![]));
        assert_eq!(seating.seat(5, vec![1, 2, 3]), Some(vec![]));
        assert_eq!(seating.seat(6, vec![1, 2]), Some(vec![1, 2, 3]));
        assert_eq!(seating.seat(7, vec![]), None);
    }
}
