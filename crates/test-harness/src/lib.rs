//! Starts programs and their real peers for the system tests and `xtask`: ports, directories, waiting, and processes that
//! never outlive the process that started them. It does not depend on the service.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

pub mod documents;
pub mod env;
pub mod figures;
pub mod http;
pub mod peers;
pub mod ports;
pub mod process_guard;
pub mod scratch;
pub mod wait;
