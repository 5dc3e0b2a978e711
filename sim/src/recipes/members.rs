//! Instances that register and beat, and what may be said of who is there: what
//! registry and monitor have in common.

use std::collections::{BTreeMap, BTreeSet};

use quorate_recipes::registry::register;
use quorate_recipes::{Refusal, Store};

use super::{Client, End, Note, SECOND, Who};

/// How long an instance that died is remembered, in s.
pub(super) const TTL: u64 = 3;
/// Instances; processes beyond them look on.
pub(super) const INSTANCES: u64 = 4;
/// How soon whoever looks on knows who is there in the calm: the dead go after 3 s, a
/// seventh more by a slow clock, counted from writes of theirs that may have been
/// under way at the end of the storm for as long as a node holds one.
const BOUND: u64 = 9 * SECOND;

/// What an instance knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// A beat that was sent at the first of these times got through.
    Beat { name: String, sent: u64 },
    /// It is about to say good-bye.
    Leaves { name: String },
}

/// Registers, beats, leaves now and then in the storm, and comes again.
pub(super) async fn serve(client: &Client, dir: &str, note: impl Fn(Life)) -> Result<(), Refusal> {
    loop {
        let mut sent = client.now_ns();
        let mut registration = register(client, dir, &client.who.to_string(), TTL).await?;
        let name = registration.key().rsplit('/').next().unwrap_or_default().to_owned();
        loop {
            note(Life::Beat { name: name.clone(), sent });
            if client.chance(4) && client.calm_ms() == 0 {
                break;
            }
            client.sleep(registration.beat_ms()).await;
            sent = client.now_ns();
            registration.beat(client).await?;
        }
        note(Life::Leaves { name: name.clone() });
        registration.deregister(client).await?;
        client.sleep(client.between(1, 2_000)).await;
    }
}

/// One instance, as far as anybody can say.
struct Instance {
    who: Who,
    /// From when on it was surely there.
    from: u64,
    /// Until when, if its beats went on reaching the store in time.
    until: u64,
    leaves: Option<u64>,
}

/// Who was there, by what the instances know.
pub(super) struct Members(BTreeMap<String, Instance>);

impl Members {
    pub fn new(lives: impl Iterator<Item = Note<Life>>, end: &End<'_>) -> Self {
        let mut members = BTreeMap::<String, Instance>::new();
        for Note { at, who, what } in lives {
            match what {
                Life::Beat { name, sent } => {
                    let until = sent + end.pace.shortest_life_ns(sent, TTL);
                    let first = Instance { who, from: at, until, leaves: None };
                    let instance = members.entry(name).or_insert(first);
                    if at <= instance.until {
                        instance.until = until;
                    }
                }
                Life::Leaves { name } => {
                    members.entry(name).and_modify(|it| it.leaves = Some(at));
                }
            }
        }
        Self(members)
    }

    /// Whether an instance may have been gone at some moment until `at`.
    pub fn may_have_gone(&self, name: &str, at: u64) -> bool {
        self.0
            .get(name)
            .is_none_or(|it| at < it.from || at > it.until || self.may_have_left(name, at))
    }

    /// Whether it may have said good-bye by then.
    pub fn may_have_left(&self, name: &str, at: u64) -> bool {
        self.0.get(name).and_then(|it| it.leaves).is_some_and(|leaves| leaves <= at)
    }

    /// Who was surely there at this moment.
    pub fn there(&self, at: u64) -> BTreeSet<String> {
        let there = self.0.keys().filter(|name| !self.may_have_gone(name, at));
        there.cloned().collect()
    }

    /// When whoever looks on must know the truth.
    pub fn known_at(end: &End<'_>) -> u64 {
        end.calm.start + BOUND
    }

    /// What somebody knew at [`Members::known_at`] is who was there.
    pub fn check(&self, who: Who, known: &BTreeSet<String>, end: &End<'_>) -> Result<(), String> {
        let at = Self::known_at(end);
        let alive = |it: &&Instance| end.lives(it.who) && it.leaves.is_none();
        let there = self.0.iter().filter(|(_, it)| alive(it) && it.from < end.calm.start);
        let there: BTreeSet<&String> = there.map(|(name, _)| name).collect();
        let missing = there.iter().find(|name| !known.contains(**name));
        if let Some(name) = missing {
            return Err(format!("{who} does not know of {name} at {at} ns, which lives"));
        }
        let ghost = known.iter().find(|name| {
            self.0
                .get(*name)
                .is_none_or(|it| !alive(&it) && it.leaves.is_none_or(|it| it < end.calm.start))
        });
        match ghost {
            Some(name) => Err(format!("{who} knows of {name} at {at} ns, which is no more")),
            None => Ok(()),
        }
    }
}
