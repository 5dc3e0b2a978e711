//! The names of all probes, room by room.

macro_rules! probes {
    ($($room:literal { $($probe:ident $name:literal $what:literal)+ })+) => {
        /// A rare path, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Probe {
            $($(#[doc = $what] $probe,)+)+
        }

        impl Probe {
            /// Every probe, room by room.
            pub const ALL: &[Self] = &[$($(Self::$probe,)+)+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $($(Self::$probe => $name,)+)+ }
            }

            /// What was seen, in one sentence.
            pub fn what(self) -> &'static str {
                match self { $($(Self::$probe => $what,)+)+ }
            }

            /// The part of the system that it speaks of.
            pub fn room(self) -> &'static str {
                match self { $($(Self::$probe => $room,)+)+ }
            }
        }
    };
}

probes! {
    "elections" {
        TermLed "term-led" "A term had a leader."
        ElectedAtOnce "elected-at-once" "The term after a led one had a leader, too."
        ElectedAfterEmptyTerms "elected-after-empty-terms" "A leader came after terms without one."
        TwoStood "two-stood" "Two nodes stood for election in one term."
        RivalWon "rival-won" "A candidate heard that another had won its term."
        CandidacyTimedOut "candidacy-timed-out" "A candidate heard too little, and asked again."
        VoteRefused "vote-refused" "A vote was refused."
        PreVoteRefused "pre-vote-refused" "A pre-vote was refused."
        PreVoteGivenUp "pre-vote-given-up" "A node gave up before it stood for election."
        StaleLogRefused "stale-log-refused" "A candidate's log ended before what the voter had acknowledged."
        LongerLogRefused "longer-log-refused" "A candidate's log was the longer one, and of an earlier term."
        TermSkipped "term-skipped" "A node's term rose by two or more in one step."
        TwoLeaders "two-leaders" "A leader was elected while one of an earlier term believed to lead."
        OldLeaderActed "old-leader-acted" "A leader took a step after a later term had had a leader."
        LeaderDeposed "leader-deposed" "A leader heard of a later term."
        LeaderLostQuorum "leader-lost-quorum" "A leader stepped down, for a majority was silent."
        LeaderGaveUpDisk "leader-gave-up-disk" "A leader stepped down, for its log write did not end."
        LeaderDied "leader-died" "A leader died."
        LedAgain "led-again" "A node that had died as the leader led again."
    }
    "log" {
        OldTermArrived "old-term-arrived" "A raft message of an earlier term arrived."
        AppendRefused "append-refused" "A follower refused an append."
        LogProbedBack "log-probed-back" "A leader went back in its log after a refusal."
        SuffixCut "suffix-cut" "A follower gave up entries that a later leader did not have."
        OwnEntriesCut "own-entries-cut" "A deposed leader gave up entries that it had proposed itself."
        EarlierTermCommitted "earlier-term-committed" "A leader committed an entry of an earlier term (raft paper, figure 8)."
        SeveralCommitted "several-committed" "A leader committed several entries in one step."
        LongAppend "long-append" "An append carried eight entries or more."
    }
    "messages" {
        MessageLost "message-lost" "A link lost a message, or a cut one took none."
        MessageRepeated "message-repeated" "A link delivered a message twice."
        MessageCutOff "message-cut-off" "A message was on its way when its link was cut."
        MessageOutlivedSender "message-outlived-sender" "A message arrived after its sender had died."
        MessageFoundAnotherLife "message-found-another-life" "A message arrived after its addressee had died and come back."
    }
    "disk" {
        TornTailCut "torn-tail-cut" "A torn tail of the log was cut at birth."
        UnbornSegmentRemoved "unborn-segment-removed" "A segment whose first batch was torn was removed at birth."
        TailForgotten "tail-forgotten" "Rot took the last batch of a log, which a quorum held without it."
        DraftRemoved "draft-removed" "What was left of a snapshot's draft was removed at birth."
        DiedWriting "died-writing" "A node died while its log was written."
        DiedRecovering "died-recovering" "A node died before the first disk operation of its life was done."
        DiedWritingSnapshot "died-writing-snapshot" "A node died while it wrote a snapshot."
        DiedReceiving "died-receiving" "A node died while it received a snapshot."
        SegmentBegun "segment-begun" "A log went on in another segment."
        SegmentRemoved "segment-removed" "A segment that a snapshot covers was removed."
        BatchBeyondSegment "batch-beyond-segment" "One batch was larger than a segment."
        WriteFollowed "write-followed" "A log write left as the one before it landed."
        WriteStalled "write-stalled" "A log write took longer than an election timeout."
    }
    "snapshots" {
        SnapshotWritten "snapshot-written" "A node's own snapshot was whole."
        DirectoryInWindow "directory-in-window" "A snapshot was begun while its window of events had a directory that was gone."
        BornFromSnapshot "born-from-snapshot" "A node was born with a snapshot."
        TransferBegun "transfer-begun" "A leader began to send a snapshot to one far behind."
        TransferReplaced "transfer-replaced" "A newer snapshot was sent in place of one on its way."
        TransferGivenUp "transfer-given-up" "A leader gave up sending a snapshot."
        ChunkSentAgain "chunk-sent-again" "A chunk was sent again."
        ChunkOutOfOrder "chunk-out-of-order" "A chunk came before the one in front of it."
        ChunkTooLate "chunk-too-late" "A chunk came when the log had got there by itself."
        RecordBeyondChunk "record-beyond-chunk" "One record made a chunk larger than chunks are to be."
        ReceiptReplaced "receipt-replaced" "A snapshot began to arrive while another had not arrived whole."
        SnapshotReceived "snapshot-received" "A follower had received a snapshot whole."
        SnapshotInstalled "snapshot-installed" "A received snapshot took the place of a state."
        SnapshotOvertaken "snapshot-overtaken" "A received snapshot was durable when the log had got as far."
        DiedInstalling "died-installing" "A node died between a snapshot's last byte and its taking effect."
    }
    "clients" {
        Forwarded "forwarded" "A follower passed a write on to the leader."
        ForwardNotTaken "forward-not-taken" "A forwarded write was turned away."
        ForwardRepeated "forward-repeated" "A forwarded write arrived twice."
        ForwardMissed "forward-missed" "A forwarded write came to one that did not lead in its term."
        WriteOutlivedLeader "write-outlived-leader" "A forwarded write was done after the term it was given to."
        LeaderChanged "leader-changed" "A write was refused, for a later leader's entry took its place."
        NoLeader "no-leader" "A request was refused, for no leader was known."
        OverBound "over-bound" "A request was refused for a bound."
        WriteTimedOut "write-timed-out" "Of a write nothing was known at its deadline."
        LostToSnapshot "lost-to-snapshot" "A snapshot took the place of the entries that a write may be among."
        LostAndApplied "lost-and-applied" "A write of which nobody could say had been applied."
        LostForGood "lost-for-good" "A write of which nobody could say was never applied."
        GaveUp "gave-up" "A client went away before it was answered."
        ReadOnFollower "read-on-follower" "A follower answered a linearizable read."
        ReadWaited "read-waited" "A read was confirmed at an index that was not yet applied."
        ReadLostLeader "read-lost-leader" "A read waited, and lost its leader."
        ReadTimedOut "read-timed-out" "A read was not confirmed by its deadline."
        NamePublished "name-published" "A member made its name known to the cluster."
        ReadMisdirected "read-misdirected" "A round of reads was asked of one that did not lead."
    }
    "tree" {
        SwappedByValue "swapped-by-value" "A compare-and-swap found the value it wanted."
        SwappedByIndex "swapped-by-index" "A compare-and-swap found the index it wanted."
        ComparedAndDeleted "compared-and-deleted" "A compare-and-delete found what it wanted."
        CompareFailed "compare-failed" "A condition did not hold."
        FileInTheWay "file-in-the-way" "A file stood where a directory was needed."
        DirectoryNotEmpty "directory-not-empty" "A directory was not deleted, for it was not empty."
        RootRefused "root-refused" "A change of the root was refused."
        TreeDeleted "tree-deleted" "A directory was deleted with all below it."
        OrderAcrossLeaders "order-across-leaders" "In one directory, keys were created in order under two leaders."
    }
    "time" {
        Expired "expired" "A key went by itself."
        SeveralExpired "several-expired" "Several keys went at one entry."
        DirectoryExpired "directory-expired" "A directory went by itself, with what was in it."
        ExpiredFirst "expired-first" "The first event under another leader was that a key went by itself."
        Refreshed "refreshed" "A time to live was renewed."
        RefreshedInTime "refreshed-in-time" "A time to live was renewed in its last second."
        StampAlone "stamp-alone" "A leader with nothing else to log logged the time."
        JumpedBeforeDue "jumped-before-due" "A wall clock jumped while a key had less than a second to live."
        CalmUnderOneLeader "calm-under-one-leader" "A calm passed under one leader: only in these is a key that stays too long seen."
    }
    "watches" {
        WatchShown "watch-shown" "A watch was shown something."
        WatchLookedBack "watch-looked-back" "A watch was answered at once from the window."
        WatchWaited "watch-waited" "A watch waited and was shown something."
        WatchFilled "watch-filled" "A watch was shown as many events as it takes."
        WatchCleared "watch-cleared" "A watch was told that what it asked for is gone."
        WatchClearedWaiting "watch-cleared-waiting" "A watch that waited was told so, for a snapshot took the place of entries."
        WatchUnready "watch-unready" "A watch was refused by a node that was not ready."
        WatchDied "watch-died" "A watch waited on a node that died."
    }
    "faults" {
        LeaderCutOff "leader-cut-off" "A cut left the leader on the side of a minority."
        CutOneWay "cut-one-way" "A link was cut in one direction."
        CutTwice "cut-twice" "Links were cut while others were."
        LeaderPaused "leader-paused" "The leader was paused."
        WokeDeposed "woke-deposed" "A leader woke from a pause in which another had been elected."
        LeaderStalled "leader-stalled" "The leader's disk stalled."
        PausedStalled "paused-stalled" "A node was paused while its disk stalled."
        DiedCut "died-cut" "A node died while links were cut."
        DiedStalled "died-stalled" "A node died while its disk stalled."
        DiedPaused "died-paused" "A node died in a pause."
        DiedYoung "died-young" "A node died within a second of its birth."
        QuorumLost "quorum-lost" "So many nodes were down that the rest was no majority."
        QuorumRegained "quorum-regained" "So many nodes came back that there was a majority again."
        AllDown "all-down" "All nodes were down at once."
        Ambushed "ambushed" "A node lost its power, or was stranded, just as it came into a state that seldom lasts."
        LeaderFrozen "leader-frozen" "The leader's clocks stood still."
        LeaderDrifted "leader-drifted" "The leader's clocks came to go faster or slower."
        Halted "halted" "A node halted."
        Amnesia "amnesia" "A node halted for good, for its leader knew it to have held more."
        Rotted "rotted" "Something that a node had durable rotted."
        Misdirected "misdirected" "A log write went to another place than it was meant for."
        NamesLost "names-lost" "A node lost the last changes of names."
        StartRefused "start-refused" "A node refused to start on what its disk held."
    }
    "recipes" {
        RecipeDone "recipe-done" "What the recipe is for happened: a lock held, an item taken, a reading, and so on."
        RecipeContended "recipe-contended" "Processes of a recipe were in each other's way: a late holder's write turned away, a waiter woken."
    }
}
