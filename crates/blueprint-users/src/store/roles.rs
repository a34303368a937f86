//! Roles: granted and revoked on the database alone, each change with a row that says who made it.

use cyanotype::auth::Role;
use cyanotype::{DatabaseError, Executor, time};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::Store;

/// A user who is an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Admin {
    /// The user's id.
    pub id: Uuid,
    /// The user's e-mail address.
    pub email: String,
    /// When the role was granted.
    #[serde(serialize_with = "time::serialize_optional")]
    pub granted_at: Option<Timestamp>,
    /// Who granted it, as the command was given it.
    pub granted_by: Option<String>,
}

cyanotype::from_row!(Admin { id, email, granted_at, granted_by });

/// What a grant or a revocation has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedRole {
    /// The user's id.
    pub id: Uuid,
    /// The user's e-mail address.
    pub email: String,
    /// The role that the user has now.
    pub role: Role,
    /// Whether the user had another role before.
    pub changed: bool,
}

impl Store {
    /// Gives the user of this id or e-mail address a role; `None` when there is no such user.
    pub(crate) async fn set_role(
        &self,
        user: &str,
        role: Role,
        by: &str,
    ) -> Result<Option<ChangedRole>, DatabaseError> {
        let user_id: Option<Uuid> = user.parse().ok();
        let (email, by) = (user.to_ascii_lowercase(), by.to_owned());
        // The write first: on both databases another change of the same user waits for it.
        let change = "UPDATE users SET role = $1, updated_at = $2, version = version + 1
                      WHERE (id = $3 OR email = $4) AND role <> $1 RETURNING id, email";
        let find = "SELECT id, email FROM users WHERE id = $1 OR email = $2";
        let audit = "INSERT INTO role_changes (id, user_id, role, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)";
        let work = async move |transaction: &mut cyanotype::Transaction| {
            let now = time::now();
            let changed: Option<(Uuid, String)> =
                transaction.query_opt(change, &[&role.as_str(), &now, &user_id, &email]).await?;
            if let Some((id, email)) = changed {
                transaction.execute(audit, &[&Uuid::now_v7(), &id, &role.as_str(), &by, &now]).await?;
                return Ok(Some(ChangedRole { id, email, role, changed: true }));
            }
            let same: Option<(Uuid, String)> = transaction.query_opt(find, &[&user_id, &email]).await?;
            Ok(same.map(|(id, email)| ChangedRole { id, email, role, changed: false }))
        };
        self.database.transaction(work).await
    }

    /// The users who are admins, by e-mail address.
    pub(crate) async fn admins(&self) -> Result<Vec<Admin>, DatabaseError> {
        let sql = "SELECT users.id AS id, email, changed_at AS granted_at, changed_by AS granted_by
                   FROM users LEFT JOIN role_changes ON role_changes.id =
                       (SELECT id FROM role_changes WHERE user_id = users.id ORDER BY id DESC LIMIT 1)
                   WHERE users.role = 'admin' ORDER BY email";
        self.database.query(sql, &[]).await
    }
}
