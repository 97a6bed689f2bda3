//! Every message type of the port, in one enum: a number means the same thing in every version, protocol and release.
//!
//! | numbers | owner |
//! |---|---|
//! | 1..=29 | NuRaft's own, kept where the meaning is the same |
//! | 30..=32 | left free: a fork of NuRaft uses them |
//! | 64..=95 | kept for PBFT |
//! | 96.. | the host's own |
//!
//! 96 is kept for `alive` (one heartbeat per pair of nodes for groups that sleep).

use super::header::Direction;
use core::fmt;

macro_rules! message_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $direction:ident, $text:literal;)+) => {
        /// What a frame says. The discriminant is the number on the wire: never reused, never renumbered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum MessageType {
            $($(#[$doc])* $name = $number,)+
        }

        impl MessageType {
            /// Every type, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The type of this number, or `None` for one that this release does not know.
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// Whether it asks or answers; a frame whose marker says otherwise is refused.
            pub const fn direction(self) -> Direction {
                match self {
                    $(Self::$name => Direction::$direction,)+
                }
            }

            /// The name in documents, logs and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

message_types! {
    /// A candidate asks for a vote.
    RequestVote = 1, Request, "request_vote";
    /// Answer to [`Self::RequestVote`].
    RequestVoteResponse = 2, Response, "request_vote_response";
    /// Entries or a heartbeat of a leader.
    AppendEntries = 3, Request, "append_entries";
    /// Answer to [`Self::AppendEntries`]; in version 0 also to [`Self::ClientRequest`].
    AppendEntriesResponse = 4, Response, "append_entries_response";
    /// A client's write or query.
    ClientRequest = 5, Request, "client_request";
    /// Version 0: adds a server to the cluster.
    AddServer = 6, Request, "add_server";
    /// Answer to [`Self::AddServer`].
    AddServerResponse = 7, Response, "add_server_response";
    /// Version 0: removes a server from the cluster.
    RemoveServer = 8, Request, "remove_server";
    /// Answer to [`Self::RemoveServer`].
    RemoveServerResponse = 9, Response, "remove_server_response";
    /// Version 0: a pack of log entries for a joiner that is far behind.
    SyncLog = 10, Request, "sync_log";
    /// Answer to [`Self::SyncLog`].
    SyncLogResponse = 11, Response, "sync_log_response";
    /// Version 0: invites a server into the cluster.
    JoinCluster = 12, Request, "join_cluster";
    /// Answer to [`Self::JoinCluster`].
    JoinClusterResponse = 13, Response, "join_cluster_response";
    /// Version 0: asks a member to leave.
    LeaveCluster = 14, Request, "leave_cluster";
    /// Answer to [`Self::LeaveCluster`].
    LeaveClusterResponse = 15, Response, "leave_cluster_response";
    /// One piece of a snapshot.
    InstallSnapshot = 16, Request, "install_snapshot";
    /// Answer to [`Self::InstallSnapshot`]: which piece is wanted next.
    InstallSnapshotResponse = 17, Response, "install_snapshot_response";
    /// Version 0: changes nothing; carries the offer of a negotiation.
    Ping = 18, Request, "ping";
    /// Answer to [`Self::Ping`]; carries the answer of a negotiation.
    PingResponse = 19, Response, "ping_response";
    /// "Would you vote for me?"
    PreVote = 20, Request, "pre_vote";
    /// Answer to [`Self::PreVote`].
    PreVoteResponse = 21, Response, "pre_vote_response";
    /// Version 0: never handled by NuRaft.
    Other = 22, Request, "other";
    /// Answer to [`Self::Other`].
    OtherResponse = 23, Response, "other_response";
    /// Version 0: changes a server's election priority outside the log.
    PriorityChange = 24, Request, "priority_change";
    /// Answer to [`Self::PriorityChange`].
    PriorityChangeResponse = 25, Response, "priority_change_response";
    /// Version 0: asks the leader to rebuild its connection to the sender.
    Reconnect = 26, Request, "reconnect";
    /// Answer to [`Self::Reconnect`].
    ReconnectResponse = 27, Response, "reconnect_response";
    /// Version 0: out-of-range warning, leadership takeover, resignation.
    CustomNotification = 28, Request, "custom_notification";
    /// Answer to [`Self::CustomNotification`].
    CustomNotificationResponse = 29, Response, "custom_notification_response";
    /// The addressed group (or this life of it) is not on this node.
    NoSuchGroup = 97, Response, "no_such_group";
    /// The frame was not taken: the group's mailbox is full.
    Busy = 98, Response, "busy";
    /// Answer to a version 1 [`Self::ClientRequest`].
    ClientResponse = 99, Response, "client_response";
    /// A follower passes a client's write on to the leader.
    Forward = 100, Request, "forward";
    /// Answer to [`Self::Forward`].
    ForwardResponse = 101, Response, "forward_response";
    /// A follower passes a linearizable read on to the leader.
    ReadIndex = 102, Request, "read_index";
    /// Answer to [`Self::ReadIndex`].
    ReadIndexResponse = 103, Response, "read_index_response";
    /// A follower whose disk has little room says so in answer to a heartbeat.
    NoSpace = 104, Response, "no_space";
}

/// Highest number that version 0 knows.
pub const LEGACY_TYPE_MAX: u8 = 29;

impl MessageType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether version 0 knows the type.
    pub const fn is_legacy(self) -> bool {
        self.number() <= LEGACY_TYPE_MAX
    }

    /// Whether version 1 knows the type: the host's own, and those of NuRaft's whose meaning is the same.
    pub const fn is_extended(self) -> bool {
        !self.is_legacy()
            || matches!(
                self,
                Self::RequestVote
                    | Self::RequestVoteResponse
                    | Self::AppendEntries
                    | Self::AppendEntriesResponse
                    | Self::ClientRequest
                    | Self::InstallSnapshot
                    | Self::InstallSnapshotResponse
                    | Self::PreVote
                    | Self::PreVoteResponse
            )
    }

    /// The type of a version 0 answer to this request; `None` for an answer and for types that version 0 does not know.
    /// NuRaft answers each request with the next number, except a client request (there is no client response type: type 4).
    pub const fn legacy_answer(self) -> Option<Self> {
        match self {
            Self::ClientRequest => Some(Self::AppendEntriesResponse),
            request if request.is_legacy() && matches!(request.direction(), Direction::Request) => Self::from_u8(request.number() + 1),
            _ => None,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn numbers_are_unique_and_leave_other_peoples_free() {
        let numbers: BTreeSet<u8> = MessageType::ALL.iter().map(|it| it.number()).collect();
        assert_eq!(numbers.len(), MessageType::ALL.len());
        assert!(numbers.iter().take(29).copied().eq(1..=LEGACY_TYPE_MAX), "all of NuRaft's");
        assert!(numbers.iter().skip(29).all(|&number| number > 96), "30 to 32 are a fork's, 64 to 95 PBFT's, 96 is kept");
        let names: BTreeSet<&str> = MessageType::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), MessageType::ALL.len());
    }

    #[test]
    fn numbers_name_their_types() {
        for number in 0..=u8::MAX {
            assert_eq!(MessageType::from_u8(number), MessageType::ALL.iter().copied().find(|it| it.number() == number));
        }
    }
}
