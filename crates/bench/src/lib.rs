//! What the servers of the bench share, and what its load measures of them.

pub mod bodies;
pub mod process;
