//! Three producers, three consumers, one queue.
//!
//! **Oracle**: no item is taken twice, none that nobody put in; in the order of their
//! claims the keys of items rise; an item whose enqueueing was acknowledged is taken,
//! unless a consumer died over a taking: each may have taken one along. Producers
//! stop soon after the storm, so that the queue runs dry.

use std::collections::{BTreeMap, BTreeSet};

use quorate_recipes::queue::{Item, enqueue, take};
use quorate_recipes::{Failure, Refusal, Store};

use super::{Client, End, Note, Notes, Verdict, Who};

const DIR: &str = "/r/queue";
const PRODUCERS: u64 = 3;
/// How long into the calm items are put in, in ms. Consumers are the faster ones.
const PRODUCED_MS: u64 = 3_000;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A producer is about to put this in.
    Puts { body: String },
    /// It was acknowledged.
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
            client.note(&notes, Told::Puts { body: body.clone() });
            match enqueue(&client, DIR, &body).await {
                Ok(_) => client.note(&notes, Told::Put { body }),
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(_) => {}
            }
        }
    }
    Ok(())
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let (mut put, mut acknowledged, mut taken) =
        (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let (mut bodies, mut taking) = (BTreeSet::new(), BTreeSet::<Who>::new());
    for note in notes {
        match &note.what {
            Told::Puts { body } => drop(put.insert(body)),
            Told::Put { body } => drop(acknowledged.insert(body)),
            Told::Takes => drop(taking.insert(note.who)),
            Told::Took(item) => {
                taking.remove(&note.who);
                if !put.contains(&item.body) || !bodies.insert(&item.body) {
                    return Err(format!("{} took {item:?}: twice, or never put in", note.who));
                }
                if let Some(other) = taken.insert(item.index, item) {
                    return Err(format!("{item:?} and {other:?} share a claim"));
                }
            }
        }
    }
    let mut last: Option<&Item> = None;
    for item in taken.into_values() {
        if let Some(last) = last.filter(|last| last.key >= item.key) {
            return Err(format!("out of order: {last:?}, then {item:?}"));
        }
        last = Some(item);
    }
    let missing: Vec<_> = acknowledged.difference(&bodies).collect();
    // Those that wait for the next item died over nothing.
    let died = taking.iter().filter(|who| !end.lives(**who)).count();
    if missing.len() > died {
        return Err(format!("{died} may have been taken along, but {missing:?} are missing"));
    }
    Ok(bodies.len() as u64)
}
