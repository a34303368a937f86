//! Shared parts of the benchmark's servers and its load generator.

pub mod bodies;
pub mod process;
