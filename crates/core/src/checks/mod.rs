//! Checks of the environment that the service runs in. `app doctor` does all of them; a start does those that are fast, and
//! refuses or warns.

mod bounded;
mod catalog;
mod check_result;
mod clock;
mod database;
mod descriptors;
mod disk;
mod examination;
mod examined_process;
mod inherited_sockets;
mod listening;
mod management;
mod nearest;
mod ports;
mod process;
mod sentry;
mod settings;
mod spool;
mod stderr;
mod time_zone;
mod units;

pub use catalog::{CHECKS, Check};
pub use check_result::{CheckResult, Status};
pub(crate) use descriptors::DescriptorBudget;
pub use descriptors::TooFewDescriptors;
pub(crate) use examination::{Environment, at_start, examine};
pub use examination::{Examination, Progress};
pub(crate) use inherited_sockets::Listener;
pub(crate) use ports::address_remedy;
pub(crate) use settings::warnings as setting_warnings;
