//! Known stories that no search finds soon: played on a world, and recorded as its actions.

use super::{
    Action, Body, Group, Judge, Packet, RaftWorld,
    group::id_at,
    scopes::{self, Scope},
};
use crate::{Seen, World};
use roadstead_spec::{invariants::Broken, raft::Message};

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// What happens in it, in a few words.
    pub name: &'static str,
    /// Where it plays.
    pub scope: Scope,
    /// Which laws judge.
    pub judge: Judge,
    /// How it goes.
    pub play: fn(&mut Stage<'_>),
}

/// A world on which a story is played. What comes behind a broken law is not played any more.
#[derive(Debug)]
pub struct Stage<'a> {
    world: &'a RaftWorld,
    group: Group,
    actions: Vec<Action>,
    broken: Option<Broken>,
}

impl Script {
    /// The story's actions in a world, and the law that it breaks there.
    pub fn play(&self, world: &RaftWorld) -> (Vec<Action>, Option<Broken>) {
        let mut stage = Stage { world, group: world.initial(), actions: Vec::new(), broken: None };
        (self.play)(&mut stage);
        (stage.actions, stage.broken)
    }
}

impl Stage<'_> {
    /// Takes an action, if it is possible.
    ///
    /// # Panics
    /// When it is not: the story does not go like this.
    pub fn act(&mut self, action: Action) {
        if self.broken.is_some() {
            return;
        }
        let mut possible = Vec::new();
        self.world.actions(&self.group, &mut possible);
        assert!(possible.contains(&action), "{action:?} is not possible behind {:?}; possible are {possible:?}", self.actions);
        self.actions.push(action);
        self.broken = self.world.step(&mut self.group, action, &mut Seen::default()).err();
    }

    /// The oldest change of a member's disk becomes durable, as long as there are any.
    pub fn sync(&mut self, member: u8) {
        while self.broken.is_none() && self.group.live(member.into()).is_some_and(|live| !live.jobs.is_empty()) {
            self.act(Action::Sync(member));
        }
    }

    /// A member campaigns, and one other wants it to.
    pub fn campaign(&mut self, member: u8, with: u8) {
        self.act(Action::Campaign { member, with: 1 << with });
    }

    /// A message arrives.
    ///
    /// # Panics
    /// When none of that kind is on its way.
    pub fn arrives(&mut self, from: u8, to: u8, kind: fn(&Message) -> bool) {
        let fits = |packet: &Packet| {
            packet.from == id_at(from.into())
                && packet.to == id_at(to.into())
                && matches!(&packet.body, Body::Message(message) if kind(message))
        };
        if self.broken.is_some() {
            return;
        }
        let place = self.group.network.iter().position(fits);
        let place = place.unwrap_or_else(|| panic!("no such message from {from} to {to} behind {:?}", self.actions));
        self.act(Action::Deliver(u8::try_from(place).expect("a story has few packets")));
    }

    /// A member campaigns and is elected by one other; both disks keep up.
    pub fn elect(&mut self, member: u8, with: u8) {
        self.campaign(member, with);
        self.sync(member);
        self.arrives(member, with, |message| matches!(message, Message::RequestVote { .. }));
        self.sync(with);
        self.arrives(with, member, |message| matches!(message, Message::RequestVoteResponse { .. }));
    }
}

/// A leader counts its own copy, commits, and crashes before its disk has it.
///
/// 1. Member 0 leads term 1 and sends its first entry to member 1 in parallel with its own write.
/// 2. Member 1 stores it, syncs and acknowledges. Member 0 counts two copies, one of which is on no disk, and commits.
/// 3. Member 0 crashes before its write: the entry is on member 1 alone.
/// 4. Member 2 times out twice (its first term is behind). Member 0, whose log is empty again, votes for it: it leads without the committed entry.
pub const COUNTS_ITSELF_TOO_EARLY: Script = Script {
    name: "a leader counts itself, commits, and forgets",
    scope: scopes::STORY,
    judge: Judge::History,
    play: |stage| {
        stage.elect(0, 1);
        stage.arrives(0, 1, |message| matches!(message, Message::AppendEntries { .. }));
        stage.sync(1);
        stage.arrives(1, 0, |message| matches!(message, Message::AppendEntriesResponse { .. }));
        stage.act(Action::Crash { member: 0, lost: 1 });
        stage.campaign(2, 0);
        stage.elect(2, 0);
    },
};

/// A candidate asks before its disk knows, is elected, and forgets that it was.
///
/// 1. Member 0 campaigns in term 1 and asks at once. Member 1 grants, durably: member 0 leads term 1, which is on no disk of its own.
/// 2. Member 0 crashes: term and vote are gone.
/// 3. Member 2 campaigns in term 1, and member 0 votes for it: a second leader of term 1.
pub const ASKS_TOO_EARLY: Script = Script {
    name: "a candidate asks, leads, forgets, and votes again",
    scope: scopes::STORY,
    judge: Judge::History,
    play: |stage| {
        stage.campaign(0, 1);
        stage.arrives(0, 1, |message| matches!(message, Message::RequestVote { .. }));
        stage.sync(1);
        stage.arrives(1, 0, |message| matches!(message, Message::RequestVoteResponse { .. }));
        stage.act(Action::Crash { member: 0, lost: 2 });
        stage.campaign(2, 0);
        stage.arrives(2, 0, |message| matches!(message, Message::RequestVote { .. }));
        stage.sync(0);
        stage.arrives(0, 2, |message| matches!(message, Message::RequestVoteResponse { .. }));
    },
};

/// A leader that was replaced answers a read.
///
/// 1. Member 0 leads term 1; its opening entry is on all disks, and committed. It sends a round of heartbeats, and member 1's answer is on its way.
/// 2. Member 2 is elected by member 1 in term 2; its opening entry is committed. Member 0 hears nothing of that.
/// 3. A client reads at member 0, and the answer to the earlier round arrives: it says that member 1 followed before the read began, not that it still does.
pub const READS_AT_A_FORMER_LEADER: Script = Script {
    name: "an answer from before the read confirms a leader that was replaced",
    scope: scopes::STORY,
    judge: Judge::History,
    play: |stage| {
        let appends = |message: &Message| matches!(message, Message::AppendEntries { .. });
        let answers = |message: &Message| matches!(message, Message::AppendEntriesResponse { .. });
        stage.elect(0, 1);
        stage.sync(0);
        stage.arrives(0, 2, appends);
        stage.sync(2);
        stage.arrives(0, 1, appends);
        stage.sync(1);
        stage.arrives(1, 0, answers);
        stage.arrives(2, 0, answers);
        stage.act(Action::Heartbeat(0));
        stage.arrives(0, 1, appends);
        stage.elect(2, 1);
        stage.sync(2);
        stage.arrives(2, 1, appends);
        stage.sync(1);
        stage.arrives(1, 2, answers);
        stage.act(Action::Read(0));
        stage.arrives(1, 0, answers);
    },
};
