//! Sessions: the user of a token, and the sessions of a user.

use cyanotype::auth::Role;
use cyanotype::{DatabaseError, Executor, time};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Credentials, Store};
use crate::model::SessionItem;

/// Maximum number of sessions in a list; the newest are returned.
const MAX_LISTED: i64 = 100;

/// A new session.
pub(crate) struct NewSession {
    pub token_hash: String,
    pub user_agent: Option<String>,
    pub expires_at: Timestamp,
}

/// The user of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub user_id: Uuid,
    pub role: Role,
}

cyanotype::from_row!(Owner { user_id, role: String });

impl Store {
    /// Creates a session. Returns `false` when the password was changed after it was verified, or the user was deleted.
    pub(crate) async fn create_session(&self, verified: &Credentials, new: NewSession) -> Result<bool, DatabaseError> {
        // The update locks the row, so that it waits for a concurrent password change and delays later ones.
        let lock = "UPDATE users SET updated_at = updated_at WHERE id = $1 AND password_hash = $2";
        let insert = "INSERT INTO sessions (token_hash, id, user_id, user_agent, created_at, expires_at)
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let (user, password_hash) = (verified.id, verified.password_hash.clone());
        let work = async move |transaction: &mut cyanotype::Transaction| {
            if transaction.execute(lock, &[&user, &password_hash]).await? == 0 {
                return Ok(false);
            }
            let (id, now) = (Uuid::now_v7(), time::now());
            let NewSession { token_hash, user_agent, expires_at } = new;
            transaction.execute(insert, &[&token_hash, &id, &user, &user_agent, &now, &expires_at]).await?;
            Ok(true)
        };
        self.database.transaction(work).await
    }

    /// The user of an unexpired session.
    pub(crate) async fn session_owner(&self, token_hash: &str, now: Timestamp) -> Result<Option<Owner>, DatabaseError> {
        let sql = "SELECT user_id, role FROM sessions JOIN users ON users.id = user_id
                   WHERE token_hash = $1 AND expires_at > $2";
        self.database.query_opt(sql, &[&token_hash, &now]).await
    }

    /// The unexpired sessions of a user, newest first; `is_current` marks the session of this token.
    pub(crate) async fn sessions(&self, user: Uuid, token_hash: &str) -> Result<Vec<SessionItem>, DatabaseError> {
        let sql = "SELECT id, user_agent, created_at, expires_at, token_hash = $2 AS is_current FROM sessions
                   WHERE user_id = $1 AND expires_at > $3 ORDER BY created_at DESC, id DESC LIMIT $4";
        self.database.query(sql, &[&user, &token_hash, &time::now(), &MAX_LISTED]).await
    }

    pub(crate) async fn end_session(&self, token_hash: &str) -> Result<(), DatabaseError> {
        self.database.execute("DELETE FROM sessions WHERE token_hash = $1", &[&token_hash]).await.map(|_| ())
    }

    /// Returns `false` when the user has no session with this id.
    pub(crate) async fn revoke_session(&self, user: Uuid, id: Uuid) -> Result<bool, DatabaseError> {
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND id = $2";
        Ok(self.database.execute(sql, &[&user, &id]).await? > 0)
    }

    /// Ends all sessions of the user except the one of this token. Returns their number.
    pub(crate) async fn revoke_other_sessions(&self, user: Uuid, token_hash: &str) -> Result<u64, DatabaseError> {
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
        self.database.execute(sql, &[&user, &token_hash]).await
    }
}
