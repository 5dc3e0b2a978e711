//! Neighbours that break their promises, to prove that somebody notices.

use quorate_engine::command::{Command, Do};
use quorate_engine::message::RaftKind;
use quorate_engine::{Change, Content, Done, Entry, Message, Outcome, Write};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

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
    /// Two nodes are given one vote: a vote that was refused arrives as granted.
    ForgedVote,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ForgetfulDisk,
        Self::EarlySync,
        Self::DroppedWrite,
        Self::OlderImage,
        Self::SwappedReplies,
        Self::AlteredMessage,
        Self::UnconfirmedRead,
        Self::StampsJumpAhead,
        Self::SkippedEvent,
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
}

impl Liar {
    pub fn new(lie: Option<Lie>, seed: u64) -> Self {
        Self { lie, rng: stream(seed, "lies"), kept: None }
    }

    /// Whether this lie is told now; half of the time, if it is told at all.
    pub fn tells(&mut self, lie: Lie) -> bool {
        self.lie == Some(lie) && self.rng.random_bool(0.5)
    }

    /// Whether this lie is told now, rarely.
    pub fn rarely_tells(&mut self, lie: Lie) -> bool {
        self.lie == Some(lie) && self.rng.random_bool(0.02)
    }

    /// How many ticks there are in one.
    pub fn ticks(&mut self, leads: bool) -> usize {
        if leads && self.tells(Lie::StampsJumpAhead) { 4 } else { 1 }
    }

    /// A reply to a write, or the one before it; a reply to a watch, or most of it.
    pub fn reply(&mut self, mut outcome: Outcome) -> Outcome {
        if let Outcome::Done(Done::Watched { events, .. }) = &mut outcome
            && events.len() > 1
            && self.tells(Lie::SkippedEvent)
        {
            events.remove(0);
        }
        let written = matches!(outcome, Outcome::Done(Done::Written { .. }));
        if self.lie != Some(Lie::SwappedReplies) || !written {
            return outcome;
        }
        let before = self.kept.replace(outcome.clone());
        before.filter(|_| self.rng.random_bool(0.05)).unwrap_or(outcome)
    }

    /// A message as it arrives.
    pub fn deliver(&mut self, mut message: Message) -> Message {
        let Message::Raft(raft) = &mut message else { return message };
        match raft.kind {
            RaftKind::Append if self.rarely_tells(Lie::AlteredMessage) => {
                raft.entries.iter_mut().for_each(alter);
            }
            RaftKind::RequestVoteResponse if raft.reject && self.tells(Lie::ForgedVote) => {
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
