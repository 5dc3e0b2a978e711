//! What the engine writes, it reads back; what anybody else writes is an error or
//! a message, never a panic.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use quorate_engine::command::{Command, Do, Origin, Stamp};
use quorate_engine::message::{Chunk, RaftKind, RaftMessage};
use quorate_engine::tree::Path;
use quorate_engine::{
    Attributes, Bound, Change, Condition, Content, Entry, Message, Refresh, Write,
};

fn text() -> impl Strategy<Value = Arc<str>> {
    ".{0,20}".prop_map(Into::into)
}

fn path() -> impl Strategy<Value = Path> {
    "(/[a-z_]{1,5}){1,4}".prop_map(|text| Path::new(&text).expect("clean by construction"))
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![text().prop_map(Content::File), Just(Content::Dir)]
}

fn condition() -> impl Strategy<Value = Condition> {
    (proptest::option::of(text()), proptest::option::of(1u64..))
        .prop_map(|(value, index)| Condition { value, index })
}

fn ttl() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(any::<u64>())
}

fn refresh() -> impl Strategy<Value = Refresh> {
    prop_oneof![
        Just(Refresh::Set),
        Just(Refresh::Update),
        condition().prop_map(Refresh::CompareAndSwap),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (content(), ttl()).prop_map(|(content, ttl)| Change::Set { content, ttl }),
        (content(), ttl()).prop_map(|(content, ttl)| Change::Create { content, ttl }),
        (content(), ttl()).prop_map(|(content, ttl)| Change::CreateInOrder { content, ttl }),
        (proptest::option::of(text()), ttl())
            .prop_map(|(value, ttl)| Change::Update { value, ttl }),
        (text(), condition(), ttl()).prop_map(|(value, condition, ttl)| {
            Change::CompareAndSwap { value, condition, ttl }
        }),
        (any::<u64>(), refresh()).prop_map(|(ttl, like)| Change::Refresh { ttl, like }),
        any::<(bool, bool)>().prop_map(|(dir, recursive)| Change::Delete { dir, recursive }),
        condition().prop_map(|condition| Change::CompareAndDelete { condition }),
    ]
}

fn action() -> impl Strategy<Value = Do> {
    prop_oneof![
        (path(), change()).prop_map(|(path, change)| Do::Write(Write { path, change })),
        (".{0,9}", vec(".{0,9}", 0..3))
            .prop_map(|(name, client_urls)| Do::Publish(Attributes { name, client_urls })),
        Just(Do::Stamp),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    (any::<[u64; 6]>(), action()).prop_map(|(numbers, action)| {
        let [node, boot, seq, cluster_ms, wall_ms, tick_ms] = numbers;
        let origin = Origin { node, boot, seq };
        Command { origin, stamp: Stamp { cluster_ms, wall_ms, tick_ms }, action }
    })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Into::into)
}

fn entry() -> impl Strategy<Value = Entry> {
    (any::<(u64, u64)>(), bytes()).prop_map(|((index, term), data)| Entry { index, term, data })
}

fn kind() -> impl Strategy<Value = RaftKind> {
    prop::sample::select(vec![
        RaftKind::Append,
        RaftKind::AppendResponse,
        RaftKind::RequestVote,
        RaftKind::RequestVoteResponse,
        RaftKind::Snapshot,
        RaftKind::Heartbeat,
        RaftKind::HeartbeatResponse,
        RaftKind::ReadIndex,
        RaftKind::ReadIndexResponse,
        RaftKind::RequestPreVote,
        RaftKind::RequestPreVoteResponse,
    ])
}

fn raft() -> impl Strategy<Value = RaftMessage> {
    let numbers = any::<([u64; 7], bool, i64)>();
    let rest = (bytes(), vec(entry(), 0..4), any::<Option<(u64, u64)>>());
    (kind(), numbers, rest).prop_map(|(kind, (numbers, reject, priority), rest)| {
        let [term, log_term, index, commit, commit_term, reject_hint, request_snapshot] = numbers;
        let (context, entries, snapshot) = rest;
        RaftMessage {
            kind,
            term,
            log_term,
            index,
            commit,
            commit_term,
            reject_hint,
            request_snapshot,
            reject,
            priority,
            context,
            entries,
            snapshot,
        }
    })
}

fn bound() -> impl Strategy<Value = Option<Bound>> {
    prop::sample::select(vec![None, Some(Bound::PendingWrites), Some(Bound::LogBytes)])
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        raft().prop_map(Message::Raft),
        (any::<u64>(), command()).prop_map(|(term, command)| Message::Forward { term, command }),
        (any::<(u64, u64)>(), bound()).prop_map(|((boot, seq), bound)| Message::NotTaken {
            boot,
            seq,
            bound
        }),
        (any::<([u64; 4], bool)>(), bytes()).prop_map(|((numbers, last), bytes)| {
            let [term, index, index_term, offset] = numbers;
            Message::Chunk(Chunk { term, index, index_term, offset, bytes, last })
        }),
        any::<(u64, u64)>().prop_map(|(index, received)| Message::ChunkAck { index, received }),
    ]
}

proptest! {
    #[test]
    fn a_command_is_read_back(command in command()) {
        prop_assert_eq!(Command::decode(command.encode().into()), Ok(command));
    }

    #[test]
    fn a_message_is_read_back(message in message()) {
        let bytes = message.encode();
        prop_assert!(message.append_bytes().is_none_or(|count| count == bytes.len()));
        prop_assert_eq!(Message::decode(bytes), Ok(message));
    }

    #[test]
    fn a_message_cut_short_is_an_error(message in message(), cut in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        prop_assert!(Message::decode(bytes.slice(..cut.index(bytes.len()))).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_or_a_message(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(bytes.clone().into()) {
            prop_assert_eq!(message.encode(), Bytes::from(bytes), "one message, one encoding");
        }
    }

    #[test]
    fn a_flipped_bit_is_an_error_or_another_message(
        message in message(),
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut bytes = message.encode().to_vec();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = Message::decode(bytes.into()) {
            prop_assert!(other != message, "every bit means something");
        }
    }
}
