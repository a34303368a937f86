//! Sets up and drives what the system tests run: the service's real binary, and its real peers.

pub mod binaries;
pub mod copy;
mod env;
pub mod figures;
pub mod http;
pub mod keeper;
pub mod load;
pub mod peers;
pub mod ports;
pub mod probe;
pub mod records;
pub mod scratch;
pub mod service;
pub mod sql;
pub mod wait;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
