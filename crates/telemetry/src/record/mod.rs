//! Records, events and breadcrumbs, as sinks receive them.

mod breadcrumb;
pub mod catalog;
mod code_location;
mod event;
mod event_id;
mod event_scope;
mod log_record;
mod response;
mod spans;

pub use crate::outcome::Outcome;
pub use breadcrumb::{Breadcrumb, RecordedBreadcrumb};
pub use code_location::CodeLocation;
pub use event::Event;
pub use event_id::EventId;
pub use event_scope::{EventScope, User};
pub use log_record::{Detail, FailureDetail, Record};
pub use response::{BodyDetail, ResponseRecord};
pub use spans::Spans;
