//! Mistakes of whoever reads frames, keeps mailboxes and starts and stops groups.

use super::{
    decisions::{Decisions, Failure, Full, Registration, Stop, Unrouted, group_id},
    state::Link,
};
use crate::mistake::Mistake;

const OURS: &str = "the port's own class";

/// All of them; those without laws are controls.
pub const ALL: &[Mistake<Decisions>] = &[
    Mistake {
        id: "B-W1",
        mechanism: "a frame of another group goes to the default group because the peer is legacy",
        source: OURS,
        laws: &["I-W3"],
        put_in: |decisions| decisions.names = |link, group| Some(if link == Link::Legacy { 0 } else { group }),
    },
    Mistake {
        id: "B-W1-unknown",
        mechanism: "a frame of an unknown group goes to the default group",
        source: OURS,
        laws: &["I-D1"],
        put_in: |decisions| decisions.unroutable = Unrouted::Default,
    },
    Mistake {
        id: "B-W5",
        mechanism: "an unknown group closes the connection, and with it all other groups",
        source: "NuRaft's proposal for a shared port",
        laws: &["I-D2"],
        put_in: |decisions| decisions.unroutable = Unrouted::Closes,
    },
    Mistake {
        id: "B-W5-silent",
        mechanism: "a frame of an unknown group is thrown away without an answer or a count",
        source: OURS,
        laws: &["I-D2"],
        put_in: |decisions| decisions.unroutable = Unrouted::Forgotten,
    },
    Mistake {
        id: "B-W6",
        mechanism: "the call that stops a group returns while the handler works off what waits",
        source: OURS,
        laws: &["I-D7"],
        put_in: |decisions| decisions.stop = Stop::WorksOff,
    },
    Mistake {
        id: "B-W7",
        mechanism: "a group registered anew finds the messages of its predecessor in its mailbox",
        source: "dragonboat's rule on replica ids; TiKV tombstones, tikv/tikv#10352",
        laws: &["I-D1"],
        put_in: |decisions| decisions.stop = Stop::Inherited,
    },
    Mistake {
        id: "B-W7-late",
        mechanism: "what was found for one life is put into the mailbox that the group's number has by then",
        source: OURS,
        laws: &["I-D1"],
        put_in: |decisions| {
            decisions.posts_to = |state, held| {
                let group = group_id(held.frame.names);
                state.registry.groups().find(|(found, ..)| *found == group).map(|(_, _, mailbox)| *mailbox)
            }
        },
    },
    Mistake {
        id: "B-W8",
        mechanism: "a full mailbox stops the reading of the connection",
        source: OURS,
        laws: &["I-D4"],
        put_in: |decisions| decisions.full = Full::Waits,
    },
    Mistake {
        id: "B-W8-unbounded",
        mechanism: "a mailbox has no bound",
        source: OURS,
        laws: &["I-D4"],
        put_in: |decisions| decisions.full = Full::Grows,
    },
    Mistake {
        id: "B-W8-displaces",
        mechanism: "a full mailbox forgets its oldest message, without a word to its sender",
        source: OURS,
        laws: &["I-D2"],
        put_in: |decisions| decisions.full = Full::Displaces,
    },
    Mistake {
        id: "B-W10",
        mechanism: "two registrations of one number at the same time both succeed: each looks, then takes",
        source: "jgroups-extras/jgroups-raft#254; camunda/camunda#5356 (the same race for votes)",
        laws: &["I-D3"],
        put_in: |decisions| decisions.registration = Registration::LooksFirst,
    },
    Mistake {
        id: "B-W10-overlap",
        mechanism: "a group is started again while the call that stops it is under way: two handlers of one life",
        source: "ClickHouse/ClickHouse#118740 (a member added again goes on with its old memory)",
        laws: &["I-D3"],
        put_in: |decisions| decisions.serial = false,
    },
    Mistake {
        id: "B-W12",
        mechanism: "the sender's id in the frame is believed, whoever is at the other end",
        source: "ResilientDB pull request 212; ResilientDB's PBFT",
        laws: &["DUTY-6"],
        put_in: |decisions| decisions.admits = |_, _| true,
    },
    Mistake {
        id: "B-Q08",
        mechanism: "one group's error ends all groups",
        source: "dragonboat#191, #391; openraft#1810; sofa-jraft#830",
        laws: &["I-D4"],
        put_in: |decisions| decisions.failure = Failure::Spreads,
    },
    Mistake {
        id: "B-Q08-connection",
        mechanism: "one group's error closes the connection that all groups share",
        source: "dragonboat#391",
        laws: &["I-D4"],
        put_in: |decisions| decisions.failure = Failure::Closes,
    },
    Mistake {
        id: "B-Q10",
        mechanism: "a message of a removed life is accepted by the group that was made anew on the same port",
        source: "dragonboat's deployment and replica ids; TiKV tombstones, tikv/tikv#10352; NuRaft#504, #640",
        laws: &["I-D1"],
        put_in: |decisions| decisions.route = |registry, frame| registry.route_any(group_id(frame.names), 0).copied(),
    },
    Mistake {
        id: "B-Q10-v0",
        mechanism: "a later life of the default group hears frames that carry no incarnation, of a peer that was away when the life began",
        source: "rule 3 of the negotiation, checked at creation only",
        laws: &["I-D1"],
        put_in: |decisions| {
            decisions.route = |registry, frame| match frame.link {
                Link::Extended => registry.route(group_id(frame.names), frame.life_id(), 0).copied(),
                Link::Legacy | Link::Client => registry.route_any(group_id(frame.names), 0).copied(),
            };
        },
    },
    Mistake {
        id: "B-M15-tombstone",
        mechanism: "a removed life of a group is started again, empty: it may vote twice",
        source: "etcd-io/etcd#3504, #10254; dragonboat#354",
        laws: &["I-D3"],
        put_in: |decisions| decisions.buries = false,
    },
    Mistake {
        id: "B-W14",
        mechanism: "the newest message is handled first",
        source: OURS,
        laws: &["I-D6"],
        put_in: |decisions| decisions.takes = |waiting| waiting.saturating_sub(1),
    },
    Mistake {
        id: "control-opens-anew",
        mechanism: "a later life of the default group may begin while a legacy peer is connected: its frames are refused all the same",
        source: "the route of version 0 frames is what keeps lives apart",
        laws: &[],
        put_in: |decisions| decisions.opens_anew = |_, _| true,
    },
];
