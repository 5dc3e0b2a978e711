//! Two who change a directory, three that follow it; the store remembers so little
//! that whoever is away for a moment has to list again.
//!
//! **Oracle**: after what a follower has seen up to an index, the next event it sees
//! is the next that concerns the directory, and it is that event; a listing shows the
//! tree of its index, and none is older than what was seen before, also by the life
//! before it whose place it took. All that live have come to the last event.

use std::collections::BTreeMap;

use quorate_engine::tree::{self, Path, Read};
use quorate_recipes::directory::{Change, Event, Follower};
use quorate_recipes::{Delete, Failure, Node, Put, Refusal, Store};

use super::client::node;
use super::{Client, End, Happened, Note, Notes, Verdict};
use crate::model::concerns;

const DIR: &str = "/r/dir";
const KEYS: [&str; 7] =
    ["/r/dir/a", "/r/dir/b", "/r/dir/c/x", "/r/dir/c/y/z", "/r/dir/_h", "/r/dir/c/_h/k", "/r/e"];
const WRITERS: u64 = 2;
/// How long into the calm things change, in ms.
const CHANGED_MS: u64 = 3_000;

pub(super) async fn live(client: Client, notes: Notes<Change>) -> Result<(), Refusal> {
    if client.who.id <= WRITERS {
        return meddle(&client).await;
    }
    // What an earlier life has seen is on its disk.
    let seen = notes.lock().iter().rev().find(|note| note.who.id == client.who.id).map(index);
    let mut follower = match seen.filter(|_| client.chance(70)) {
        Some(seen) => Follower::resume(DIR, seen + 1),
        None => Follower::new(DIR),
    };
    loop {
        let change = follower.next(&client).await?;
        client.note(&notes, change);
        if client.chance(3) && client.calm_ms() < CHANGED_MS {
            client.sleep(client.between(0, 4_000)).await;
        }
    }
}

async fn meddle(client: &Client) -> Result<(), Refusal> {
    for turn in 0_u64.. {
        client.sleep(client.between(1, 150)).await;
        if client.calm_ms() >= CHANGED_MS {
            continue;
        }
        let key = KEYS[usize::try_from(client.between(0, 6)).expect("small")].to_owned();
        let value = Some(format!("{} {turn}", client.who));
        let all = |key: &str| Delete { key: key.into(), recursive: true, ..Delete::default() };
        let request = match client.between(0, 19) {
            0 => all(DIR).into(),
            1 => all("/r").into(),
            2 => all("/r/dir/c").into(),
            3..=5 => Delete { key, ..Delete::default() }.into(),
            6 | 7 => Put { key, value, ttl: Some(1), ..Put::default() }.into(),
            8 => Put { key, ttl: Some(2), refresh: true, ..Put::default() }.into(),
            _ => Put { key, value, ..Put::default() }.into(),
        };
        // The tree may well refuse it.
        let _: Result<_, Failure> = client.request(request).await;
    }
    Ok(())
}

/// Up to where a follower that has seen this has seen everything.
fn index(note: &Note<Change>) -> u64 {
    match &note.what {
        Change::Listing { index, .. } => *index,
        Change::Event(event) => event.node.modified_index,
    }
}

pub(super) fn judge(notes: &[Note<Change>], end: &End<'_>) -> Verdict {
    let path = Path::new(DIR).expect("clean");
    let watch = tree::Watch { path: path.clone(), recursive: true, from: 0, limit: 1 };
    let all = end.events()?;
    let concerned = || all.iter().filter(|event| concerns(event, &watch));
    let mut newest = BTreeMap::new();
    for note in notes {
        let before = newest.insert(note.who.id, index(note));
        match &note.what {
            Change::Listing { index, .. } if before.is_some_and(|before| before > *index) => {
                return Err(format!("{} had seen {before:?}: {note:?}", note.who));
            }
            Change::Listing { .. } => {}
            Change::Event(seen) => {
                let next = concerned().find(|event| Some(event.index()) > before);
                if before.is_none() || next.map(|event| told(event)).as_ref() != Some(seen) {
                    return Err(format!("after {before:?} comes {next:?}: {note:?}"));
                }
            }
        }
    }
    let mut listings: Vec<_> = notes.iter().filter(|note| is_listing(note)).collect();
    listings.sort_by_key(|note| index(note));
    let mut replay = end.replay()?;
    for note in listings {
        let read = Read { path: path.clone(), recursive: true };
        let root = replay.at(index(note)).read(&read).ok().map(|view| node(&view));
        let truth = root.iter().flat_map(|root| std::iter::once(root).chain(root.below()));
        let Change::Listing { nodes, .. } = &note.what else { continue };
        if !truth.map(place).eq(nodes.iter().map(place)) {
            return Err(format!("it was {root:?}: {note:?}"));
        }
    }
    let last = concerned().next_back().map_or(0, |event| event.index());
    for who in end.living_beyond(WRITERS) {
        let seen = newest.get(&who.id).copied().unwrap_or(0);
        if seen < last {
            return Err(format!("{who} has seen {seen}, and the last event is {last}"));
        }
    }
    Ok(Happened::often(notes.iter().filter(|note| is_listing(note)).count()))
}

fn is_listing(note: &Note<Change>) -> bool {
    matches!(note.what, Change::Listing { .. })
}

/// An event as a follower tells it.
fn told(event: &tree::Event) -> Box<Event> {
    let (action, prev_node) = (event.action.as_str().into(), event.prev.as_ref().map(node));
    Box::new(Event { action, node: node(&event.node), prev_node })
}

/// What of a node in a listing does not change while time goes by.
fn place(node: &Node) -> (&str, Option<&str>, u64, u64) {
    (&node.key, node.value.as_deref(), node.created_index, node.modified_index)
}
