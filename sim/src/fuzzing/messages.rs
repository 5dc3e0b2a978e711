//! Any bytes as messages to a node that follows, stands for election or leads.
//! Peers may lie in every field: the node may halt, but nothing breaks it, and
//! what it has written it can read.

use std::sync::LazyLock;

use bytes::Bytes;
use quorate_engine::command::{Command, Do, Origin, Stamp};
use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::{Entry, Image, Message, NodeId, Request, Role, View};

use super::node::{Node, config, end, set};
use super::script::Script;

/// Steps of a script beyond this many are not taken.
const MAX_STEPS: usize = 200;

/// This node, and the peer that brings it up.
const ME: NodeId = 2;
const FRIEND: NodeId = 3;

/// What nodes say to each other when nobody lies, in bytes.
static GENUINE: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let said = Stage::ALL.into_iter().flat_map(|stage| stage.set().sent);
    let mut said: Vec<Bytes> = said.map(|(_, message)| message.encode()).collect();
    said.sort();
    said.dedup();
    said
});

/// The first byte says what part the node plays at first, the second how it
/// ends; then come ticks, disk completions, clients, and messages: genuine ones
/// with bytes changed, made-up ones, and any bytes.
///
/// # Panics
/// When decoding or the engine does, when a message is not encoded as it was
/// decoded, or when the node's next life cannot read what this one wrote.
pub fn message_decode(bytes: &[u8]) {
    let mut script = Script(bytes);
    let stage = *script.pick(&Stage::ALL).unwrap_or(&Stage::Newborn);
    let how = script.byte();
    let mut node = stage.set();
    for _ in 0..MAX_STEPS {
        let Some(kind) = script.next() else { break };
        take_step(kind, &mut node, &mut script);
    }
    let died = node.view();
    let node = node
        .reborn(|disk| end(disk, how))
        .unwrap_or_else(|error| panic!("what this life wrote is refused: {error}"));
    if let (Some(died), Some(reborn)) = (died, node.view())
        && died.applied == reborn.applied
    {
        assert_eq!(died.digest, reborn.digest, "another state at {}", died.applied);
    }
}

fn take_step(kind: u8, node: &mut Node, script: &mut Script<'_>) {
    let Some(view) = node.view() else { return };
    let from = [1, FRIEND][usize::from(kind >> 7)];
    match kind % 12 {
        0 => node.tick(),
        1 => drop(node.disk(script.byte().into())),
        2 => node.settle(),
        3 => node.write(script.byte(), 40),
        4 => node.client(Request::Read),
        5 => answer(node, from),
        6 => {
            let len = script.short();
            hear(node, from, Bytes::copy_from_slice(script.take(len)));
        }
        7 => {
            let message = genuine(script);
            hear(node, from, message);
        }
        8 => say(node, from, Message::Forward { term: view.term, command: command(from, script) }),
        9 => {
            let (index, received) = (number(script, &view), number(script, &view));
            say(node, from, Message::ChunkAck { index, received });
        }
        _ => say(node, from, Message::Raft(made_up(script, &view))),
    }
}

/// Bytes from a peer, if they are a message.
fn hear(node: &mut Node, from: NodeId, bytes: Bytes) {
    if let Ok(message) = Message::decode(bytes.clone()) {
        assert_eq!(message.encode(), bytes, "{message} is encoded otherwise than it came");
        node.peer(from, message);
    }
}

/// A message from a peer, by way of its bytes.
fn say(node: &mut Node, from: NodeId, message: Message) {
    let decoded = Message::decode(message.encode()).expect("what was encoded can be decoded");
    assert_eq!(decoded, message, "{message} is decoded otherwise than it was");
    node.peer(from, decoded);
}

/// What was really said once, with up to three bytes changed.
fn genuine(script: &mut Script<'_>) -> Bytes {
    let mut bytes = script.pick(&GENUINE).map(|bytes| bytes.to_vec()).unwrap_or_default();
    for _ in 0..script.byte() % 4 {
        let at = script.short() % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = script.byte();
        }
    }
    bytes.into()
}

/// Near what the node believes, near 0, or far from both.
fn number(script: &mut Script<'_>, view: &View) -> u64 {
    let byte = script.byte();
    let near = |middle: u64| (middle + u64::from(byte % 32)).saturating_sub(16);
    match byte {
        0..=95 => u64::from(byte),
        96..=159 => near(view.committed),
        160..=223 => near(view.term),
        // The largest that a log may hold, and half of it, which is what a peer may say.
        224..=231 => (1 << 62) - u64::from(byte - 223),
        232..=239 => (1 << 61) - u64::from(byte - 231),
        _ => u64::MAX - u64::from(byte - 240),
    }
}

fn made_up(script: &mut Script<'_>, view: &View) -> RaftMessage {
    let kind = *script.pick(&KINDS).unwrap_or(&RaftKind::Heartbeat);
    let flags = script.byte();
    let mut optional = |bit: u8| if flags & bit == 0 { 0 } else { number(script, view) };
    let (commit_term, reject_hint, request_snapshot) = (optional(1), optional(2), optional(4));
    let (term, log_term) = (number(script, view), number(script, view));
    let (index, commit) = (number(script, view), number(script, view));
    let entries = (1..=u64::from(flags >> 6))
        .map(|nth| Entry {
            index: if flags & 8 == 0 { index.saturating_add(nth) } else { number(script, view) },
            term: number(script, view),
            data: data(script),
        })
        .collect();
    let (reject, priority) = (flags & 16 != 0, i64::from(flags & 32));
    let (context, snapshot) = (Bytes::copy_from_slice(script.take(usize::from(flags & 2))), None);
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
}

const KINDS: [RaftKind; 11] = [
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
];

fn data(script: &mut Script<'_>) -> Bytes {
    match script.byte() % 8 {
        0 => Bytes::new(),
        1 => Bytes::copy_from_slice(script.take(8)),
        _ => command(FRIEND, script).encode().into(),
    }
}

fn command(node: NodeId, script: &mut Script<'_>) -> Command {
    let (boot, seq, time) = (script.byte(), script.byte(), script.byte());
    let origin = Origin { node, boot: (boot & 3).into(), seq: seq.into() };
    let time = if time == u8::MAX { u64::MAX } else { time.into() };
    let stamp = Stamp { cluster_ms: time, wall_ms: time, tick_ms: time };
    let action = match boot >> 2 {
        63 => Do::Stamp,
        nth => Do::Write(set(nth, seq.into())),
    };
    Command { origin, stamp, action }
}

/// What part a node plays before the script begins.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Newborn,
    Follower,
    LongFollower,
    PreCandidate,
    Candidate,
    Leader,
    LongLeader,
    Sender,
}

impl Stage {
    const ALL: [Self; 8] = [
        Self::Newborn,
        Self::Follower,
        Self::LongFollower,
        Self::PreCandidate,
        Self::Candidate,
        Self::Leader,
        Self::LongLeader,
        Self::Sender,
    ];

    fn set(self) -> Node {
        let mut node = Node::recover(config(ME), Image::new()).expect("a fresh directory");
        node.settle();
        match self {
            Self::Newborn => {}
            Self::Follower => follow(&mut node, 3),
            Self::LongFollower => follow(&mut node, 12),
            Self::PreCandidate => await_role(&mut node, Role::PreCandidate),
            Self::Candidate => await_role(&mut node, Role::Candidate),
            Self::Leader => lead(&mut node, 2),
            Self::LongLeader => lead(&mut node, 12),
            Self::Sender => {
                lead(&mut node, 12);
                // The other peer has nothing at all: it is sent the snapshot.
                let term = node.view().map_or(0, |view| view.term);
                let refusal = RaftMessage {
                    reject: true,
                    ..RaftMessage::new(RaftKind::AppendResponse, term)
                };
                node.peer(1, Message::Raft(refusal));
            }
        }
        node
    }
}

/// The friend leads term 2 and sends so many entries; all but the last are
/// committed.
fn follow(node: &mut Node, entries: u64) {
    for index in 1..=entries {
        let mut script = Script(&[1, 3]);
        let data =
            if index == 1 { Bytes::new() } else { command(FRIEND, &mut script).encode().into() };
        let (before, commit) = (index - 1, index - 1);
        let append = RaftMessage {
            index: before,
            log_term: if before == 0 { 0 } else { 2 },
            commit,
            entries: vec![Entry { index, term: 2, data }],
            ..RaftMessage::new(RaftKind::Append, 2)
        };
        node.peer(FRIEND, Message::Raft(append));
        node.settle();
    }
}

fn await_role(node: &mut Node, role: Role) {
    for _ in 0..100 {
        if node.view().is_some_and(|view| view.role == role) {
            return;
        }
        if node.view().is_some_and(|view| view.role == Role::PreCandidate) {
            answer(node, FRIEND);
        } else {
            node.tick();
        }
        node.settle();
    }
    panic!("it does not become {role:?}");
}

/// It is elected by the friend, and writes.
fn lead(node: &mut Node, writes: u8) {
    await_role(node, Role::Candidate);
    for nth in 0..=writes {
        // Twice: what was written, then what the answer set free.
        for _ in 0..2 {
            answer(node, FRIEND);
            node.settle();
        }
        node.write(nth, 20);
        // An idle node's snapshot goes on with every tick.
        node.tick();
        node.settle();
    }
}

/// A peer answers all that it was sent, as it should.
fn answer(node: &mut Node, peer: NodeId) {
    let sent = std::mem::take(&mut node.sent);
    let (heard, others): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(to, _)| *to == peer);
    node.sent = others;
    for (_, message) in heard {
        if let Some(answer) = honest(message) {
            node.peer(peer, answer);
        }
    }
}

fn honest(message: Message) -> Option<Message> {
    let raft = match message {
        Message::Raft(raft) => raft,
        Message::Chunk(chunk) => {
            let received = chunk.offset + chunk.bytes.len() as u64;
            return Some(Message::ChunkAck { index: chunk.index, received });
        }
        _ => return None,
    };
    let kind = match raft.kind {
        RaftKind::RequestPreVote => RaftKind::RequestPreVoteResponse,
        RaftKind::RequestVote => RaftKind::RequestVoteResponse,
        RaftKind::Heartbeat => RaftKind::HeartbeatResponse,
        RaftKind::Append => RaftKind::AppendResponse,
        _ => return None,
    };
    let index = raft.entries.last().map_or(raft.index, |entry| entry.index);
    let (context, commit) = (raft.context, raft.commit);
    Some(Message::Raft(RaftMessage { index, context, commit, ..RaftMessage::new(kind, raft.term) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(stage: Stage) -> (Role, View) {
        let view = stage.set().view().expect("nobody has lied yet");
        (view.role, view)
    }

    #[test]
    fn every_stage_is_what_it_says() {
        assert_eq!(role(Stage::PreCandidate).0, Role::PreCandidate);
        assert_eq!(role(Stage::Candidate).0, Role::Candidate);
        let (part, view) = role(Stage::LongFollower);
        assert_eq!((part, view.leader, view.committed), (Role::Follower, Some(FRIEND), 11));
        let (part, view) = role(Stage::Leader);
        assert_eq!(part, Role::Leader);
        assert!(view.applied > 1, "it serves");
    }

    #[test]
    fn genuine_messages_are_of_every_kind_that_a_stage_sends() {
        let messages: Vec<_> =
            GENUINE.iter().filter_map(|bytes| Message::decode(bytes.clone()).ok()).collect();
        assert_eq!(messages.len(), GENUINE.len());
        assert!(messages.iter().any(|message| matches!(message, Message::Chunk(_))));
        assert!(messages.iter().any(|message| message.append_bytes().is_some()));
    }
}
