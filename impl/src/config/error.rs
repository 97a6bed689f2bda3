//! What can be wrong with a configuration, said so that the reader knows which line to change and to what.

use std::{fmt, io, path::PathBuf};

/// A configuration that cannot be used. The process that meets one ends with exit code 2 before its port accepts anything.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}; name another file with --config", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: not valid TOML: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Line of the first error, from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// A key is missing, unknown, or has a value that is not allowed.
    #[error("{}:{line}: {invalid}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Line of the key (or of the table in which it is missing), from 1.
        line: usize,
        /// What is wrong.
        #[source]
        invalid: Invalid,
    },
}

/// A setting that is not allowed, wherever it came from (a file, a request, code).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key with its table, for example `timers.heartbeat_ms` or `group 3: members`.
    pub key: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl Invalid {
    /// A problem of this key.
    pub fn new(key: impl Into<String>, problem: Problem) -> Self {
        Self { key: key.into(), problem }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

impl std::error::Error for Invalid {}

/// What is wrong with a setting, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No such key: probably a slip of the pen, never passed over.
    #[error("unknown key; allowed here: {allowed}")]
    UnknownKey {
        /// The keys of this table.
        allowed: String,
    },
    /// The key has no default and is not there.
    #[error("missing; add {allowed}")]
    Missing {
        /// A line that would be right.
        allowed: String,
    },
    /// A value of another type.
    #[error("{found} is not allowed; write {allowed}")]
    WrongType {
        /// The value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// A value of the right type that is not among the allowed ones.
    #[error("{value} is not allowed; allowed: {allowed}")]
    OutOfRange {
        /// The value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The same thing twice.
    #[error("{value} is there twice; each may appear once")]
    Duplicate {
        /// The repeated value.
        value: String,
    },
    /// Two settings that do not go together.
    #[error("{value} does not fit: {rule}")]
    Conflict {
        /// The value.
        value: String,
        /// What must hold between the two.
        rule: String,
    },
    /// A member that nobody knows how to reach.
    #[error("member {member} has no address; add a [[peer]] with id = {member} and its addr")]
    NoPeerAddress {
        /// The member.
        member: u32,
    },
    /// The node is given a group that it is not part of.
    #[error("node {node} is not among the members {members}; add it, or leave this group to its members")]
    NotAMember {
        /// This node.
        node: u32,
        /// The members as written.
        members: String,
    },
    /// The protocol that was asked for, or that absence means, is not to be had.
    #[error(
        "{asked}, but {because}. To use Raft (it tolerates crashed members, not lying ones), add this line to the group:\n    consensus_protocol = \"raft\""
    )]
    Protocol {
        /// Whether it was written or absent.
        asked: &'static str,
        /// Why it cannot be.
        because: String,
    },
}
