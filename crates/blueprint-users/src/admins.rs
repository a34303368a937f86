//! Who is an admin: for the operator's command, which works on the database itself.
//!
//! No setting grants a role, since anyone can register any e-mail address.

use cyanotype::auth::Role;
use cyanotype::{Database, DatabaseError};

use crate::store::Store;
pub use crate::store::{Admin, ChangedRole};

/// Gives the user of this id or e-mail address a role; `by` is who does it, for the audit. `None` when there is no such user.
///
/// # Errors
/// When the database fails.
pub async fn set_role(
    database: Database,
    user: &str,
    role: Role,
    by: &str,
) -> Result<Option<ChangedRole>, DatabaseError> {
    Store::new(database).set_role(user, role, by).await
}

/// The users who are admins, by e-mail address.
///
/// # Errors
/// When the database fails.
pub async fn list(database: Database) -> Result<Vec<Admin>, DatabaseError> {
    Store::new(database).admins().await
}
