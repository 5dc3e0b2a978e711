//! Four nodes that build an index, version after version, whoever is elected.
//!
//! **Oracle**: each version is published by one process at most, as far as they were
//! told, and in order; all readers of a version get the same bytes, and they are what
//! one builder built, whole. In the calm versions come again and again.

use std::collections::{BTreeMap, BTreeSet};

use quorate_recipes::index_builder::{Outcome, ensure, fetch};
use quorate_recipes::{Refusal, Store};

use super::{Client, End, Happened, Note, Notes, SECOND, Verdict};

const DIR: &str = "/r/index";
const TTL: u64 = 3;
/// A dead builder's office is empty after 3 s and a seventh by a slow clock; building
/// takes less than 2 s, election and publication less than one each.
const BOUND: u64 = 9 * SECOND;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A builder has built this and is about to publish it.
    Builds { version: u64, index: String },
    /// It was told that it has published it, at this store index.
    Built { version: u64, at: u64 },
    /// A reader got it.
    Fetched { version: u64, index: String },
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    let mut version = 1;
    loop {
        let build = async || {
            client.sleep(client.between(100, 1_500)).await;
            let word = format!("{}/{:x}", client.who, client.random());
            let index = vec![word; 20].join(" ");
            client.note(&notes, Told::Builds { version, index: index.clone() });
            index
        };
        let name = client.who.to_string();
        if let Outcome::Built(at) = ensure(&client, DIR, &name, version, TTL, build).await? {
            client.note(&notes, Told::Built { version, at });
        }
        let (there, index) = fetch(&client, DIR, version).await?;
        client.note(&notes, Told::Fetched { version: there, index });
        version = there + 1;
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let (mut begun, mut built, mut fetched) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    let mut news = Vec::new();
    for note in notes {
        match &note.what {
            Told::Builds { version, index } => drop(begun.insert((*version, index))),
            Told::Built { version, at } => {
                if let Some(other) = built.insert(*version, *at) {
                    return Err(format!("version {version} was published at {other} and at {at}"));
                }
            }
            Told::Fetched { version, index } => {
                if !begun.contains(&(*version, index)) {
                    return Err(format!("nobody built version {version} as {index:?}"));
                }
                let known = fetched.entry(*version).or_insert_with(|| {
                    news.push(note.at);
                    index
                });
                if *known != index {
                    return Err(format!("version {version} is {known:?} and {index:?}"));
                }
            }
        }
    }
    if !built.values().is_sorted() {
        return Err(format!("versions were not published in order: {built:?}"));
    }
    end.goes_on("a version", news.into_iter(), BOUND)?;
    Ok(Happened::often(fetched.len()))
}
