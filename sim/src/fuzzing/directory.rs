//! Any bytes as a data directory: a genuine one, or none, and what a script does
//! to its files. It is recovered or refused, and what was recovered is kept.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use quorate_engine::{FileName, Image, NodeId, Request};

use super::node::{Node, config, end, set, tweak};
use super::script::Script;
use super::seal;
use crate::tabletop::{Mishap, Tabletop};

/// Edits beyond this many are not made.
const MAX_EDITS: usize = 64;

/// No directory grows beyond this.
const MAX_BYTES: usize = 1 << 20;

/// A data directory being edited.
type Files = BTreeMap<String, Vec<u8>>;

/// Genuine directories: of the only member, and of one of three.
static ALONE: LazyLock<Image> = LazyLock::new(|| alone().expect("a short run"));
static CUT_BACK: LazyLock<Image> = LazyLock::new(|| deposed(2).expect("a short run"));
static CAUGHT_UP: LazyLock<Image> = LazyLock::new(|| deposed(20).expect("a short run"));

/// The first byte says whose directory and from what it is made, the second how
/// much of the first life happens, the third how it ends; the rest are edits.
///
/// # Panics
/// When birth panics, or when a directory that was accepted is refused in the
/// next life, or has lost what the first life held as committed.
pub fn wal_recover(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (kind, operations, how) = (script.byte(), script.byte(), script.byte());
    let (genuine, id) = genuine(kind);
    let image = edited(&genuine, &mut script);
    if let Ok(node) = Node::recover(config(id), image) {
        live_on(node, id == 1, operations, how);
    }
}

/// A directory to begin with, and whose it is: 1 is alone, 3 one of three.
fn genuine(kind: u8) -> (Image, NodeId) {
    match kind % 5 {
        0 => (ALONE.clone(), 1),
        1 => (CAUGHT_UP.clone(), 3),
        2 => (CUT_BACK.clone(), 3),
        3 => (Image::new(), 1),
        _ => (Image::new(), 3),
    }
}

/// Two lives from a directory that was accepted. Of the first, only so many disk
/// operations happen; 255 is a whole life.
fn live_on(mut first: Node, alone: bool, operations: u8, how: u8) {
    let Some(born) = first.view() else { return };
    if operations < u8::MAX {
        (0..operations).all(|nth| first.disk(nth.into()));
    } else {
        first.settle();
        live(&mut first, alone);
    }
    let Some(died) = first.view() else { return };
    let mut second = first
        .reborn(|disk| end(disk, how))
        .unwrap_or_else(|error| panic!("what the first life left is refused: {error}"));
    let Some(reborn) = second.view() else { return };
    assert!(reborn.term >= born.term, "the term goes back");
    assert!(
        reborn.committed >= born.committed,
        "committed {} after {}",
        reborn.committed,
        born.committed
    );
    if reborn.applied == born.applied {
        assert_eq!(reborn.digest, born.digest, "another state at {}", born.applied);
    }
    second.settle();
    if alone {
        second.lead();
        let Some(now) = second.view() else { return };
        assert!(now.applied >= died.applied, "applied {} after {}", now.applied, died.applied);
        if operations == u8::MAX {
            assert_eq!(now.digest, died.digest, "a whole life was settled, and this is another");
        }
    }
    live(&mut second, alone);
}

/// A short life: the only member leads and writes, one of three waits.
fn live(node: &mut Node, alone: bool) {
    if alone {
        node.lead();
        let before = node.written();
        node.write(1, 10);
        node.settle();
        assert!(!node.is_up() || node.written() == before + 1, "a write is not acknowledged");
    } else {
        (0..25).for_each(|_| node.tick());
        node.settle();
    }
}

fn edited(genuine: &Image, script: &mut Script<'_>) -> Image {
    let mut files: Files =
        genuine.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
    for _ in 0..MAX_EDITS {
        let Some(kind) = script.next() else { break };
        edit(kind, &mut files, script);
        while files.values().map(Vec::len).sum::<usize>() > MAX_BYTES {
            files.pop_last();
        }
    }
    files.into_iter().map(|(name, bytes)| (FileName::new(&name), bytes.into())).collect()
}

fn edit(kind: u8, files: &mut Files, script: &mut Script<'_>) {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = match kind % 10 {
        0 => name(script),
        _ => script.pick(&names).cloned().unwrap_or_default(),
    };
    let file = files.entry(name.clone()).or_default();
    match kind % 10 {
        0 => *file = literal(script).to_vec(),
        1 => file.truncate(script.short()),
        2 => {
            let at = place(file, script);
            if let Some(byte) = file.get_mut(at) {
                *byte ^= script.byte();
            }
        }
        3 => {
            let (at, bytes) = (place(file, script), literal(script));
            let bytes = &bytes[..bytes.len().min(file.len() - at)];
            file[at..at + bytes.len()].copy_from_slice(bytes);
        }
        4 => file.extend_from_slice(literal(script)),
        5 => drop(files.remove(&name)),
        6 => {
            let other = script.pick(&names).cloned().unwrap_or_default();
            let bytes = std::mem::take(file);
            let bytes = std::mem::replace(files.entry(other).or_default(), bytes);
            files.insert(name, bytes);
        }
        7 => {
            let copy = file.clone();
            files.insert(self::name(script), copy);
        }
        8 => {
            let (at, len) = (place(file, script), usize::from(script.byte()));
            file.drain(at..(at + len).min(file.len()));
        }
        _ => seal_file(&name, files),
    }
}

/// A name that the engine knows, or might.
fn name(script: &mut Script<'_>) -> String {
    let (kind, number) = (script.byte(), script.byte());
    match kind % 7 {
        0 => "identity".to_owned(),
        1 => "identity.new".to_owned(),
        2 => format!("wal-{number:016x}"),
        3 => format!("snap-{number:016x}"),
        4 => "snapshot.own".to_owned(),
        5 => "snapshot.received".to_owned(),
        _ => format!("wal-{:016x}", u64::MAX - u64::from(number)),
    }
}

fn place(file: &[u8], script: &mut Script<'_>) -> usize {
    script.short() % (file.len() + 1)
}

fn literal<'a>(script: &mut Script<'a>) -> &'a [u8] {
    let len = usize::from(script.byte());
    script.take(len)
}

fn seal_file(name: &str, files: &mut Files) {
    let seed = seal::seed(files.get("identity").map(Vec::as_slice));
    let Some(file) = files.get_mut(name) else { return };
    match name {
        "identity" => seal::identity(file),
        _ if name.starts_with("wal-") => seal::segment(seed, file),
        _ => seal::snapshot(file),
    }
}

/// Several segments behind a snapshot of its own.
fn alone() -> Result<Image, Mishap> {
    let mut table = Tabletop::new(1, tweak)?;
    table.elect(1)?;
    write(&mut table, 1, 0..34)?;
    Ok(image_of(&mut table, 1))
}

/// A leader that is cut off writes what nobody else hears of; meanwhile the
/// others write so much. It cuts off its own suffix, or is sent a snapshot.
fn deposed(meanwhile: u8) -> Result<Image, Mishap> {
    let mut table = Tabletop::new(3, tweak)?;
    table.elect(3)?;
    write(&mut table, 3, 0..7)?;
    for peer in [1, 2] {
        table.cut(3, peer);
        table.cut(peer, 3);
    }
    write(&mut table, 3, 0..4)?;
    (0..10).try_for_each(|_| table.tick(1))?;
    table.elect(2)?;
    write(&mut table, 2, 0..meanwhile)?;
    table.heal();
    for _ in 0..4 {
        table.tick(2)?;
        table.settle()?;
    }
    write(&mut table, 2, 0..5)?;
    Ok(image_of(&mut table, 3))
}

fn write(table: &mut Tabletop, id: NodeId, keys: Range<u8>) -> Result<(), Mishap> {
    for nth in keys {
        table.client(id, Request::Write(set(nth, usize::from(nth))))?;
        table.settle()?;
        table.tick(id)?;
        table.settle()?;
    }
    Ok(())
}

fn image_of(table: &mut Tabletop, id: NodeId) -> Image {
    table.disk_of(id).map(|disk| disk.image()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(image: &Image, prefix: &str) -> usize {
        image.keys().filter(|name| name.as_str().starts_with(prefix)).count()
    }

    #[test]
    fn the_genuine_directories_are_worth_damaging() {
        for image in [&*ALONE, &*CAUGHT_UP] {
            assert_eq!(count(image, "snap-"), 1);
            assert!(count(image, "wal-") > 1);
        }
        assert_eq!(count(&CUT_BACK, "snap-"), 1);
        assert!(count(&CUT_BACK, "wal-") > 0);
    }

    #[test]
    fn what_is_not_damaged_is_accepted_and_lived_in() {
        for kind in 0..5 {
            let (image, id) = genuine(kind);
            assert!(Node::recover(config(id), image.clone()).is_ok());
            for operations in [0, 1, 2, 3, u8::MAX] {
                wal_recover(&[kind, operations, 0]);
            }
        }
    }
}
