//! Starts and drives the service's real binary and its real peers for the system tests.

#![forbid(unsafe_code)]

pub mod binaries;
pub mod clients;
pub mod dist;
pub mod load;
pub mod member;
pub mod orders_load;
pub mod peers;
pub mod probe;
pub mod records;
pub mod service;
pub mod sql;
pub mod workspace_copy;

pub use test_harness::{figures, http, ports, process_guard, scratch, wait};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
