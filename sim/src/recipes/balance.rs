//! Two writers, three readers that spread over all members.
//!
//! **Oracle**: what a reader was answered is what the tree held at the index of the
//! answer; in one session indexes never fall, neither below its own reads nor below
//! its own writes. One member is down for good in the end: all others answer then,
//! and every reader's reads go on.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::tree::{Path, Read};
use quorate_recipes::balance::{Balance, Fresh};
use quorate_recipes::{Failure, Put, Refusal, Store};

use super::client::node;
use super::{Client, End, Happened, Note, Notes, SECOND, Verdict, Who};

const KEYS: [&str; 3] = ["/r/a", "/r/b/x", "/r/b"];
const WRITERS: u64 = 2;
/// A read that was under way at the end of the storm may take until its node gives it
/// up: 70 ticks of 50 ms, a seventh more by a slow clock. Others take a fraction of that.
const BOUND: u64 = 6 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A write of the reader's own was acknowledged at this index.
    Wrote(u64),
    /// A read was answered.
    Read { key: &'static str, fresh: Fresh },
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    let mut balance = Balance::new(client.each_node());
    for turn in 0_u64.. {
        client.sleep(client.between(1, 150)).await;
        let reads = client.who.id > WRITERS;
        if !reads || client.chance(10) {
            let key = KEYS[usize::from(client.chance(50))].into();
            let value = Some(format!("{} {turn}", client.who));
            match client.request(Put { key, value, ..Put::default() }.into()).await {
                Ok(reply) => {
                    balance.see(reply.index);
                    client.note(&notes, Told::Wrote(reply.index));
                }
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(_) => {}
            }
        }
        if reads {
            let key = KEYS[usize::try_from(client.between(0, 2)).expect("small")];
            let fresh = balance.read(key).await?;
            client.note(&notes, Told::Read { key, fresh });
        }
    }
    Ok(())
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let mut floors = BTreeMap::<Who, u64>::new();
    let mut reads = Vec::new();
    for note in notes {
        let floor = floors.entry(note.who).or_default();
        match &note.what {
            Told::Wrote(index) => *floor = (*floor).max(*index),
            Told::Read { fresh, .. } if fresh.index < *floor => {
                return Err(format!("{} is back before {floor}: {fresh:?}", note.who));
            }
            Told::Read { key, fresh } => {
                *floor = fresh.index;
                reads.push((fresh, *key, note.at));
            }
        }
    }
    for who in end.living_beyond(WRITERS) {
        let own = notes.iter().filter(|it| it.who == who && matches!(it.what, Told::Read { .. }));
        end.goes_on("a read", own.map(|note| note.at), BOUND)?;
    }
    let calm = reads.iter().filter(|(.., at)| end.calm.contains(at));
    let members: BTreeSet<usize> = calm.map(|(fresh, ..)| fresh.member).collect();
    if members.len() as u64 != end.nodes {
        return Err(format!("in the calm only these members answered: {members:?}"));
    }
    reads.sort_by_key(|(fresh, ..)| fresh.index);
    let mut replay = end.replay()?;
    for (fresh, key, _) in &reads {
        let read = Read { path: Path::new(key).expect("clean"), recursive: true };
        let truth = replay.at(fresh.index).read(&read).ok().map(|view| node(&view));
        if fresh.node != truth {
            return Err(format!("{key} was {truth:?}, and read as {fresh:?}"));
        }
    }
    Ok(Happened::often(reads.len()))
}
