//! Four processes want one lock and write to one resource; some do not look at their
//! lease before they write, and some sleep over it first.
//!
//! **Oracle**: of those who believe to hold the lock there is one at a time, though
//! they are paused and their clocks are wrong; tokens rise from holder to holder; in
//! the order of the resource's indexes the tokens of accepted writes never fall. In
//! the calm somebody gets the lock again and again.

use std::collections::BTreeMap;

use quorate_recipes::guarded::{Writer, take_over};
use quorate_recipes::{Refusal, Store, lock};

use super::spans::{Belief, held};
use super::{Client, End, Happened, Note, Notes, SECOND, Verdict};

const LOCK: &str = "/r/lock";
const RESOURCE: &str = "/r/resource";
const TTL: u64 = 3;
/// A dead holder's key lives for 3 s, a seventh more by a slow clock, and a holder
/// works for less than 4 s.
const BOUND: u64 = 9 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    Believed(Belief),
    /// The resource has taken a write, at this index.
    Wrote {
        token: u64,
        index: u64,
    },
    /// It has turned one away.
    Fenced,
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    loop {
        client.sleep(client.between(1, 300)).await;
        let mut lease = lock::acquire(&client, LOCK, TTL).await?;
        let token = lease.token;
        client.note(&notes, Told::Believed(Belief::of(&client, &lease)));
        let mut writer = take_over(&client, RESOURCE, token).await?;
        if let Some(writer) = &writer {
            client.note(&notes, Told::Wrote { token, index: writer.index() });
        }
        for _ in 0..client.between(0, 4) {
            client.sleep(client.between(50, 900)).await;
            let is_careful = client.chance(60);
            if is_careful && !lease.keep(&client).await? {
                break;
            }
            if is_careful {
                client.note(&notes, Told::Believed(Belief::of(&client, &lease)));
            }
            write(&client, &notes, &mut writer, token).await?;
        }
        if client.chance(80) {
            client.note(&notes, Told::Believed(Belief::Lets { token }));
            lease.release(&client).await?;
        } else if client.chance(50) {
            // It dozes off, and goes on as if nothing had happened.
            client.sleep(client.between(4_000, 6_000)).await;
            write(&client, &notes, &mut writer, token).await?;
        }
    }
}

/// A holder writes, unless it has been turned away before.
async fn write(
    client: &Client,
    notes: &Notes<Told>,
    writer: &mut Option<Writer>,
    token: u64,
) -> Result<(), Refusal> {
    let Some(holder) = writer else { return Ok(()) };
    let written = holder.write(client, &client.who.to_string()).await?;
    let told = match written {
        Ok(()) => Told::Wrote { token, index: holder.index() },
        Err(_) => Told::Fenced,
    };
    client.note(notes, told);
    if written.is_err() {
        *writer = None;
    }
    Ok(())
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let held = held(notes, |told| match told {
        Told::Believed(belief) => Some(*belief),
        _ => None,
    })?;
    let mut writes = BTreeMap::new();
    for note in notes {
        if let Told::Wrote { token, index } = note.what
            && let Some(other) = writes.insert(index, token)
        {
            return Err(format!("{token} and {other} both wrote at {index}"));
        }
    }
    let mut newest = (0, 0);
    for (index, token) in writes {
        if token < newest.1 {
            let (at, before) = newest;
            return Err(format!("at {index} wrote {token}, after {before} had written at {at}"));
        }
        newest = (index, token);
    }
    end.goes_on("the lock", held.iter().map(|span| span.from), BOUND)?;
    let fenced = notes.iter().filter(|note| matches!(note.what, Told::Fenced)).count();
    Ok(Happened { recipe: held.len() as u64, contended: fenced as u64 })
}
