//! Inputs taken together: what the later ones find is what the earlier ones left,
//! not what the log has been told of it so far.

use quorate_engine::message::{RaftKind, RaftMessage};
use quorate_engine::tree::Path;
use quorate_engine::{
    Change, Config, Content, Engine, Entry, Image, Input, Member, Message, NodeId, Output, Request,
    Write,
};

/// n2 of three.
fn newborn() -> (Engine, Vec<Output>) {
    let member = |id| Member { id, peer_urls: Vec::new(), attributes: Default::default() };
    let mut config = Config::new(2, 7, (1..=3).map(member).collect());
    config.boot = 1;
    Engine::recover(config, Image::new()).expect("an empty directory is sound")
}

/// Takes inputs together, and lets the disk do what follows.
fn take(engine: &mut Engine, inputs: Vec<Input>, mut out: Vec<Output>) -> Vec<Output> {
    engine.step_all(inputs, &mut out);
    let mut at = 0;
    while at < out.len() {
        if let Output::Disk { id, .. } = out[at] {
            engine.step(Input::Disk { id, result: Ok(()) }, &mut out);
        }
        at += 1;
    }
    out
}

/// The leader of a term appends its first entry behind another.
fn append(from: NodeId, term: u64, after: (u64, u64), commit: u64) -> Input {
    let entry = Entry { index: after.0 + 1, term, data: Default::default() };
    let (index, log_term) = after;
    let append = RaftMessage::new(RaftKind::Append, term);
    let append = RaftMessage { log_term, index, commit, entries: vec![entry], ..append };
    Input::Peer { from, message: Message::Raft(append) }
}

#[test]
fn what_a_new_leader_repeats_at_once_does_not_contradict_itself() {
    let (mut engine, first) = newborn();
    take(&mut engine, vec![append(1, 1, (0, 0), 0)], first);
    // Its entry was never committed; another leader's takes its place, and is.
    let again = vec![append(3, 2, (0, 0), 1), append(3, 2, (0, 0), 1)];
    let said = take(&mut engine, again, Vec::new());
    assert!(!said.iter().any(|word| matches!(word, Output::Halt(_))), "{said:?}");
    assert_eq!((engine.view().applied, engine.view().term), (1, 2));
}

#[test]
fn what_contradicts_a_committed_entry_halts_the_node() {
    let (mut engine, first) = newborn();
    take(&mut engine, vec![append(1, 1, (0, 0), 1)], first);
    let said = take(&mut engine, vec![append(3, 2, (0, 0), 1)], Vec::new());
    assert!(matches!(said.last(), Some(Output::Halt(_))), "{said:?}");
}

/// An answer to what n2 asks as a candidate and says as a leader.
fn answer(kind: RaftKind, from: NodeId, term: u64, index: u64) -> Input {
    let Input::Peer { message: Message::Raft(append), .. } = append(from, term, (0, 0), 0) else {
        unreachable!("an append is a message of raft")
    };
    let message = Message::Raft(RaftMessage { kind, index, entries: Vec::new(), ..append });
    Input::Peer { from, message }
}

#[test]
fn what_is_written_together_leaves_in_messages_that_the_wire_carries() {
    let (mut engine, first) = newborn();
    take(&mut engine, Vec::new(), first);
    while engine.view().role == quorate_engine::Role::Follower {
        take(&mut engine, vec![Input::Tick { wall_ms: 0 }], Vec::new());
    }
    let term = engine.view().term + 1;
    take(&mut engine, vec![answer(RaftKind::RequestPreVoteResponse, 1, term, 0)], Vec::new());
    take(&mut engine, vec![answer(RaftKind::RequestVoteResponse, 1, term, 0)], Vec::new());
    take(&mut engine, vec![answer(RaftKind::AppendResponse, 1, term, 1)], Vec::new());
    let value: std::sync::Arc<str> = "x".repeat(600 << 10).into();
    let write = |id| {
        let change = Change::Set { content: Content::File(value.clone()), ttl: None };
        let path = Path::new("/a").expect("a path");
        Input::Client { id, request: Request::Write(Write { path, change }) }
    };
    let said = take(&mut engine, (1..=4).map(write).collect(), Vec::new());
    let sizes: Vec<usize> = said
        .iter()
        .filter_map(|word| match word {
            Output::Peer { to: 1, message: Message::Raft(raft) } if !raft.entries.is_empty() => {
                Some(raft.entries.len())
            }
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [1; 4], "each two of them are more than max_append_bytes");
}
