//! Who is an admin: for the operator's command, which works on the database itself.
//!
//! No setting grants a role, since anyone can register any e-mail address.

use cyanotype::auth::Role;
use cyanotype::{Database, DatabaseError};

use crate::store::Store;
pub use crate::store::{Admin, ChangedRole};

/// Makes the user of this id or e-mail address an admin; `by` is who does it, for the audit. `None` when there is no such
/// user.
///
/// # Errors
/// When the database fails.
pub async fn grant(database: Database, user: &str, by: &str) -> Result<Option<ChangedRole>, DatabaseError> {
    Store::new(database).set_role(user, Role::Admin, by).await
}

/// Makes an admin a member again; otherwise as [`grant`].
///
/// # Errors
/// When the database fails.
pub async fn revoke(database: Database, user: &str, by: &str) -> Result<Option<ChangedRole>, DatabaseError> {
    Store::new(database).set_role(user, Role::Member, by).await
}

/// The users who are admins, by e-mail address.
///
/// # Errors
/// When the database fails.
pub async fn list(database: Database) -> Result<Vec<Admin>, DatabaseError> {
    Store::new(database).admins().await
}
