//! Three producers, three consumers, one queue.
//!
//! **Oracle**: by the events, nothing is in the queue twice, each item is claimed
//! once before it goes, in the order of the queue, and none is left lying: producers
//! stop soon after the storm, so that the queue runs dry. By the notes, what was
//! acknowledged was in the queue, and whoever has an item has claimed it; a claim of
//! which nobody knows is that of a consumer that died over a taking, one at most.

use std::collections::{BTreeMap, BTreeSet};

use quorate_engine::tree::Action;
use quorate_recipes::queue::{Item, enqueue, take};
use quorate_recipes::{Failure, Refusal, Store};

use super::{Client, End, Happened, Note, Notes, Verdict, Who};

const DIR: &str = "/r/queue";
const PRODUCERS: u64 = 3;
/// How long into the calm items are put in, in ms. Consumers are the faster ones.
const PRODUCED_MS: u64 = 3_000;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A producer was told that this is in.
    Put { body: String },
    /// A consumer wants an item.
    Takes,
    /// It has one.
    Took(Item),
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    for turn in 0_u64.. {
        if client.who.id > PRODUCERS {
            client.sleep(client.between(1, 200)).await;
            client.note(&notes, Told::Takes);
            client.note(&notes, Told::Took(take(&client, DIR).await?));
            continue;
        }
        client.sleep(client.between(1, 800)).await;
        if client.calm_ms() < PRODUCED_MS {
            let body = format!("{}, item {turn}", client.who);
            match enqueue(&client, DIR, &body).await {
                Ok(_) => client.note(&notes, Told::Put { body }),
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(_) => {}
            }
        }
    }
    Ok(())
}

/// Every claim in order, and every body that has been in the queue.
fn ledger<'a>(end: &'a End<'_>) -> Result<(Vec<Item>, BTreeSet<&'a str>), String> {
    let (mut claims, mut bodies) = (Vec::<Item>::new(), BTreeSet::new());
    let mut waiting = BTreeMap::new();
    for event in end.events()? {
        let (key, index) = (event.node.path.as_str(), event.index());
        if !key.strip_prefix(DIR).is_some_and(|name| name.starts_with('/')) {
            continue;
        }
        if event.action == Action::Create {
            let body = event.node.value.as_deref().and_then(|value| value.splitn(3, ' ').nth(2));
            let body = body.ok_or_else(|| format!("this is no item: {event:?}"))?;
            waiting.insert(key, body);
            if !bodies.insert(body) {
                return Err(format!("{body:?} was put in twice"));
            }
        } else if event.action == Action::CompareAndSwap {
            let body = waiting.remove(key).ok_or_else(|| format!("{key} was claimed twice"))?;
            if let Some(last) = claims.last().filter(|last| last.key.as_str() >= key) {
                return Err(format!("out of order: {last:?}, then {key} at {index}"));
            }
            claims.push(Item { key: key.into(), body: body.into(), index });
        } else if waiting.contains_key(key) {
            return Err(format!("{key} went at {index}, and nobody had claimed it"));
        }
    }
    match waiting.first_key_value() {
        Some((key, body)) => Err(format!("{key} is left lying: {body:?}")),
        None => Ok((claims, bodies)),
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let (claims, bodies) = ledger(end)?;
    let mut untold: BTreeMap<u64, &Item> = claims.iter().map(|item| (item.index, item)).collect();
    let mut taking = BTreeSet::<Who>::new();
    for note in notes {
        match &note.what {
            Told::Put { body } if !bodies.contains(body.as_str()) => {
                return Err(format!("{body:?} was acknowledged and never put in"));
            }
            Told::Put { .. } => {}
            Told::Takes => drop(taking.insert(note.who)),
            Told::Took(item) => {
                taking.remove(&note.who);
                if untold.remove(&item.index) != Some(item) {
                    return Err(format!("{} took {item:?}: twice, or never claimed", note.who));
                }
            }
        }
    }
    // Those that wait for the next item died over nothing.
    let died = taking.iter().filter(|who| !end.lives(**who)).count();
    if untold.len() > died {
        let untold: Vec<_> = untold.values().collect();
        return Err(format!("{died} may have been taken along, but nobody has {untold:?}"));
    }
    Ok(Happened::often(claims.len() - untold.len()))
}
