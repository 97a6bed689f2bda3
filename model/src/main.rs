//! The `roadstead-model` command.

fn main() {}
