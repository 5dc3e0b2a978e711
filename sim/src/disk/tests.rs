use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::*;

fn name(text: &str) -> FileName {
    FileName::new(text)
}

fn write(offset: u64, bytes: impl Into<Bytes>, sync: bool) -> DiskOp {
    DiskOp::Write { file: name("f"), offset, bytes: bytes.into(), sync }
}

/// A disk with an empty file `f`.
fn disk() -> Disk {
    Disk::new(Image::from([(name("f"), Bytes::new())]))
}

fn done(disk: &mut Disk, ops: impl IntoIterator<Item = DiskOp>) {
    for op in ops {
        disk.start(0, op);
        disk.finish(0).expect("nothing fails here");
    }
}

fn content(disk: &Disk) -> Bytes {
    disk.image()[&name("f")].clone()
}

#[test]
fn a_sync_makes_earlier_writes_durable() {
    let mut disk = disk();
    done(&mut disk, [write(0, "ab", false), write(2, "cd", true), write(4, "ef", false)]);
    assert_eq!(content(&disk), "abcdef");
    disk.crash(&mut Lose);
    assert_eq!(content(&disk), "abcd");
}

#[test]
fn a_write_under_way_is_lost_kept_or_torn_at_a_sector() {
    let bytes = vec![b'x'; 1200];
    for (mercy, len) in [
        (&mut Lose as &mut dyn Mercy, 0),
        (&mut Keep, 1200),
        (&mut Tear(0), 0),
        // It begins 12 bytes before a sector ends.
        (&mut Tear(1), 12),
        (&mut Tear(2), 524),
    ] {
        let mut disk = disk();
        done(&mut disk, [write(0, vec![b'o'; 500], true)]);
        disk.start(1, write(500, bytes.clone(), true));
        disk.crash(mercy);
        assert_eq!(content(&disk).len(), 500 + len);
        disk.crash(&mut Lose);
        assert_eq!(content(&disk).len(), 500 + len, "what is left is durable");
    }
}

#[test]
fn a_lost_sector_before_a_kept_one_reads_as_zeros() {
    struct Second;
    impl Mercy for Second {
        fn op(&mut self, _: &DiskOp) -> Happened {
            Happened::Partly
        }
        fn sector(&mut self, nth: u64) -> bool {
            nth == 1
        }
    }
    let mut disk = disk();
    disk.start(1, write(0, vec![b'x'; 1536], true));
    disk.crash(&mut Second);
    let bytes = content(&disk);
    assert_eq!(bytes.len(), 1024);
    assert!(bytes[..512].iter().all(|byte| *byte == 0));
    assert!(bytes[512..].iter().all(|byte| *byte == b'x'));
}

#[test]
fn a_killed_process_leaves_the_page_cache_behind() {
    let mut disk = disk();
    disk.start(1, write(0, "ab", true));
    disk.kill(&mut Keep);
    assert_eq!(content(&disk), "ab");
    disk.crash(&mut Lose);
    assert_eq!(content(&disk), "", "written, never synced");
}

#[test]
fn what_stands_behind_a_lost_operation_has_not_begun() {
    struct FirstNot(bool);
    impl Mercy for FirstNot {
        fn op(&mut self, _: &DiskOp) -> Happened {
            if std::mem::replace(&mut self.0, true) { Happened::Wholly } else { Happened::Not }
        }
        fn sector(&mut self, _: u64) -> bool {
            true
        }
    }
    let mut disk = disk();
    disk.start(1, write(0, "ab", true));
    disk.start(2, DiskOp::Rename { from: name("f"), to: name("g") });
    disk.start(3, DiskOp::Remove { file: name("g") });
    disk.start(4, DiskOp::Create { file: name("h"), size: 3 });
    disk.crash(&mut FirstNot(false));
    let expected = Image::from([(name("f"), Bytes::new()), (name("h"), vec![0; 3].into())]);
    assert_eq!(disk.image(), expected);
}

#[test]
fn names_keep_their_order() {
    let mut disk = disk();
    disk.start(1, write(0, "ab", true));
    disk.start(2, DiskOp::Rename { from: name("f"), to: name("g") });
    disk.start(3, DiskOp::Create { file: name("h"), size: 0 });
    assert!(disk.may_finish(1) && !disk.may_finish(2) && disk.may_finish(3));
    assert!(!disk.may_finish(4));
}

#[test]
fn a_truncation_is_durable_and_cuts_the_page_cache() {
    let mut disk = disk();
    done(&mut disk, [write(0, "abcdef", true), write(2, "XYZ", false), write(5, "!", false)]);
    done(&mut disk, [DiskOp::Truncate { file: name("f"), len: 4 }]);
    assert_eq!(content(&disk), "abXY");
    disk.crash(&mut Lose);
    assert_eq!(content(&disk), "abcd");
}

#[test]
fn a_failed_operation_takes_the_page_cache_with_it() {
    let mut disk = disk();
    done(&mut disk, [write(0, "ab", true), write(2, "cd", false)]);
    disk.start(1, write(4, "ef", true));
    assert_eq!(disk.fail(1, "io error", &mut Lose), DiskError("io error".into()));
    assert_eq!(content(&disk), "ab");
    assert_eq!(disk.pending().count(), 0);
}

#[test]
fn an_operation_on_a_missing_file_fails() {
    let mut disk = Disk::default();
    disk.start(1, write(0, "ab", true));
    assert!(disk.finish(1).is_err());
}

#[test]
fn lies_are_told_on_request_only() {
    let mut disk = disk();
    done(&mut disk, [write(0, "ab", true)]);
    let older = disk.image();
    let digest = disk.digest();
    disk.pretend(true);
    done(&mut disk, [write(2, "cd", true)]);
    assert_ne!(disk.digest(), digest);
    disk.crash(&mut Lose);
    assert_eq!(disk.digest(), digest, "the sync was a lie");
    disk.pretend(false);
    assert!(disk.rot(&name("f"), 1, 1) && !disk.rot(&name("f"), 2, 1));
    assert_eq!(content(&disk), "ac");
    disk.start(9, write(0, "zz", true));
    disk.skip(9);
    assert_eq!(content(&disk), "ac");
    disk.restore(older);
    assert_eq!(content(&disk), "ab");
}

#[test]
fn chance_is_a_function_of_its_seed() {
    let fate = |seed| {
        let mut disk = disk();
        done(&mut disk, [write(0, vec![b'x'; 10_000], false)]);
        disk.start(1, write(10_000, vec![b'y'; 10_000], true));
        disk.crash(&mut Chance(&mut Xoshiro256PlusPlus::seed_from_u64(seed)));
        disk.digest()
    };
    assert_eq!(fate(1), fate(1));
    assert_ne!(fate(1), fate(2));
}

#[test]
fn a_failed_write_may_have_happened_in_part() {
    let mut disk = Disk::with_sector(2);
    disk.restore(Image::from([(name("f"), Bytes::new())]));
    disk.start(1, write(0, "abcd", true));
    disk.fail(1, "no space left on device", &mut Tear(1));
    assert_eq!(content(&disk), "ab");
    disk.crash(&mut Lose);
    assert_eq!(content(&disk), "ab", "what stands is durable");
}

#[test]
fn what_makes_a_file_longer_needs_space() {
    let mut disk = disk();
    done(&mut disk, [write(0, "abcd", true)]);
    let grows = |disk: &mut Disk, op| {
        disk.start(1, op);
        let grows = disk.grows(1);
        disk.skip(1);
        grows
    };
    assert!(grows(&mut disk, write(2, "xyz", true)));
    assert!(!grows(&mut disk, write(2, "xy", true)));
    assert!(grows(&mut disk, DiskOp::Create { file: name("g"), size: 1 }));
    assert!(!grows(&mut disk, DiskOp::Remove { file: name("f") }));
}

#[test]
fn rot_spares_what_it_must() {
    let rng = &mut Xoshiro256PlusPlus::seed_from_u64(1);
    let before = Bytes::from(vec![b'x'; 32]);
    let spare = (name("f"), 8..24);
    let (mut spared, mut hit) = (0, 0);
    for _ in 0..200 {
        let mut disk = Disk::with_sector(8);
        disk.restore(Image::from([(name("f"), before.clone())]));
        match disk.rot_somewhere(rng, Some(&spare)) {
            Some((_, range)) => {
                hit += 1;
                let rotten = (0..32).filter(|at| content(&disk)[*at] != b'x');
                assert!(rotten.eq(range.clone().map(|at| at as usize)), "{range:?}");
                assert!(range.end <= 8 || range.start >= 24);
            }
            None => {
                spared += 1;
                assert_eq!(content(&disk), before);
            }
        }
    }
    assert!(hit > 50 && spared > 50, "{hit} {spared}");
}

#[test]
fn rot_stays_within_what_it_may_take() {
    let rng = &mut Xoshiro256PlusPlus::seed_from_u64(1);
    let before = Bytes::from(vec![b'x'; 32]);
    let (mut bytes, mut several) = (0, 0);
    for _ in 0..200 {
        let mut disk = Disk::with_sector(8);
        disk.restore(Image::from([(name("f"), before.clone())]));
        let (_, range) = disk.rot_within(rng, &(name("f"), 13..19));
        let rotten = (0..32).filter(|at| content(&disk)[*at] != b'x');
        assert!(rotten.eq(range.clone().map(|at| at as usize)), "{range:?}");
        assert!(range.start >= 13 && range.end <= 19 && !range.is_empty(), "{range:?}");
        (bytes, several) =
            if range.end - range.start == 1 { (bytes + 1, several) } else { (bytes, several + 1) };
    }
    assert!(bytes > 50 && several > 20, "{bytes} {several}");
}

#[test]
fn a_write_that_went_elsewhere_can_be_made_good() {
    for seed in 0..20 {
        let mut disk = Disk::with_sector(4);
        let other = (name("g"), Bytes::from_static(b"0123456789"));
        disk.restore(Image::from([(name("f"), Bytes::from_static(b"abcdefgh")), other]));
        let mut sound = disk.clone();
        done(&mut sound, [write(0, "XY", true)]);
        disk.start(1, write(0, "XY", true));
        let rng = &mut Xoshiro256PlusPlus::seed_from_u64(seed);
        let Some(misplaced) = disk.misdirect(1, rng) else { continue };
        assert_ne!(disk.image(), sound.image(), "seed {seed}");
        assert_eq!(&content(&disk)[..2], b"ab", "nothing came where it was meant to");
        disk.make_good(misplaced);
        assert_eq!(disk.image(), sound.image(), "seed {seed}");
    }
}

#[test]
fn names_are_lost_from_the_last_change_back() {
    let create = |text| DiskOp::Create { file: name(text), size: 1 };
    let mut disk = disk();
    done(&mut disk, [create("draft")]);
    done(&mut disk, [DiskOp::Rename { from: name("draft"), to: name("g") }]);
    done(&mut disk, [DiskOp::Remove { file: name("f") }, create("h")]);
    let names = |disk: &Disk| disk.image().keys().map(FileName::to_string).collect::<Vec<_>>();
    assert_eq!(names(&disk), ["g", "h"]);
    let mut spared = disk.clone();
    assert_eq!(spared.undo_names(9, Some(&name("h"))), 3);
    assert_eq!(names(&spared), ["f", "h"]);
    assert_eq!(disk.clone().undo_names(2, Some(&name("g"))), 2);
    assert_eq!(disk.undo_names(3, None), 3);
    assert_eq!(names(&disk), ["draft", "f"]);
    disk.crash(&mut Lose);
    assert_eq!(disk.undo_names(1, None), 0, "what has survived is durable");
}

#[test]
fn a_draft_ends_in_bytes_of_another_file_until_it_is_renamed() {
    let lives: [fn(&mut Disk); 2] = [|it| it.crash(&mut Lose), |it| it.kill(&mut Lose)];
    for end in lives {
        let mut disk = Disk::default();
        done(&mut disk, [DiskOp::Create { file: name("f"), size: 0 }, write(0, "ab", true)]);
        assert_eq!(content(&disk), "ab");
        end(&mut disk);
        assert_eq!(content(&disk), [b"ab", ANOTHER].concat());
        let (from, to) = (name("f"), name("g"));
        done(&mut disk, [DiskOp::Create { file: name("f"), size: 0 }, write(0, "cd", true)]);
        done(&mut disk, [DiskOp::Rename { from: from.clone(), to: to.clone() }]);
        end(&mut disk);
        assert_eq!(disk.image(), Image::from([(to, Bytes::from("cd"))]));
    }
}
