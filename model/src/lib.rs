//! What production runs, searched: worlds of servers, disks, networks and clients around the very functions of `roadstead_spec`, and the mistakes that the
//! search must catch.
//!
//! A [`World`] is a closed system: a state, the actions that are possible in it, and the laws that hold in whatever it reaches. Engines search worlds and
//! know nothing of Raft; worlds know nothing of engines.

mod world;

pub use world::{Law, Moved, Seen, Sight, World};
