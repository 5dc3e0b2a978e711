//! Forged checksums: what a fuzzer has changed in a data directory looks as if
//! the engine had written it, so that the checks behind the checksums are
//! reached. The formats are `engine/src/wal/record.rs` and
//! `engine/src/snapshot/stream.rs`.

use std::ops::Range;

const IDENTITY_NONCE: Range<usize> = 28..36;
const IDENTITY_CRC: Range<usize> = 36..40;
const SEGMENT_CRC_BEFORE: Range<usize> = 60..64;
const SEGMENT_CRC: Range<usize> = 64..68;
const SEGMENT_HEADER: usize = 72;
const BATCH_MAGIC: &[u8] = b"QBAT";
const BATCH_LENGTH: Range<usize> = 4..8;
const BATCH_BEFORE: Range<usize> = 16..20;
const BATCH_CRC: Range<usize> = 20..24;
const BATCH_HEADER: usize = 24;
const RECORD_HEADER: usize = 9;

/// Where every CRC of a directory's log begins, given its identity file.
pub(super) fn seed(identity: Option<&[u8]>) -> u32 {
    let nonce = identity.and_then(|bytes| bytes.get(IDENTITY_NONCE));
    nonce.map_or(0, crc32c::crc32c)
}

/// Seals an identity file.
pub(super) fn identity(bytes: &mut [u8]) {
    if bytes.len() >= IDENTITY_CRC.end {
        let crc = crc32c::crc32c(&bytes[..IDENTITY_CRC.start]);
        put(bytes, IDENTITY_CRC, crc);
    }
}

/// Seals a segment: its header, and its batches as long as they look like some.
pub(super) fn segment(seed: u32, bytes: &mut [u8]) {
    if bytes.len() < SEGMENT_HEADER {
        return;
    }
    let crc = crc32c::crc32c_append(seed, &bytes[..SEGMENT_CRC.start]);
    put(bytes, SEGMENT_CRC, crc);
    let mut before = get(bytes, SEGMENT_CRC_BEFORE);
    let mut rest = &mut bytes[SEGMENT_HEADER..];
    while rest.len() >= BATCH_HEADER && rest.starts_with(BATCH_MAGIC) {
        let end = BATCH_HEADER.saturating_add(get(rest, BATCH_LENGTH) as usize);
        if end > rest.len() {
            return;
        }
        put(rest, BATCH_BEFORE, before);
        let head = crc32c::crc32c_append(seed, &rest[..BATCH_CRC.start]);
        before = crc32c::crc32c_append(head, &rest[BATCH_HEADER..end]);
        put(rest, BATCH_CRC, before);
        let next = end.next_multiple_of(8).min(rest.len());
        rest = &mut rest[next..];
    }
}

/// Seals a snapshot's records.
pub(super) fn snapshot(bytes: &mut [u8]) {
    let (mut before, mut rest) = (0, bytes);
    while rest.len() >= RECORD_HEADER {
        let end = RECORD_HEADER.saturating_add(get(rest, 1..5) as usize);
        if end > rest.len() {
            return;
        }
        let head = crc32c::crc32c_append(before, &rest[..5]);
        before = crc32c::crc32c_append(head, &rest[RECORD_HEADER..end]);
        put(rest, 5..9, before);
        rest = &mut rest[end..];
    }
}

fn get(bytes: &[u8], at: Range<usize>) -> u32 {
    u32::from_le_bytes(bytes[at].try_into().expect("four bytes"))
}

fn put(bytes: &mut [u8], at: Range<usize>, value: u32) {
    bytes[at].copy_from_slice(&value.to_le_bytes());
}
