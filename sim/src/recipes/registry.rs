//! Four instances of a service, two clients that discover them.
//!
//! **Oracle**: no instance whose beats got through, each before the one before it
//! could run out, is missing from a list that had it, or from the first list of a
//! client that began to look while it was there. Within the bound after the storm
//! every list has all who live and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use quorate_recipes::Refusal;
use quorate_recipes::registry::Discovery;

use super::members::{INSTANCES, Life, Members, serve};
use super::{Client, End, Happened, Note, Notes, Verdict, Who};

const SERVICE: &str = "/r/service";

#[derive(Clone, Debug)]
pub(super) enum Told {
    Lived(Life),
    /// A client begins to look.
    Looks,
    /// It has this list.
    Listed(BTreeSet<String>),
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    if client.who.id <= INSTANCES {
        return serve(&client, SERVICE, |life| client.note(&notes, Told::Lived(life))).await;
    }
    let mut discovery = Discovery::new(SERVICE);
    client.note(&notes, Told::Looks);
    loop {
        let list = discovery.next(&client).await?;
        let names = list.into_iter().map(|instance| instance.name).collect();
        client.note(&notes, Told::Listed(names));
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let lives = notes.iter().filter_map(|note| match &note.what {
        Told::Lived(what) => Some(Note { at: note.at, who: note.who, what: what.clone() }),
        _ => None,
    });
    let members = Members::new(lives, end);
    let mut lists = BTreeMap::<Who, BTreeSet<String>>::new();
    let mut known = BTreeMap::new();
    let mut changes = 0;
    for note in notes {
        match &note.what {
            // Whoever is there now must be in the first list.
            Told::Looks => drop(lists.insert(note.who, members.there(note.at))),
            Told::Listed(list) => {
                let before = lists.insert(note.who, list.clone()).unwrap_or_default();
                let dropped = before.difference(list);
                if let Some(name) =
                    dropped.into_iter().find(|it| !members.may_have_gone(it, note.at))
                {
                    return Err(format!("{} lost {name}, which lives: {note:?}", note.who));
                }
                changes += 1;
                if note.at < Members::known_at(end) {
                    known.insert(note.who, list);
                }
            }
            Told::Lived(_) => {}
        }
    }
    for who in end.living_beyond(INSTANCES) {
        members.check(who, known.get(&who).copied().unwrap_or(&BTreeSet::new()), end)?;
    }
    Ok(Happened::often(changes))
}
