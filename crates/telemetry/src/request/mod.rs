//! The current request: its identity, its breadcrumbs, and the failures that it has reported.
//!
//! It is a task-local value of the request's future: available after every `.await` and inside any span, but in another task or
//! thread only if that enters its scope. Work outside requests has breadcrumbs only where it was given its own.

mod breadcrumbs;
mod context;
mod current;
mod reports;
mod retroactive_lines;
mod scopes;
mod task_breadcrumbs;

pub use crate::identity::{
    ActiveSpan, CallerTrace, ClientAddressHeader, REQUEST_ID, RequestIdentity, RequestParts, SpanId,
};
pub use crate::outcome::RequestEnd;
pub use breadcrumbs::Breadcrumbs;
pub use context::{DEBUG_LOG_HEADER, RequestContext};
pub use current::{current, run_in, run_in_sync, with_current};
pub use reports::Claim;
pub(crate) use retroactive_lines::RetroactiveLines;
pub use task_breadcrumbs::with_task_breadcrumbs;
pub(crate) use task_breadcrumbs::{TaskBreadcrumbs, with_current_breadcrumbs};
