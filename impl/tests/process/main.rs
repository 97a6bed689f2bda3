//! Nodes as processes, on real sockets and real disks, and what goes wrong with those: killed, stopped, full of rubbish, started wrongly.

mod admin;
mod bulk;
mod clock;
mod cluster;
mod crowd;
mod damage;
mod disk_fault;
mod disk_full;
mod disks;
mod embedded;
#[path = "../../../conformance/src/nemesis/faulty_disk.rs"]
mod fault_file;
#[path = "../free_port/mod.rs"]
mod free_port;
mod groups;
mod headers;
mod kill;
mod launcher;
mod links;
mod load;
mod meter;
mod noise;
mod partition;
mod pause;
mod slow;
mod small_disk;
mod snapshot;
mod start;
mod usage;
mod writers;
