//! What other blueprints may know of users.

use cyanotype::auth::Caller;
use cyanotype::{LocalBoxFuture, Problem};
use uuid::Uuid;

/// Whether the caller may know of such a user, and there is one.
pub type Exists<'a> = LocalBoxFuture<'a, Result<bool, Problem>>;

/// Knows the users. A blueprint that needs it finds it with `resources.provided::<dyn UserDirectory>()`, a handler as
/// `Data<dyn UserDirectory>`.
pub trait UserDirectory: Send + Sync {
    /// Whether there is a user of this id. A caller knows of themselves alone, an admin of everyone.
    ///
    /// # Errors
    /// When the users are unavailable.
    fn exists<'a>(&'a self, caller: &'a Caller, id: Uuid) -> Exists<'a>;
}
