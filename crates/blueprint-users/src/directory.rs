//! The interface through which other blueprints look up users.

use cyanotype::auth::Caller;
use cyanotype::{LocalBoxFuture, Problem};
use uuid::Uuid;

/// Whether the user exists and is visible to the caller.
pub type Exists<'a> = LocalBoxFuture<'a, Result<bool, Problem>>;

/// Looks up users. A blueprint gets it with `resources.provided::<dyn UserDirectory>()`, a handler with
/// `Data<dyn UserDirectory>`.
pub trait UserDirectory: Send + Sync {
    /// Whether a user with this id exists. Admins can see all users, other callers only themselves.
    ///
    /// # Errors
    /// If the users are unavailable.
    fn exists<'a>(&'a self, caller: &'a Caller, id: Uuid) -> Exists<'a>;
}
