//! The generated parts of documents that describe this crate.

mod contract;
mod records;

/// The package whose tests generate them.
const PACKAGE: &str = "cyanotype-telemetry";
