//! The generated parts of documents that describe this crate.

mod contract;
mod records;

/// Whose tests write them.
const PACKAGE: &str = "cyanotype-telemetry";
