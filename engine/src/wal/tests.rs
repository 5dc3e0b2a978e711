//! The log cut, flipped and shuffled: what was acknowledged survives, or its loss
//! is named.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use crate::boundary::{DiskOp, FileName, Image, RecoverError};
use crate::log::{Entry, Log};

use super::record::{Hard, Identity, segment_file};
use super::writer::{DiskIds, Landed, Writer};
use super::{Recovered, recover};

const IDENTITY: Identity = Identity { cluster: 7, node: 1, nonce: 0x1234_5678 };
const SEGMENT_BYTES: u64 = 512;

/// A log being written to a directory in memory.
struct Scene {
    writer: Writer,
    log: Log,
    ids: DiskIds,
    files: BTreeMap<FileName, Vec<u8>>,
    hard: Hard,
    work: u64,
}

impl Scene {
    fn new() -> Self {
        Self::from(BTreeMap::new())
    }

    fn from(files: BTreeMap<FileName, Vec<u8>>) -> Self {
        let recovered = recover(&image(&files), IDENTITY).expect("sound");
        let writer = Writer::new(IDENTITY, &recovered, SEGMENT_BYTES);
        let (hard, work) = (recovered.hard, 0);
        let log = Log::new(recovered, None, vec![1]);
        Self { writer, log, ids: DiskIds::default(), files, hard, work }
    }

    /// Gathers entries and writes them as one batch.
    fn write(&mut self, first: u64, term: u64, sizes: &[usize]) {
        let entries: Vec<Entry> = (first..)
            .zip(sizes)
            .map(|(index, size)| Entry { index, term, data: vec![index as u8; *size].into() })
            .collect();
        let raft: Vec<_> = entries.iter().cloned().map(crate::log::to_raft).collect();
        self.log.append(raft);
        self.hard.term = self.hard.term.max(term);
        self.work += 1;
        self.writer.gather(self.work, None, entries, Vec::new());
        let mut flight = self.writer.take_off(self.hard, &self.log, &mut self.ids, 0);
        while let Some((id, op)) = flight {
            perform(&mut self.files, op);
            flight = match self.writer.landed(id, &mut self.ids) {
                (Landed::Next(op), id) => Some((id, op)),
                (Landed::All { number, .. }, _) => {
                    assert_eq!(number, Some(self.work), "the batch carries its work's number");
                    None
                }
                (Landed::NotMine, _) => panic!("the log does not know its own write"),
            };
        }
    }
}

fn perform(files: &mut BTreeMap<FileName, Vec<u8>>, op: DiskOp) {
    match op {
        DiskOp::Create { file, size } => {
            files.insert(file, vec![0; size as usize]);
        }
        DiskOp::Write { file, offset, bytes, .. } => {
            let content = files.get_mut(&file).expect("created first");
            let (from, to) = (offset as usize, offset as usize + bytes.len());
            content.resize(content.len().max(to), 0);
            content[from..to].copy_from_slice(&bytes);
        }
        DiskOp::Truncate { file, len } => {
            files.get_mut(&file).expect("there").truncate(len as usize)
        }
        DiskOp::Remove { file } => drop(files.remove(&file)),
        DiskOp::Rename { .. } => panic!("the log renames nothing"),
    }
}

fn image(files: &BTreeMap<FileName, Vec<u8>>) -> Image {
    files.iter().map(|(file, bytes)| (file.clone(), Bytes::copy_from_slice(bytes))).collect()
}

fn indexes(recovered: &Recovered) -> Vec<(u64, u64)> {
    recovered.entries.iter().map(|entry| (entry.index, entry.term)).collect()
}

#[test]
fn what_was_written_is_read_back_over_several_segments() {
    let mut scene = Scene::new();
    for index in 1..=40 {
        scene.write(index, 1, &[30]);
    }
    let recovered = recover(&image(&scene.files), IDENTITY).expect("sound");
    assert!(recovered.segments.len() > 3, "segments of {SEGMENT_BYTES} bytes fill up");
    assert_eq!(indexes(&recovered), (1..=40).map(|index| (index, 1)).collect::<Vec<_>>());
    assert!(!recovered.torn && recovered.unborn.is_none());
}

#[test]
fn a_later_entry_cuts_off_what_it_contradicts() {
    let mut scene = Scene::new();
    scene.write(1, 1, &[4, 4, 4, 4]);
    scene.write(3, 2, &[4]);
    let recovered = recover(&image(&scene.files), IDENTITY).expect("sound");
    assert_eq!(indexes(&recovered), [(1, 1), (2, 1), (3, 2)]);
    assert_eq!(recovered.hard.term, 2);
}

#[test]
fn entries_superseded_while_they_gather_are_never_written() {
    let mut scene = Scene::new();
    let entry = |index, term| Entry { index, term, data: Bytes::from_static(b"x") };
    scene.log.append(vec![crate::log::to_raft(entry(1, 2))]);
    scene.writer.gather(1, None, vec![entry(1, 1), entry(2, 1)], Vec::new());
    scene.writer.gather(2, None, vec![entry(1, 2)], Vec::new());
    scene.hard.term = 2;
    let mut flight = scene.writer.take_off(scene.hard, &scene.log, &mut scene.ids, 0);
    while let Some((id, op)) = flight {
        perform(&mut scene.files, op);
        flight = match scene.writer.landed(id, &mut scene.ids) {
            (Landed::Next(op), id) => Some((id, op)),
            _ => None,
        };
    }
    let recovered = recover(&image(&scene.files), IDENTITY).expect("sound");
    assert_eq!(indexes(&recovered), [(1, 2)]);
}

#[test]
fn a_log_cut_at_any_byte_keeps_every_batch_before_the_cut() {
    let mut scene = Scene::new();
    let mut ends = vec![(0, 0)];
    for index in 1..=4 {
        scene.write(index, 1, &[20]);
        let recovered = recover(&image(&scene.files), IDENTITY).expect("sound");
        ends.push((recovered.end as usize, index));
    }
    let last = segment_file(1);
    let whole = scene.files[&last].clone();
    let end = ends.last().expect("written").0;
    for cut in 0..end {
        let mut files = scene.files.clone();
        // What the crash left of the file: a shorter one, or one with its tail zero.
        for tail in [Vec::new(), vec![0; whole.len() - cut]] {
            let mut content = whole[..cut].to_vec();
            content.extend(tail);
            files.insert(last.clone(), content);
            let recovered = recover(&image(&files), IDENTITY).expect("a torn tail is no damage");
            let kept = ends.iter().filter(|(end, _)| *end <= cut).map(|(_, index)| *index).max();
            // Padding may be missing.
            let least = kept.expect("zero at least");
            let found = recovered.entries.len() as u64;
            assert!(found == least || found == least + 1, "cut at {cut}: {found} of {least}");
        }
    }
}

#[test]
fn a_torn_tail_is_cut_and_what_follows_survives_the_next_crash() {
    let mut scene = Scene::new();
    for index in 1..=3 {
        scene.write(index, 1, &[20]);
    }
    let mut files = scene.files.clone();
    let at = recover(&image(&files), IDENTITY).expect("sound").end as usize;
    // Half of a batch that was never acknowledged, longer than what comes next.
    scene.write(4, 1, &[200]);
    let torn = &scene.files[&segment_file(1)];
    files.insert(segment_file(1), torn[..at + 120].to_vec());
    let recovered = recover(&image(&files), IDENTITY).expect("a torn tail is no damage");
    assert!(recovered.torn);
    perform(&mut files, DiskOp::Truncate { file: segment_file(1), len: recovered.end });
    let mut scene = Scene::from(files);
    scene.write(4, 2, &[8]);
    scene.write(5, 2, &[8]);
    let recovered = recover(&image(&scene.files), IDENTITY).expect("sound");
    assert_eq!(indexes(&recovered), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]);
}

#[test]
fn a_missing_segment_is_named() {
    let mut scene = Scene::new();
    for index in 1..=40 {
        scene.write(index, 1, &[30]);
    }
    scene.files.remove(&segment_file(2));
    let error = recover(&image(&scene.files), IDENTITY).expect_err("a hole in the log");
    assert!(matches!(error, RecoverError::Missing { .. }), "{error}");
}

#[test]
fn segments_are_released_only_when_nothing_in_them_is_needed() {
    let mut scene = Scene::new();
    for index in 1..=40 {
        scene.write(index, 1, &[30]);
    }
    for file in scene.writer.release(20) {
        scene.files.remove(&file);
    }
    let recovered = recover(&image(&scene.files), IDENTITY).expect("sound");
    assert!(recovered.base.0 <= 20, "entry 21 and all behind it are there");
    assert!(recovered.base.0 > 0, "something was released");
    assert_eq!(recovered.last(), 40);
    assert_eq!(recovered.term_at(20), Some(1));
}

proptest! {
    #[test]
    fn a_flipped_bit_is_refused_or_costs_only_the_last_batch(
        sizes in proptest::collection::vec(0usize..60, 2..30),
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut scene = Scene::new();
        for (index, size) in (1..).zip(&sizes) {
            scene.write(index, 1, &[*size]);
        }
        let used: Vec<(FileName, usize)> = scene
            .files
            .iter()
            .map(|(file, bytes)| (file.clone(), bytes.iter().rposition(|b| *b != 0).unwrap_or(0) + 1))
            .collect();
        let total: usize = used.iter().map(|(_, len)| len).sum();
        let mut at = place.index(total);
        let (file, _) = used.iter().find(|(_, len)| {
            let here = at < *len;
            if !here { at -= len }
            here
        }).expect("within the total");
        scene.files.get_mut(file).expect("there")[at] ^= 1 << bit;
        if let Ok(recovered) = recover(&image(&scene.files), IDENTITY) {
            let found = recovered.entries.len();
            prop_assert!(found + 1 >= sizes.len(), "{} of {} entries", found, sizes.len());
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_never_a_panic(
        files in proptest::collection::btree_map(1u64..4, proptest::collection::vec(any::<u8>(), 0..300), 0..3)
    ) {
        let image: Image =
            files.into_iter().map(|(number, bytes)| (segment_file(number), bytes.into())).collect();
        let _ = recover(&image, IDENTITY);
    }
}
