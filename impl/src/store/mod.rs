//! Everything durable.

pub mod engine;
pub mod entry;
pub mod fjall_engine;
pub mod memory;
pub mod prefix;
pub(crate) mod record;
pub mod registry;
pub mod submission;

/// TEMPORARY
#[derive(Debug)]
pub struct Recovered {
    /// x
    pub hard: roadstead_spec::raft::HardState,
    /// x
    pub base: roadstead_spec::EntryId,
    /// x
    pub runs: Vec<roadstead_spec::raft::Run>,
    /// x
    pub last: roadstead_spec::Index,
}
