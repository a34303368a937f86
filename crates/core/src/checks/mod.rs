//! Checks of the environment that the service runs in. `app doctor` does all of them; a start does those that are fast, and
//! refuses or warns.

mod bounded;
mod catalog;
mod clock;
mod database;
mod descriptors;
mod disk;
mod examination;
mod finding;
mod listening;
mod management;
mod ports;
mod process;
mod sentry;
mod settings;
mod spool;
mod stderr;
mod subject;
mod time_zone;
mod units;

pub use catalog::{CHECKS, Check};
pub(crate) use descriptors::{DescriptorBudget, TooFewDescriptors};
pub(crate) use examination::{Environment, at_start, examine};
pub use examination::{Examination, Progress};
pub use finding::{Finding, Status};
pub(crate) use ports::mend as mend_address;
pub(crate) use settings::warnings as setting_warnings;
