//! Three candidates for one office, two observers.
//!
//! **Oracle**: of those who believe to lead there is one at a time, and terms rise;
//! every observer sees leaders in the order of their terms, each under the name by
//! which it was elected. In the calm, whether leaders resign or just stop, the next
//! is elected within the bound, and every observer hears of it within 3 s.

use std::collections::BTreeMap;

use quorate_recipes::election::{Leader, Observer, campaign};
use quorate_recipes::{Refusal, Store};

use super::spans::{Belief, Span, held, hold};
use super::{Client, End, Happened, Note, Notes, SECOND, Verdict, Who};
use crate::history::Seconds;

const OFFICE: &str = "/r/office";
const CANDIDATES: u64 = 3;
const TTL: u64 = 3;
/// As for the lock, and a leader holds the office for less than 3 s.
const BOUND: u64 = 9 * SECOND;
/// How long after an election every observer must have heard of it.
const NEWS: u64 = 3 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    Believed(Belief),
    /// An observer was told who leads.
    Saw(Option<Leader>),
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    if client.who.id > CANDIDATES {
        let mut observer = Observer::new(OFFICE);
        loop {
            let leader = observer.next(&client).await?;
            client.note(&notes, Told::Saw(leader));
        }
    }
    let name = client.who.to_string();
    loop {
        client.sleep(client.between(1, 300)).await;
        let lease = campaign(&client, OFFICE, &name, TTL).await?;
        hold(&client, lease, |belief| client.note(&notes, Told::Believed(belief))).await?;
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let held = held(notes, |told| match told {
        Told::Believed(belief) => Some(*belief),
        Told::Saw(_) => None,
    })?;
    let mut seen = BTreeMap::<Who, &Leader>::new();
    for note in notes {
        let Told::Saw(Some(leader)) = &note.what else { continue };
        if let Some(before) = seen.insert(note.who, leader)
            && before.term >= leader.term
        {
            return Err(format!("{} saw {before:?}, then {leader:?}", note.who));
        }
        let elected = held.iter().find(|span| span.token == leader.term);
        if let Some(elected) = elected.filter(|span| span.who.to_string() != leader.name) {
            return Err(format!("{} saw {leader:?}, who is {elected:?}", note.who));
        }
    }
    for who in end.living_beyond(CANDIDATES) {
        hears_in_time(who, notes, &held, end)?;
    }
    end.goes_on("an election", held.iter().map(|span| span.from), BOUND)?;
    Ok(Happened::often(held.len()))
}

/// Whether an observer heard of every leader in time, or of one after it.
fn hears_in_time(
    who: Who,
    notes: &[Note<Told>],
    held: &[Span],
    end: &End<'_>,
) -> Result<(), String> {
    for span in held {
        let due = span.from.max(end.calm.start) + NEWS;
        let heard = notes.iter().filter(|note| note.who == who && note.at <= due);
        let mut heard = heard.filter_map(|note| match &note.what {
            Told::Saw(leader) => leader.as_ref(),
            Told::Believed(_) => None,
        });
        if due < end.calm.end && !heard.any(|leader| leader.term >= span.token) {
            return Err(format!("{who} had not heard of {span:?} at {}", Seconds(due)));
        }
    }
    Ok(())
}
