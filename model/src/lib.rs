//! What production runs, searched: worlds of servers, disks, networks and clients around the very functions of `roadstead_spec`, and the mistakes that the
//! search must catch.
//!
//! A [`World`] is a closed system: a state, the actions that are possible in it, and the laws that hold in whatever it reaches. Engines search worlds and
//! know nothing of Raft; worlds know nothing of engines. The [`catalog`] is where they meet: every world under its bounds, every mutant with the ways to
//! hunt it.

pub mod catalog;
pub mod cli;
pub mod composed;
pub mod dispatcher;
pub mod engine;
pub mod mistake;
pub mod negotiation;
pub mod raft;
pub mod report;
pub mod storage;
mod world;

pub use world::{Law, Moved, Seen, Sight, World};
