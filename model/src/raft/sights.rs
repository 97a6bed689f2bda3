//! What a search must come across for its laws to mean something.

use crate::{Seen, Sight};
use roadstead_spec::{
    invariants::Transition,
    raft::{Effect, Event, Flow, Message, Role},
};

macro_rules! sights {
    ($($(#[doc = $doc:literal])* $name:ident: $fact:literal, [$($law:literal),*];)*) => {
        /// Something worth to be seen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sighted {
            $(#[doc = $fact] $name,)*
        }

        /// All of them.
        pub const SIGHTS: &[Sight] = &[$(Sight { name: $fact, twin_of: &[$($law),*] },)*];
    };
}

sights! {
    Elected: "a leader is elected", ["I-R9b"];
    ElectedTwice: "leaders are elected in two terms", ["I-R16", "I-R1", "I-R8"];
    TwoLead: "two members lead at the same time, in different terms", ["I-R1"];
    Voted: "a vote is granted", ["I-R9", "I-R10"];
    VoteTaken: "a vote is refused because it was given to another", ["I-R9", "I-R10"];
    VoteBehind: "a vote is refused because the candidate's log is behind", ["I-R4b", "I-R4"];
    PreVoteHeard: "a pre-vote is refused because a leader is heard", ["I-R21"];
    PreVoteAsked: "a pre-vote is granted", ["I-R20", "I-R4b"];
    SteppedDown: "a leader steps down with uncommitted entries", ["I-R2", "I-R7"];
    QuorumUnheard: "a leader steps down because it hears no quorum", ["I-R24", "I-V1"];
    DiskStalled: "a leader steps down because its disk stalls", ["I-V2"];
    Committed: "an entry is committed", ["I-R12", "I-R6", "I-R13"];
    CommittedAgain: "entries are committed by leaders of two terms", ["I-R4", "I-R5"];
    OlderCommitted: "an older leader's entry is committed by a later leader", ["I-R13", "I-R4"];
    FollowerCommits: "a follower learns what is committed", ["I-R14", "I-R5"];
    FollowerHeldBack: "a follower commits less than its leader did, for want of a match", ["I-R14"];
    Truncated: "an entry is truncated", ["I-R15", "I-R3", "I-R7"];
    Refused: "an append is refused because its prev is missing", ["I-R22", "I-R3"];
    DuplicateAck: "an acknowledgement arrives that tells nothing new", ["I-R11", "I-R11b"];
    StaleMessage: "a message of an older term arrives", ["I-R8", "I-R18"];
    OwnCopyLast: "the own copy completes the quorum", ["I-R13", "I-R6"];
    GateHeld: "a promise waits for the disk", ["I-R19"];
    WriteLost: "a crash loses a write", ["I-R19b", "I-N4", "I-R6"];
    VoteLost: "a crash loses a term or a vote", ["I-R9", "I-R10"];
    Recovered: "a member restarts with entries", ["I-N4"];
    Applied: "an entry is applied", ["I-R17", "I-R17b"];
    LateApply: "applying ends behind a snapshot that was installed meanwhile", ["I-N2", "I-L4"];
    WriteAnswered: "a client's write is acknowledged", ["I-L5"];
    WriteReplaced: "a client waits for an entry that another one replaced", ["I-L5", "I-L4"];
    ReadAnswered: "a read is answered", ["I-L2"];
    ReadAnsweredLater: "a read is answered after the leader changed", ["I-L1", "I-L2"];
    ReadForwarded: "a read is answered through another member", ["I-L2"];
    ReadRefused: "a leader that steps down refuses a read", ["I-L2"];
    ReadWaits: "a read waits behind another round", ["I-L2b"];
    SnapshotSent: "a snapshot is sent", ["I-N1"];
    SnapshotInstalled: "a snapshot is installed", ["I-N2", "I-N1"];
    SnapshotOld: "a snapshot arrives that tells nothing new", ["I-N2"];
    SuffixKept: "entries behind an installed snapshot are kept", ["I-N2", "I-N3"];
    LogCut: "a log is compacted", ["I-N3"];
    StrangerHeard: "a stranger's message arrives", ["I-R9c"];
    Calmed: "faults stop, and the group recovers", ["I-V9", "I-V1", "I-V2", "I-V3"];
    CalmedWithout: "faults stop but for one member, and the others recover", ["I-V1", "I-V2", "I-V3"];
}

impl Sighted {
    /// Notes it.
    pub fn note(self, seen: &mut Seen) {
        seen.note(self as usize);
    }

    /// Notes it if it is there.
    pub fn note_if(self, seen: &mut Seen, fact: bool) {
        seen.note_if(self as usize, fact);
    }
}

/// What one step of a core shows.
pub fn of_step(step: &Transition<'_>, seen: &mut Seen) {
    let Transition { before, event, after, effects, .. } = step;
    for effect in *effects {
        match effect {
            Effect::Persist { truncate_from: Some(_), .. } => Sighted::Truncated.note(seen),
            Effect::InstallSnapshot { keep_suffix, .. } => {
                Sighted::SnapshotInstalled.note(seen);
                Sighted::SuffixKept.note_if(seen, *keep_suffix);
            }
            Effect::SendSnapshot { .. } => Sighted::SnapshotSent.note(seen),
            Effect::Compact { .. } => Sighted::LogCut.note(seen),
            Effect::Send { message, .. } => of_answer(step, message, seen),
            _ => {}
        }
    }
    if let Role::Leader(old) = &before.role {
        match &after.role {
            Role::Leader(new) => Sighted::ReadWaits.note_if(seen, new.reads.back().is_some_and(|read| read.round > new.round)),
            _ => {
                Sighted::SteppedDown.note_if(seen, before.log.last() > before.commit);
                Sighted::ReadRefused.note_if(seen, !old.reads.is_empty());
                Sighted::QuorumUnheard.note_if(seen, matches!(event, Event::ElectionTimeout));
                Sighted::DiskStalled.note_if(seen, matches!(event, Event::DiskStalled));
            }
        }
    }
    match event {
        Event::Persisted { .. } => Sighted::OwnCopyLast.note_if(seen, after.commit > before.commit),
        Event::SnapshotReceived { at, .. } => Sighted::SnapshotOld.note_if(seen, at.index <= before.commit),
        Event::Receive { from, message: Message::AppendEntriesResponse { term, result: Ok(index), .. } } => {
            let known = before.as_leader().and_then(|leader| leader.peers.get(*from));
            let tells_nothing = known.is_some_and(|peer| *index <= peer.matched && !matches!(peer.flow, Flow::Probe { .. }));
            Sighted::DuplicateAck.note_if(seen, tells_nothing && *term == before.hard.term);
            Sighted::StaleMessage.note_if(seen, *term < before.hard.term);
        }
        Event::Receive { message: Message::AppendEntries { term, slice, commit, .. }, .. } => {
            Sighted::StaleMessage.note_if(seen, *term < before.hard.term);
            Sighted::FollowerCommits.note_if(seen, after.commit > before.commit);
            Sighted::FollowerHeldBack.note_if(seen, after.commit < *commit && slice.last < *commit);
        }
        Event::Receive { message: Message::ReadIndexResponse { index: Some(_), .. }, .. } => Sighted::ReadForwarded.note(seen),
        _ => {}
    }
}

fn of_answer(step: &Transition<'_>, message: &Message, seen: &mut Seen) {
    let before = step.before;
    match message {
        Message::RequestVoteResponse { granted, .. } => {
            Sighted::Voted.note_if(seen, *granted);
            if let (false, Event::Receive { from, message: Message::RequestVote { term, last } }) = (granted, step.event) {
                let taken = *term == before.hard.term && before.hard.vote.is_some_and(|vote| vote != *from);
                Sighted::VoteTaken.note_if(seen, taken);
                Sighted::VoteBehind.note_if(seen, !taken && *term >= before.hard.term && *last < before.log.last_id());
                Sighted::StaleMessage.note_if(seen, *term < before.hard.term);
            }
        }
        Message::PreVoteResponse { granted, .. } => {
            Sighted::PreVoteAsked.note_if(seen, *granted);
            Sighted::PreVoteHeard.note_if(seen, !granted && matches!(before.role, Role::Follower { heard: true, .. } | Role::Leader(_)));
        }
        Message::AppendEntriesResponse { result: Err(_), term, .. } => Sighted::Refused.note_if(seen, *term == before.hard.term),
        _ => {}
    }
}
