//! What an entry's bytes mean, by message type and value type.

use super::{ClusterConfig, LegacyError, Server, SnapshotSync};
use crate::wire::bytes::{Reader, put_block};
use crate::wire::message_type::MessageType;
use alloc::vec::Vec;

/// The value types that NuRaft knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueType {
    /// The application's bytes.
    App = 1,
    /// A configuration.
    Config = 2,
    /// A server to add, or the id of one to remove.
    Server = 3,
    /// A pack of log entries, made and read by the application's log store.
    LogPack = 4,
    /// One object of a snapshot.
    SnapshotSync = 5,
    /// By message type.
    Custom = 231,
}

impl ValueType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The type of this number.
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::App),
            2 => Some(Self::Config),
            3 => Some(Self::Server),
            4 => Some(Self::LogPack),
            5 => Some(Self::SnapshotSync),
            231 => Some(Self::Custom),
            _ => None,
        }
    }
}

/// An entry's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// The application's bytes.
    App(&'a [u8]),
    /// A configuration.
    Config(ClusterConfig<'a>),
    /// A server to add.
    Server(Server<'a>),
    /// The id of a server to remove.
    ServerId(i32),
    /// A pack of log entries: opaque, made by the application's log store.
    LogPack(&'a [u8]),
    /// One object of a snapshot.
    SnapshotSync(SnapshotSync<'a>),
    /// In a vote request: grant it whatever the priorities. The receiver looks only at whether an entry is there.
    ForceVote {
        /// 0.
        version: u8,
    },
    /// A server's new priority.
    PriorityChange(PriorityChange),
    /// A notification.
    Notification(Notification<'a>),
    /// Custom bytes in another message, or a value type that NuRaft does not know: opaque.
    Opaque(u8, &'a [u8]),
}

/// A server's new priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityChange {
    /// Which server.
    pub server: i32,
    /// Its priority.
    pub priority: i32,
}

/// Value of a custom notification: version 0, kind, context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification<'a> {
    /// Kind 1: the receiver's next index lies before the leader's log, and there is no snapshot.
    OutOfLogRange {
        /// First index of the leader's log.
        leader_first_index: u64,
    },
    /// Kind 2: start a vote now.
    LeadershipTakeover,
    /// Kind 3: hand leadership over to the sender.
    RequestResignation,
    /// Another kind: NuRaft accepts and ignores it.
    Unknown {
        /// The kind.
        kind: u8,
        /// Its context.
        context: &'a [u8],
    },
}

impl<'a> Value<'a> {
    /// Reads a value; `message_type` tells custom values apart.
    pub fn decode(message_type: MessageType, value_type: u8, value: &'a [u8]) -> Result<Self, LegacyError> {
        let mut reader = Reader::new(value);
        let decoded = match (ValueType::from_u8(value_type), message_type) {
            (Some(ValueType::App), _) => return Ok(Self::App(value)),
            (Some(ValueType::LogPack), _) => return Ok(Self::LogPack(value)),
            (Some(ValueType::Config), _) => Self::Config(ClusterConfig::decode(&mut reader)?),
            (Some(ValueType::Server), MessageType::RemoveServer) => Self::ServerId(reader.i32()?),
            (Some(ValueType::Server), _) => Self::Server(Server::decode(&mut reader)?),
            (Some(ValueType::SnapshotSync), _) => Self::SnapshotSync(SnapshotSync::decode(&mut reader)?),
            (Some(ValueType::Custom), MessageType::RequestVote) => Self::ForceVote { version: reader.u8()? },
            (Some(ValueType::Custom), MessageType::PriorityChange) => {
                Self::PriorityChange(PriorityChange { server: reader.i32()?, priority: reader.i32()? })
            }
            (Some(ValueType::Custom), MessageType::CustomNotification) => Self::Notification(Notification::decode(&mut reader)?),
            (Some(ValueType::Custom) | None, _) => return Ok(Self::Opaque(value_type, value)),
        };
        if reader.left() > 0 { Err(LegacyError::Trailing(reader.left())) } else { Ok(decoded) }
    }

    /// The value type that stands before the bytes.
    pub const fn value_type(&self) -> u8 {
        match self {
            Self::App(_) => ValueType::App.number(),
            Self::Config(_) => ValueType::Config.number(),
            Self::Server(_) | Self::ServerId(_) => ValueType::Server.number(),
            Self::LogPack(_) => ValueType::LogPack.number(),
            Self::SnapshotSync(_) => ValueType::SnapshotSync.number(),
            Self::ForceVote { .. } | Self::PriorityChange(_) | Self::Notification(_) => ValueType::Custom.number(),
            Self::Opaque(number, _) => *number,
        }
    }

    /// Appends the bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::App(bytes) | Self::LogPack(bytes) | Self::Opaque(_, bytes) => out.extend_from_slice(bytes),
            Self::Config(config) => config.encode(out),
            Self::Server(server) => server.encode(out),
            Self::ServerId(id) => out.extend_from_slice(&id.to_le_bytes()),
            Self::SnapshotSync(sync) => sync.encode(out),
            Self::ForceVote { version } => out.push(*version),
            Self::PriorityChange(PriorityChange { server, priority }) => {
                out.extend_from_slice(&server.to_le_bytes());
                out.extend_from_slice(&priority.to_le_bytes());
            }
            Self::Notification(notification) => notification.encode(out),
        }
    }
}

impl<'a> Notification<'a> {
    const VERSION: u8 = 0;

    fn decode(reader: &mut Reader<'a>) -> Result<Self, LegacyError> {
        let version = reader.u8()?;
        if version != Self::VERSION {
            return Err(LegacyError::Meaningless { field: "the notification's version", value: version.into() });
        }
        let kind = reader.u8()?;
        let size = reader.u32()?;
        let context = reader.take(size as usize)?;
        match (kind, context) {
            (1, _) => {
                let mut context = Reader::new(context);
                let version = context.u8()?;
                let leader_first_index = context.u64()?;
                match (version, context.left()) {
                    (Self::VERSION, 0) => Ok(Self::OutOfLogRange { leader_first_index }),
                    (Self::VERSION, left) => Err(LegacyError::Trailing(left)),
                    (other, _) => Err(LegacyError::Meaningless { field: "the warning's version", value: other.into() }),
                }
            }
            (2, []) => Ok(Self::LeadershipTakeover),
            (3, []) => Ok(Self::RequestResignation),
            (kind, context) => Ok(Self::Unknown { kind, context }),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::VERSION);
        match self {
            Self::OutOfLogRange { leader_first_index } => {
                out.push(1);
                out.extend_from_slice(&9_u32.to_le_bytes());
                out.push(Self::VERSION);
                out.extend_from_slice(&leader_first_index.to_le_bytes());
            }
            Self::LeadershipTakeover => {
                out.push(2);
                put_block(out, &[]);
            }
            Self::RequestResignation => {
                out.push(3);
                put_block(out, &[]);
            }
            Self::Unknown { kind, context } => {
                out.push(*kind);
                put_block(out, context);
            }
        }
    }
}
