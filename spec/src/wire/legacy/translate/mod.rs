//! Group 0 in NuRaft's bodies: the core's messages as version 0 requests and answers, and back.
//!
//! Version 0 asks and answers on one connection and matches the two by their order alone. So an asker keeps an [`Asked`] per request, and the
//! k-th answer is read against the k-th of them ([`crate::wire::Correlator`]); an answerer reads a [`Question`] and puts the [`Answer`] into the
//! question's place ([`crate::wire::AnswerQueue`]). What contradicts its question is refused, never interpreted: the connection is closed.
//!
//! What version 0 has no field for:
//!
//! | ours | over version 0 |
//! |---|---|
//! | group, incarnation | none: group 0, whichever life of it is there |
//! | the term that a pre-vote asks for | NuRaft says its current term: ours minus one |
//! | the refuser's term in a pre-vote's answer | the answer's term, when it is higher than the request's; NuRaft echoes the request's and adopts a higher one |
//! | round of an append | the request's place: the answer that comes in its place confirms it |
//! | runs of a refusal | none: the leader goes back by one, or to the follower's end |
//! | ReadIndex | a notification of a kind that NuRaft accepts and ignores: a NuRaft leader confirms no read |
//! | transfer and checksum of a snapshot's piece | in front of the object's data, which is the state machine's own |
//! | a forwarded write's time | none: the leader's own request timeout |

mod answering;
mod asking;

pub use answering::{Answer, Question, Standing};
pub use asking::{Asked, Heard, WriteOutcome};

use super::LegacyError;
use crate::NodeId;
use crate::wire::body::NUMBER_MAX;
use crate::wire::error::WireError;
use crate::wire::message_type::MessageType;
use thiserror::Error;

/// Who a request is from and for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The asking node; `None`: a client.
    pub from: Option<NodeId>,
    /// The node asked; `None`: whoever listens.
    pub to: Option<NodeId>,
}

impl Ends {
    /// Between two nodes.
    pub const fn nodes(from: NodeId, to: NodeId) -> Self {
        Self { from: Some(from), to: Some(to) }
    }

    /// From a client to whoever listens, as NuRaft's own library does.
    pub const CLIENT: Self = Self { from: None, to: None };

    fn src(self) -> i32 {
        self.from.map_or(0, |node| node.0 as i32)
    }

    fn dst(self) -> i32 {
        self.to.map_or(0, |node| node.0 as i32)
    }
}

/// Why a version 0 frame cannot be taken for something of group 0, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
pub enum Untranslatable {
    /// The body cannot be read or written.
    #[error(transparent)]
    Body(#[from] LegacyError),
    /// An entry that only a NuRaft log can hold.
    #[error(
        "an entry of value type {0} came, which group 0 cannot hold (a NuRaft configuration?); do not make this node a member of a NuRaft cluster"
    )]
    Entry(u8),
    /// An entry beyond the limit.
    #[error("an entry of {size} bytes came, {limit} are allowed; raise `limits.max_entry_bytes` on all members")]
    EntryTooLarge {
        /// Its bytes.
        size: usize,
        /// As configured.
        limit: u32,
    },
    /// A request that this node cannot answer.
    #[error("a {0} came, which this node does not take part in; do not make it a member of a NuRaft cluster")]
    NotServed(MessageType),
    /// A message that is no request of version 0.
    #[error("a {0} cannot be said in version 0")]
    NotSayable(MessageType),
    /// Terms or indices that no member writes.
    #[error("{0}; the peer's bytes are damaged, or it breaks the protocol: check its release")]
    Contradiction(&'static str),
}

impl From<WireError> for Untranslatable {
    fn from(error: WireError) -> Self {
        Self::Body(error.into())
    }
}

/// The core counts on from terms and indices: none that comes from outside may be so high that it could run over.
fn check_range(numbers: &[u64]) -> Result<(), Untranslatable> {
    if numbers.iter().all(|number| *number <= NUMBER_MAX) {
        Ok(())
    } else {
        Err(Untranslatable::Contradiction("a term or an index is beyond all that can be"))
    }
}

/// Kind of the notification that carries a ReadIndex. NuRaft knows 1 to 3, accepts every other one and does nothing.
const READ_INDEX_KIND: u8 = 0xA1;

/// First byte of the context that answers a ReadIndex; NuRaft's answer has none.
const READ_INDEX_CONTEXT: u8 = 0;
