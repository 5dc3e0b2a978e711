//! Neighbours that break their promises, to prove that somebody notices.

use quorate_engine::command::{Command, Do};
use quorate_engine::message::RaftKind;
use quorate_engine::{Change, Content, Done, Entry, Message, NodeId, Outcome, Write};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::journal::{Journal, What};
use super::stream;

/// A promise of a driver that is not kept now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// The power fails, and what was synced is gone too.
    ForgetfulDisk,
    /// A sync is completed before anything is durable.
    EarlySync,
    /// A write is completed and never happened.
    DroppedWrite,
    /// A node starts from what its disk held long ago.
    OlderImage,
    /// One request's reply is handed to another.
    SwappedReplies,
    /// A message is altered on its way, and its checksum with it.
    AlteredMessage,
    /// A read that waits for its confirmation is answered without it.
    UnconfirmedRead,
    /// The driver of a leader gives several ticks at once: its stamps run ahead.
    StampsJumpAhead,
    /// A watch that is shown several events is not shown the first.
    SkippedEvent,
    /// The last batch of a log rots, where no quorum holds it without its node.
    UnchartedRot,
    /// Two nodes are given one vote: a vote that was refused arrives as granted.
    ForgedVote,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ForgetfulDisk,
        Self::EarlySync,
        Self::DroppedWrite,
        Self::OlderImage,
        Self::SwappedReplies,
        Self::AlteredMessage,
        Self::UnconfirmedRead,
        Self::StampsJumpAhead,
        Self::SkippedEvent,
        Self::UnchartedRot,
        Self::ForgedVote,
    ];

    /// What it is called in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForgetfulDisk => "forgetful-disk",
            Self::EarlySync => "early-sync",
            Self::DroppedWrite => "dropped-write",
            Self::OlderImage => "older-image",
            Self::SwappedReplies => "swapped-replies",
            Self::AlteredMessage => "altered-message",
            Self::UnconfirmedRead => "unconfirmed-read",
            Self::StampsJumpAhead => "stamps-jump-ahead",
            Self::SkippedEvent => "skipped-event",
            Self::UnchartedRot => "uncharted-rot",
            Self::ForgedVote => "forged-vote",
        }
    }
}

/// A lie being told.
#[derive(Debug)]
pub(crate) struct Liar {
    lie: Option<Lie>,
    rng: Xoshiro256PlusPlus,
    kept: Option<Outcome>,
    journal: Journal,
}

impl Liar {
    pub fn new(lie: Option<Lie>, seed: u64, journal: Journal) -> Self {
        Self { lie, rng: stream(seed, "lies"), kept: None, journal }
    }

    /// Whether a node is told this lie now; half of the time, if it is told at all.
    pub fn tells(&mut self, lie: Lie, node: NodeId) -> bool {
        self.tells_often(lie, node, 0.5)
    }

    /// Whether a node is told this lie now, rarely.
    pub fn rarely_tells(&mut self, lie: Lie, node: NodeId) -> bool {
        self.tells_often(lie, node, 0.02)
    }

    fn tells_often(&mut self, lie: Lie, node: NodeId, how_often: f64) -> bool {
        let tells = self.lie == Some(lie) && self.rng.random_bool(how_often);
        if tells {
            self.journal.record(|| What::Lied(node, lie));
        }
        tells
    }

    /// How many ticks there are in one.
    pub fn ticks(&mut self, leads: bool, node: NodeId) -> usize {
        if leads && self.tells(Lie::StampsJumpAhead, node) { 4 } else { 1 }
    }

    /// A reply to a write, or the one before it; a reply to a watch, or most of it.
    pub fn reply(&mut self, mut outcome: Outcome, node: NodeId) -> Outcome {
        if let Outcome::Done(Done::Watched { events, .. }) = &mut outcome
            && events.len() > 1
            && self.tells(Lie::SkippedEvent, node)
        {
            events.remove(0);
        }
        let written = matches!(outcome, Outcome::Done(Done::Written { .. }));
        if self.lie != Some(Lie::SwappedReplies) || !written {
            return outcome;
        }
        let before = self.kept.replace(outcome.clone());
        match before {
            Some(before) if self.tells_often(Lie::SwappedReplies, node, 0.05) => before,
            _ => outcome,
        }
    }

    /// A message as it arrives.
    pub fn deliver(&mut self, mut message: Message, to: NodeId) -> Message {
        let Message::Raft(raft) = &mut message else { return message };
        match raft.kind {
            RaftKind::Append if self.rarely_tells(Lie::AlteredMessage, to) => {
                raft.entries.iter_mut().for_each(alter);
            }
            RaftKind::RequestVoteResponse if raft.reject && self.tells(Lie::ForgedVote, to) => {
                raft.reject = false;
            }
            _ => {}
        }
        message
    }
}

/// Puts another value into an entry that sets one.
fn alter(entry: &mut Entry) {
    let Ok(mut command) = Command::decode(entry.data.clone()) else { return };
    if let Do::Write(Write { change: Change::Set { content: Content::File(value), .. }, .. }) =
        &mut command.action
    {
        *value = format!("{value}!").into();
        entry.data = command.encode().into();
    }
}
