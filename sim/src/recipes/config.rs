//! Two publishers, three subscribers, one setting.
//!
//! **Oracle**: for each subscriber versions only grow; whoever published or saw a
//! version names the same value, and no value has two versions. Publishers stop when
//! the storm does, and every subscriber that lives comes to the last version that
//! anybody knows of.

use std::collections::BTreeMap;

use quorate_recipes::config::{Setting, Subscription, publish};
use quorate_recipes::{Failure, Refusal, Store};

use super::{Client, End, Happened, Note, Notes, Verdict, Who};

const KEY: &str = "/r/setting";
const PUBLISHERS: u64 = 2;

#[derive(Clone, Debug)]
pub(super) enum Told {
    /// A publication was acknowledged.
    Published(Setting),
    /// A subscriber has come to it.
    Saw(Setting),
}

pub(super) async fn live(client: Client, notes: Notes<Told>) -> Result<(), Refusal> {
    if client.who.id > PUBLISHERS {
        let mut subscription = Subscription::new(KEY);
        loop {
            let setting = subscription.next(&client).await?;
            client.note(&notes, Told::Saw(setting));
        }
    }
    for turn in 0_u64.. {
        client.sleep(client.between(1, 2_500)).await;
        if client.calm_ms() > 0 {
            continue;
        }
        let value = format!("{}, setting {turn}", client.who);
        match publish(&client, KEY, &value).await {
            Ok(version) => {
                let value = Some(value);
                client.note(&notes, Told::Published(Setting { value, version }));
            }
            Err(Failure::Refused(refusal)) => return Err(refusal),
            Err(_) => {}
        }
    }
    Ok(())
}

pub(super) fn judge(notes: &[Note<Told>], end: &End<'_>) -> Verdict {
    let (mut versions, mut values) = (BTreeMap::new(), BTreeMap::new());
    let mut newest = BTreeMap::<Who, u64>::new();
    for note in notes {
        let (Told::Published(setting) | Told::Saw(setting)) = &note.what;
        if let Some(value) = &setting.value {
            let known = versions.entry(setting.version).or_insert(value);
            let version = *values.entry(value).or_insert(setting.version);
            if *known != value || version != setting.version {
                return Err(format!(
                    "{setting:?} is {known:?} to others, or version {version} to others"
                ));
            }
        }
        if matches!(note.what, Told::Saw(_))
            && let Some(before) = newest.insert(note.who, setting.version)
            && before >= setting.version
        {
            return Err(format!("{} saw version {before}, then {setting:?}", note.who));
        }
    }
    let Some((last, value)) = versions.last_key_value() else { return Ok(Happened::default()) };
    for who in end.living_beyond(PUBLISHERS) {
        let version = newest.get(&who);
        if version != Some(last) {
            return Err(format!("{who} ends at version {version:?}, others at {last}, {value:?}"));
        }
    }
    Ok(Happened::often(versions.len()))
}
