//! A history that is over, told to a stream as it happened.

use super::{Hint, Place, Stream, Violation};
use crate::history::{History, Moment, OpId, Operation};

/// Everything that clients without a clock can hold against the cluster: that the history
/// is linearizable in the order that the hint claims, and that local reads were true and
/// did not go back. See [`Stream`].
pub fn check(history: &History, hint: &Hint) -> Result<(), Violation> {
    let mut stream = Stream::new(hint.genesis());
    let told = tell(&mut stream, history, hint);
    told.map_err(|violation| with_hindsight(violation, &stream, history))
}

/// Each event is told before the first answer at its store index, or behind it; and of
/// who was never answered it is told at once that nobody waits.
fn tell<'a>(
    stream: &mut Stream<&'a Operation>,
    history: &'a History,
    hint: &Hint,
) -> Result<(), Violation> {
    let mut events = hint.events().cloned().peekable();
    let mut oldest = oldest_local_reads(history);
    let from = |oldest: &[(OpId, Place)]| oldest.last().map_or(Place::END, |(_, place)| *place);
    stream.local_reads_from(from(&oldest))?;
    for moment in history.moments() {
        match *moment {
            Moment::Called(id) => {
                let operation = &history.operations()[id];
                stream.call(operation);
                if operation.returned_at.is_none() {
                    stream.done(operation)?;
                }
                if oldest.pop_if(|(oldest, _)| *oldest == id).is_some() {
                    stream.local_reads_from(from(&oldest))?;
                }
            }
            Moment::Returned(id) => {
                let operation = &history.operations()[id];
                let told = operation.answer.store_index();
                while let Some(event) = events.next_if(|event| Some(event.index()) <= told) {
                    stream.applied(event)?;
                }
                if events.peek().is_none() {
                    stream.complete()?;
                }
                stream.done(operation)?;
            }
        }
    }
    events.try_for_each(|event| stream.applied(event))?;
    stream.end()
}

/// The local reads that were answered from before all that were called after them, last
/// first.
fn oldest_local_reads(history: &History) -> Vec<(OpId, Place)> {
    let mut oldest: Vec<(OpId, Place)> = Vec::new();
    for operation in history.operations().iter().rev().filter(|it| it.is_local()) {
        let Some(place) = operation.answer.position().map(Place::from) else { continue };
        if oldest.last().is_none_or(|(_, before)| place < *before) {
            oldest.push((operation.id, place));
        }
    }
    oldest
}

/// An event that nobody can have done by what was told so far: the record also has who
/// will say so too late, and what the stream has let go of.
fn with_hindsight(
    violation: Violation,
    stream: &Stream<&Operation>,
    history: &History,
) -> Violation {
    let Violation::Phantom { event, .. } = violation else { return violation };
    let mut operations = history.operations().iter();
    if let Some(after) = operations.clone().find(|it| it.event() == Some(&event))
        && let Some(before) = seen_before(history, after.id, event.index())
    {
        let (before, after) = (before.clone().into(), after.clone().into());
        return Violation::OutOfOrder { before, after };
    }
    let suspect = operations.rfind(|operation| stream.explains(operation, &event));
    Violation::Phantom { event, suspect: suspect.cloned().map(Box::new) }
}

/// Who had been answered from this store index or a later one before a call.
fn seen_before(history: &History, called: OpId, index: u64) -> Option<&Operation> {
    let moments = history.moments().iter();
    let before = moments.take_while(|moment| **moment != Moment::Called(called));
    let answered = before.filter_map(|moment| match *moment {
        Moment::Returned(id) => Some(&history.operations()[id]),
        Moment::Called(_) => None,
    });
    answered.into_iter().find(|operation| operation.answer.store_index() >= Some(index))
}
