//! Four processes want one lock, in the order of tickets.
//!
//! **Oracle**: of those who believe to hold the lock there is one at a time, and their
//! tickets rise: nobody is passed over. Who waits is woken by a ticket before its own
//! and by nothing else, and of those who have a ticket one event wakes one. In the
//! calm somebody gets the lock again and again.

use std::cell::Cell;
use std::collections::BTreeMap;

use quorate_recipes::lease::belief_ms;
use quorate_recipes::{Failure, Refusal, Reply, Request, Store, fair_lock};

use super::spans::{Belief, held, hold};
use super::{Client, End, Happened, Note, Notes, SECOND, Verdict};

const DIR: &str = "/r/fair";
const TTL: u64 = 3;
/// The tickets of the dead live for 3 s, a seventh more by a slow clock, and so does
/// one that a holder does not release; it works for less than 3 s.
const BOUND: u64 = 9 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    Believed(Belief),
    /// The holder of a ticket that is to be believed in until then was woken by an
    /// event of this key, at this index.
    Woken {
        ticket: String,
        until: u64,
        key: String,
        index: u64,
    },
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    loop {
        client.sleep(client.between(1, 300)).await;
        let mut ticket = fair_lock::draw(&client, DIR, TTL).await?;
        let until = client.true_ns(ticket.until_ms);
        let waiter = Waiter {
            client: &client,
            notes: &notes,
            ticket: ticket.key.clone(),
            until: Cell::new(until),
        };
        if fair_lock::wait(&waiter, DIR, &mut ticket).await? && ticket.is_held(&client) {
            hold(&client, ticket, |belief| client.note(&notes, Told::Believed(belief))).await?;
        }
    }
}

/// A client that notes what wakes it.
struct Waiter<'a> {
    client: &'a Client,
    notes: &'a Notes<Told>,
    ticket: String,
    /// Until when its ticket is there for sure: the last refresh that was answered.
    until: Cell<u64>,
}

impl Store for Waiter<'_> {
    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        let (is_watch, is_refresh) =
            (matches!(request, Request::Watch(_)), matches!(request, Request::Put(_)));
        let sent_ms = self.client.now_ms();
        let reply = self.client.request(request).await?;
        if is_refresh {
            self.until.set(self.client.true_ns(sent_ms + belief_ms(TTL)));
        }
        if let (true, Some(node)) = (is_watch, &reply.node) {
            let (ticket, until) = (self.ticket.clone(), self.until.get());
            let (key, index) = (node.key.clone(), node.modified_index);
            self.client.note(self.notes, Told::Woken { ticket, until, key, index });
        }
        Ok(reply)
    }

    async fn sleep(&self, ms: u64) {
        self.client.sleep(ms).await;
    }

    fn now_ms(&self) -> u64 {
        self.client.now_ms()
    }

    fn random(&self) -> u64 {
        self.client.random()
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let held = held(notes, |told| match told {
        Told::Believed(belief) => Some(*belief),
        Told::Woken { .. } => None,
    })?;
    let mut woken = BTreeMap::new();
    for note in notes {
        let Told::Woken { ticket, until, key, index } = &note.what else { continue };
        if key >= ticket {
            return Err(format!("{ticket} was woken by {key}"));
        }
        if note.at < *until
            && let Some(other) = woken.insert(index, ticket)
            && other != ticket
        {
            return Err(format!("{key} at {index} woke {ticket} and {other}"));
        }
    }
    end.goes_on("the lock", held.iter().map(|span| span.from), BOUND)?;
    Ok(Happened { recipe: held.len() as u64, contended: woken.len() as u64 })
}
