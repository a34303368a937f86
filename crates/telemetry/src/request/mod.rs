//! The current request: its identity, its breadcrumbs, and the failures that it has reported.
//!
//! It is a task-local value of the request's future: available after every `.await` and inside any span, but in another task or
//! thread only if that enters its scope. Work outside requests has breadcrumbs only where it was given its own.

mod breadcrumbs;
mod context;
mod current;
mod own_breadcrumbs;
mod reports;
mod retroactive_lines;
mod scopes;

pub use crate::identity::{
    ActiveSpan, CallerTrace, ClientAddressHeader, REQUEST_ID, RequestIdentity, RequestParts, SpanId,
};
pub use breadcrumbs::Breadcrumbs;
pub use context::{DEBUG_LOG_HEADER, RequestContext, RequestEnd};
pub use current::{current, scope, sync_scope, with_current};
pub use own_breadcrumbs::with_own_breadcrumbs;
pub(crate) use own_breadcrumbs::{OwnBreadcrumbs, with_current_breadcrumbs};
pub use reports::Claim;
pub(crate) use retroactive_lines::RetroactiveLines;
