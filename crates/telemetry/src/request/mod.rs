//! The request that code works for: its identity, its breadcrumbs, and what it has already reported.
//!
//! It travels with the request's future, across threads, spans and every `.await`; outside a request there is none.

mod breadcrumbs;
mod context;
mod current;
mod earlier_lines;
mod reports;
mod scopes;

pub use crate::identity::{ClientAddressHeader, REQUEST_ID, RequestIdentity, RequestParts};
pub use breadcrumbs::Breadcrumbs;
pub use context::{DEBUG_LOG, RequestContext};
pub use current::{current, scope, sync_scope, with_current};
pub(crate) use earlier_lines::EarlierLines;
pub use reports::Claim;
