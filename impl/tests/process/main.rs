//! Nodes as processes, on real sockets and real disks, and what goes wrong with those: killed, stopped, full of rubbish, started wrongly.

mod admin;
mod cluster;
mod kill;
mod writers;
