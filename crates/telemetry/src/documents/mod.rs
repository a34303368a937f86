//! The generated parts of documents that describe this crate.

mod contract;
mod records;
mod schemas;

/// The package whose tests generate them.
const PACKAGE: &str = "cyanotype-telemetry";
