//! The request that code works for: its identity, its breadcrumbs, and what it has already reported.
//!
//! It travels with the request's future, across threads, spans and every `.await`; outside a request there is none.

mod breadcrumbs;
mod context;
mod current;
mod reports;
mod retroactive_lines;
mod scopes;

pub use crate::identity::{ClientAddressHeader, REQUEST_ID, RequestIdentity, RequestParts};
pub use breadcrumbs::Breadcrumbs;
pub use context::{DEBUG_LOG_HEADER, RequestContext};
pub use current::{current, scope, sync_scope, with_current};
pub use reports::Claim;
pub(crate) use retroactive_lines::RetroactiveLines;
