//! Four members, two monitors.
//!
//! **Oracle**: nobody is told to have vanished whose beats got through, each before
//! the one before it could run out, and nobody to have left who has not said so;
//! each goes once, after it came. Within the bound after the storm every monitor has
//! told of all who are gone, and knows all who live.

use std::collections::{BTreeMap, BTreeSet};

use quorate_recipes::Refusal;
use quorate_recipes::monitor::{Monitor, Sighting};

use super::members::{INSTANCES, Life, Members, serve};
use super::{Client, End, Happened, Note, Notes, Verdict, Who};

const DIR: &str = "/r/members";

#[derive(Clone, Debug)]
pub(super) enum Told {
    Lived(Life),
    /// A monitor tells this.
    Sighted(Vec<Sighting>),
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    if client.who.id <= INSTANCES {
        return serve(&client, DIR, |life| client.note(&notes, Told::Lived(life))).await;
    }
    let mut monitor = Monitor::new(DIR);
    loop {
        let sightings = monitor.next(&client).await?;
        client.note(&notes, Told::Sighted(sightings));
    }
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let lives = notes.iter().filter_map(|note| match &note.what {
        Told::Lived(what) => Some(Note { at: note.at, who: note.who, what: what.clone() }),
        Told::Sighted(_) => None,
    });
    let members = Members::new(lives, end);
    let mut present = BTreeMap::<Who, BTreeSet<String>>::new();
    let mut known = BTreeMap::new();
    let mut gone = 0;
    for note in notes {
        let Told::Sighted(sightings) = &note.what else { continue };
        let present = present.entry(note.who).or_default();
        for sighting in sightings {
            let is_right = match sighting {
                Sighting::Joined(name) => present.insert(name.clone()),
                Sighting::Left(name) => {
                    present.remove(name) && members.may_have_left(name, note.at)
                }
                Sighting::Vanished(name) => {
                    gone += 1;
                    present.remove(name) && members.may_have_gone(name, note.at)
                }
            };
            if !is_right {
                return Err(format!("{} tells of {sighting:?}: not so, or known", note.who));
            }
        }
        if note.at < Members::known_at(end) {
            known.insert(note.who, present.clone());
        }
    }
    for who in end.living_beyond(INSTANCES) {
        members.check(who, known.get(&who).unwrap_or(&BTreeSet::new()), end)?;
    }
    Ok(Happened::often(gone))
}
