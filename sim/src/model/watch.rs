//! What a watch is shown, given everything that ever happened.

use quorate_engine::tree::{Action, Cleared, Event, Watch};

use super::key;

/// The events that a watch is shown when `events` is all that has happened since
/// birth and only the last `window` store indexes may be asked for.
pub fn watch<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    store_index: u64,
    window: u64,
    watch: &Watch,
) -> Result<Vec<&'a Event>, Cleared> {
    let first = first_index(store_index, window);
    if watch.from < first {
        return Err(Cleared { first, asked: watch.from, index: store_index });
    }
    let asked_for = events.into_iter().filter(|event| event.index() >= watch.from);
    Ok(asked_for.filter(|event| concerns(event, watch)).take(watch.limit).collect())
}

/// The first store index that a watch may ask for when this is the last one and
/// `window` of them are remembered.
pub fn first_index(store_index: u64, window: u64) -> u64 {
    (store_index + 1).saturating_sub(window).max(1)
}

/// Whether a watch is shown an event: of its own key, if recursive of what lies
/// below and is not hidden from there, and of a directory above it that goes. A
/// refresh is shown to nobody.
pub fn concerns(event: &Event, watch: &Watch) -> bool {
    let (happened, watched) = (key(&event.node.path), key(&watch.path));
    let visible = below(happened, watched).is_some_and(|rest| !rest.contains("/_"));
    let goes = event.node.dir && matches!(event.action, Action::Delete | Action::Expire);
    !event.refresh
        && (happened == watched
            || watch.recursive && visible
            || goes && below(watched, happened).is_some())
}

/// What follows a directory's key in that of something below it.
fn below<'a>(key: &'a str, directory: &str) -> Option<&'a str> {
    key.strip_prefix(directory).filter(|rest| rest.starts_with('/'))
}
