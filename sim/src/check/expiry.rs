//! Expiry, as it must be seen: beside a replay of the events.

use quorate_engine::command::Stamp;
use quorate_engine::tree::{Action, EXPIRIES_PER_ENTRY, Event};

use super::Violation;
use crate::history::Operation;
use crate::model::Model;

/// Holds the nodes to their own clock. An entry of the log first moves the clock
/// and then removes what is due, so at every event and every answer:
///
/// - the clock has not gone back;
/// - what expires was due, and was due first;
/// - nothing that is due is there any more, unless entries with this very stamp
///   have removed all that entries may.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// Cluster time of the last expiry, and how many there were at it.
    expired: (u64, usize),
}

impl Expiry {
    /// The next event, which the model has not installed yet: it is told the time.
    pub fn happened(&mut self, model: &mut Model, event: &Event) -> Result<(), Violation> {
        if event.stamp < model.clock() {
            let before = model.clock();
            return Err(Violation::StampFell { event: event.clone().into(), before });
        }
        model.tell_time(event.stamp);
        if event.action != Action::Expire {
            return self.nothing_due(model);
        }
        let first = model.due();
        if first.as_ref() != Some(event) {
            let (event, first) = (event.clone().into(), first.map(Box::new));
            return Err(Violation::NotDue { event, first });
        }
        let time = event.stamp.cluster_ms;
        let many = if self.expired.0 == time { self.expired.1 } else { 0 };
        self.expired = (time, many + 1);
        Ok(())
    }

    /// An answer at the model's place: the model is told its clock.
    pub fn answered(&self, model: &mut Model, operation: &Operation) -> Result<(), Violation> {
        let Some(at) = operation.answer.position() else { return Ok(()) };
        model.tell_time(at.clock);
        self.nothing_due(model)
    }

    fn nothing_due(&self, model: &Model) -> Result<(), Violation> {
        let Some(event) = model.due() else { return Ok(()) };
        let Stamp { cluster_ms, .. } = model.clock();
        let (time, many) = self.expired;
        if time == cluster_ms && many > 0 && many.is_multiple_of(EXPIRIES_PER_ENTRY) {
            return Ok(());
        }
        Err(Violation::Overdue { event: event.into() })
    }
}
