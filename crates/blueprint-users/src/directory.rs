//! What this blueprint tells others of its users.

use cyanotype::auth::Caller;
use cyanotype::{LocalBoxFuture, Problem};
use uuid::Uuid;

/// Whether there is such a user.
pub type Exists<'a> = LocalBoxFuture<'a, Result<bool, Problem>>;

/// Knows the users. A blueprint that needs it finds it with `resources.provided::<dyn Directory>()`, a handler as
/// `Data<dyn Directory>`.
pub trait Directory: Send + Sync {
    /// Whether there is a user of this id, asked on behalf of a caller.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn exists<'a>(&'a self, caller: &'a Caller, id: Uuid) -> Exists<'a>;
}
