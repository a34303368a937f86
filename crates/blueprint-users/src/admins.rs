//! Admins: for the operator's command, which changes the database directly.
//!
//! No setting grants a role, because anyone can register any e-mail address.

use cyanotype::auth::Role;
use cyanotype::{Database, DatabaseError};

use crate::store::Store;
pub use crate::store::{Admin, ChangedRole};

/// Sets the role of the user with this id or e-mail address; `by` names the operator in the audit table. Returns `None` when
/// the user does not exist.
///
/// # Errors
/// If the database fails.
pub async fn set_role(
    database: Database,
    user: &str,
    role: Role,
    by: &str,
) -> Result<Option<ChangedRole>, DatabaseError> {
    Store::new(database).set_role(user, role, by).await
}

/// All admins, sorted by e-mail address.
///
/// # Errors
/// If the database fails.
pub async fn list(database: Database) -> Result<Vec<Admin>, DatabaseError> {
    Store::new(database).admins().await
}
