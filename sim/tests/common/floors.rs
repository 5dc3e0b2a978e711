//! What 20 seeds of each weather file must have seen at least; a file that sees less is
//! too tame to prove its claim. The seeds are always the same: chance decides anew only
//! when something else changes. Most floors are below half of what the least of a few
//! ranges of seeds saw; the rarest paths have less room than that.

use std::collections::BTreeMap;

use quorate_sim::probes::Probe::{self, *};

/// Of every storm, if its file does not say otherwise.
const STORM: &[(Probe, u64)] = &[
    (TermLed, 25),
    (NamePublished, 30),
    (SnapshotReceived, 3),
    (Forwarded, 500),
    (WatchShown, 200),
    (WatchCleared, 10),
    (Expired, 100),
    (CalmUnderOneLeader, 15),
];

/// Of every recipe.
const RECIPE: &[(Probe, u64)] = &[
    (TermLed, 40),
    (SnapshotReceived, 5),
    (Forwarded, 1_000),
    (WatchShown, 100),
    (WatchCleared, 5),
    (Expired, 100),
    (CalmUnderOneLeader, 15),
];

/// What else a file must have seen, or otherwise.
pub const FILES: &[(&str, &[(Probe, u64)])] = &[
    (
        "five-ambushes",
        &[
            (ElectedAtOnce, 60),
            (VoteRefused, 60),
            (LeaderDied, 50),
            (LedAgain, 25),
            (SuffixCut, 8),
            (OwnEntriesCut, 5),
            (MessageOutlivedSender, 350),
            (MessageFoundAnotherLife, 250),
            (TornTailCut, 10),
            (UnbornSegmentRemoved, 13),
            (DraftRemoved, 35),
            (DiedWriting, 160),
            (DiedRecovering, 50),
            (DiedWritingSnapshot, 50),
            (BornFromSnapshot, 450),
            (DiedInstalling, 1),
            (DiedStalled, 13),
            (DiedYoung, 350),
            (AllDown, 35),
            (Ambushed, 130),
        ],
    ),
    (
        "five-crashes",
        &[
            (TermLed, 60),
            (TornTailCut, 5),
            (DiedReceiving, 11),
            (TransferBegun, 100),
            (TransferGivenUp, 3),
            (ChunkSentAgain, 70),
            (ChunkOutOfOrder, 70),
            (RecordBeyondChunk, 110),
            (ReceiptReplaced, 6),
            (SnapshotInstalled, 80),
            (LeaderChanged, 130),
            (OrderAcrossLeaders, 80),
            (QuorumLost, 60),
            (QuorumRegained, 60),
        ],
    ),
    ("five-clocks", &[(LeaderDrifted, 15)]),
    (
        "five-damage",
        &[
            (StartRefused, 10),
            (TailForgotten, 10),
            (Amnesia, 2),
            (Rotted, 5),
            (Misdirected, 5),
            (NamesLost, 5),
        ],
    ),
    (
        "five-duplicates",
        &[
            (TermLed, 35),
            (AppendRefused, 30_000),
            (LogProbedBack, 16_000),
            (SeveralCommitted, 2_000),
            (LongAppend, 400),
            (MessageRepeated, 35_000),
            (MessageCutOff, 750),
            (BatchBeyondSegment, 1_500),
            (WriteFollowed, 9_500),
            (ChunkTooLate, 2),
            (ForwardRepeated, 1_000),
            (OverBound, 1_000),
            (LostToSnapshot, 35),
            (ReadOnFollower, 2_500),
            (ReadWaited, 25),
            (CompareFailed, 300),
            (DirectoryNotEmpty, 160),
            (TreeDeleted, 400),
        ],
    ),
    (
        "five-frozen-clocks",
        &[
            (SegmentBegun, 9_500),
            (SegmentRemoved, 9_500),
            (SnapshotWritten, 2_000),
            (DirectoryInWindow, 2_000),
            (SeveralExpired, 25),
            (RefreshedInTime, 70),
            (LeaderFrozen, 10),
        ],
    ),
    ("five-links", &[(MessageLost, 18_000), (LeaderCutOff, 50), (CutTwice, 170)]),
    ("five-swarm", &[(DiedCut, 100)]),
    ("five-three-down", &[(TermLed, 20), (SnapshotReceived, 0)]),
    (
        "five-times-to-live",
        &[
            (TwoLeaders, 8),
            (OldLeaderActed, 5),
            (LeaderDeposed, 3),
            (Expired, 800),
            (DirectoryExpired, 35),
            (StampAlone, 500),
            (JumpedBeforeDue, 70),
            (WokeDeposed, 2),
            (DiedPaused, 2),
        ],
    ),
    ("soak-five", &[(TornTailCut, 5), (SnapshotReceived, 20), (CalmUnderOneLeader, 0)]),
    (
        "three-damaged",
        &[(SnapshotReceived, 0), (CalmUnderOneLeader, 0), (StartRefused, 20), (Expired, 45)],
    ),
    ("three-disk-errors", &[(Halted, 160)]),
    ("three-one-down", &[(TermLed, 20), (SnapshotReceived, 0)]),
    ("three-partitions", &[(CutOneWay, 35)]),
    (
        "three-slow-disks",
        &[
            (ElectedAfterEmptyTerms, 25),
            (TwoStood, 25),
            (RivalWon, 2),
            (CandidacyTimedOut, 50),
            (PreVoteRefused, 200),
            (PreVoteGivenUp, 110),
            (StaleLogRefused, 60),
            (TermSkipped, 25),
            (LeaderLostQuorum, 50),
            (EarlierTermCommitted, 50),
            (Forwarded, 1_000),
            (ForwardNotTaken, 1_000),
            (WriteOutlivedLeader, 10),
            (NoLeader, 27_500),
            (WriteTimedOut, 30),
            (LostAndApplied, 100),
            (LostForGood, 200),
            (ReadLostLeader, 90),
            (ReadMisdirected, 40),
            (Expired, 30),
            (ExpiredFirst, 1),
            (CalmUnderOneLeader, 0),
            (WatchShown, 60),
        ],
    ),
    (
        "three-stalls-and-pauses",
        &[
            (LeaderGaveUpDisk, 10),
            (OldTermArrived, 350),
            (WriteStalled, 30),
            (ForwardMissed, 350),
            (ReadTimedOut, 1),
            (LeaderPaused, 11),
            (LeaderStalled, 13),
            (PausedStalled, 14),
        ],
    ),
    ("three-two-down", &[(TermLed, 20), (SnapshotReceived, 0)]),
    (
        "three-watches",
        &[
            (GaveUp, 700),
            (SwappedByValue, 350),
            (SwappedByIndex, 350),
            (ComparedAndDeleted, 250),
            (FileInTheWay, 1_000),
            (RootRefused, 800),
            (Refreshed, 500),
            (WatchShown, 3_000),
            (WatchLookedBack, 650),
            (WatchWaited, 1_000),
            (WatchFilled, 90),
            (WatchCleared, 200),
            (WatchClearedWaiting, 7),
            (WatchUnready, 1_000),
            (WatchDied, 100),
        ],
    ),
    ("recipe-balance", &[(RecipeDone, 5_000)]),
    ("recipe-condition", &[(RecipeDone, 800)]),
    ("recipe-config", &[(RecipeDone, 200)]),
    ("recipe-directory", &[(RecipeDone, 80)]),
    ("recipe-election", &[(RecipeDone, 120)]),
    ("recipe-fair-lock", &[(RecipeDone, 100), (RecipeContended, 100)]),
    ("recipe-index-builder", &[(RecipeDone, 200)]),
    ("recipe-lock", &[(RecipeDone, 120), (RecipeContended, 5)]),
    ("recipe-monitor", &[(RecipeDone, 60)]),
    ("recipe-queue", &[(RecipeDone, 800)]),
    ("recipe-registry", &[(RecipeDone, 250)]),
];

/// Paths that 20 seeds of no file take for certain, and why. All were taken in larger
/// campaigns.
pub const SELDOM: &[(Probe, &str)] = &[
    (LongerLogRefused, "a node has to fill its log alone and then miss a whole term"),
    (TransferReplaced, "a transfer ends sooner than the next snapshot is whole"),
    (SnapshotOvertaken, "appends come while a snapshot is on its way only if leaders change then"),
];

/// The floors of a file.
pub fn least(name: &str) -> BTreeMap<Probe, u64> {
    let usual = if name.starts_with("recipe-") { RECIPE } else { STORM };
    let own = FILES.iter().filter(|(file, _)| *file == name).flat_map(|(_, own)| *own);
    usual.iter().chain(own).copied().collect()
}
