//! Nodes as processes, on real sockets and real disks, and what goes wrong with those: killed, stopped, full of rubbish, started wrongly.

mod admin;
mod bulk;
mod cluster;
mod crowd;
mod damage;
mod disks;
#[path = "../free_port/mod.rs"]
mod free_port;
mod groups;
mod headers;
mod kill;
mod launcher;
mod noise;
mod pause;
mod snapshot;
mod start;
mod usage;
mod writers;
