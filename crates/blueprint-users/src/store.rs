//! All SQL of this blueprint.
//!
//! A transaction begins with its write: the database does not let one that has read first become a writer when another
//! wrote in between.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use cyanotype::paging::Paging;
use cyanotype::{Database, Problem};
use jiff::Timestamp;
use sqlx::{AnyPool, FromRow};
use uuid::Uuid;

use crate::model::{Email, User};

/// Six decimals always, so that times compare as texts.
pub(crate) fn written(time: Timestamp) -> String {
    format!("{time:.6}")
}

pub(crate) fn now() -> String {
    written(Timestamp::now())
}

/// What a login needs to know of a user.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Credentials {
    #[sqlx(try_from = "String")]
    pub id: Uuid,
    pub password_hash: String,
}

/// What changes of a user: what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    pub name: Option<&'a str>,
    pub email: Option<&'a str>,
    pub password_hash: Option<&'a str>,
}

/// An e-mail address can be refused by the database alone: two may ask for it at once.
#[derive(Debug)]
pub(crate) enum Refused {
    EmailTaken,
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(cause) if cause.is_unique_violation() => Self::EmailTaken,
            _ => Self::Failed(error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::EmailTaken => {
                Self::conflict("another user has this e-mail address").with_fields(vec![Email::taken()])
            }
            Refused::Failed(error) => Self::internal(error),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: AnyPool,
}

impl FromRequest for Store {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let database = Database::from_request(request, payload).into_inner();
        ready(database.map(|database| Self::new(database.pool().clone())))
    }
}

impl Store {
    pub(crate) const fn new(pool: AnyPool) -> Self {
        Self { pool }
    }

    pub(crate) async fn insert(&self, email: &str, name: &str, password_hash: &str) -> Result<User, Refused> {
        let sql = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $5)
                   RETURNING id, email, name, created_at, updated_at, version";
        let insert = sqlx::query_as(sql).bind(Uuid::now_v7().to_string()).bind(email).bind(name);
        Ok(insert.bind(password_hash).bind(now()).fetch_one(&self.pool).await?)
    }

    pub(crate) async fn find(&self, id: Uuid) -> Result<Option<User>, sqlx::Error> {
        let sql = "SELECT id, email, name, created_at, updated_at, version FROM users WHERE id = $1";
        sqlx::query_as(sql).bind(id.to_string()).fetch_optional(&self.pool).await
    }

    pub(crate) async fn list(&self, paging: &Paging) -> Result<Vec<User>, sqlx::Error> {
        let sql = r#"SELECT id, email, name, created_at, updated_at, version FROM users
                     WHERE id COLLATE "binary" > $1 ORDER BY id COLLATE "binary" LIMIT $2"#;
        // No id is before the empty text.
        let after = paging.after.map_or_else(String::new, |id| id.to_string());
        sqlx::query_as(sql).bind(after).bind(paging.to_read()).fetch_all(&self.pool).await
    }

    /// Changes a user, if there is one, and of that version if one is given. A new password ends all sessions but the one
    /// that it was set in.
    pub(crate) async fn change(
        &self,
        (id, version): (Uuid, Option<i64>),
        changes: &Changes<'_>,
        session: &str,
    ) -> Result<Option<User>, Refused> {
        let sql = "UPDATE users
                   SET name = COALESCE($1, name), email = COALESCE($2, email),
                       password_hash = COALESCE($3, password_hash), updated_at = $4, version = version + 1
                   WHERE id = $5 AND version = COALESCE($6, version)
                   RETURNING id, email, name, created_at, updated_at, version";
        let mut transaction = self.pool.begin().await?;
        let update = sqlx::query_as(sql).bind(changes.name).bind(changes.email).bind(changes.password_hash);
        let update = update.bind(now()).bind(id.to_string()).bind(version);
        let user = update.fetch_optional(&mut *transaction).await?;
        if user.is_some() && changes.password_hash.is_some() {
            let end = sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2");
            end.bind(id.to_string()).bind(session).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(user)
    }

    /// Whether there was such a user. Their sessions go with them, by the foreign key.
    pub(crate) async fn delete(&self, id: Uuid) -> Result<bool, sqlx::Error> {
        let done = sqlx::query("DELETE FROM users WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    pub(crate) async fn credentials(&self, email: &str) -> Result<Option<Credentials>, sqlx::Error> {
        // Nobody has such an address, and PostgreSQL does not let it be asked for.
        if email.contains('\0') {
            return Ok(None);
        }
        let sql = "SELECT id, password_hash FROM users WHERE email = $1";
        sqlx::query_as(sql).bind(email).fetch_optional(&self.pool).await
    }

    /// Begins a session, unless the password has changed since it was verified, or the user has gone.
    pub(crate) async fn begin_session(
        &self,
        verified: &Credentials,
        token_hash: &str,
        expires_at: &str,
    ) -> Result<bool, sqlx::Error> {
        // A write, so that a change of the password that is under way is waited for, and one that comes later waits.
        let hold = "UPDATE users SET updated_at = updated_at WHERE id = $1 AND password_hash = $2";
        let insert = "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
        let (id, now) = (verified.id.to_string(), now());
        let mut transaction = self.pool.begin().await?;
        let held = sqlx::query(hold).bind(&id).bind(&verified.password_hash).execute(&mut *transaction).await?;
        if held.rows_affected() == 0 {
            return Ok(false);
        }
        let insert = sqlx::query(insert).bind(token_hash).bind(&id).bind(&now).bind(expires_at);
        insert.execute(&mut *transaction).await?;
        // Whose time is over is of no use to anybody: each login sweeps.
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(&now).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Whose session it is, if it is one and has not expired.
    pub(crate) async fn session_owner(&self, token_hash: &str, now: &str) -> Result<Option<Uuid>, sqlx::Error> {
        #[derive(FromRow)]
        struct Owner {
            #[sqlx(try_from = "String")]
            id: Uuid,
        }
        let sql = "SELECT users.id FROM sessions JOIN users ON users.id = sessions.user_id
                   WHERE sessions.token_hash = $1 AND sessions.expires_at > $2";
        let owner: Option<Owner> = sqlx::query_as(sql).bind(token_hash).bind(now).fetch_optional(&self.pool).await?;
        Ok(owner.map(|owner| owner.id))
    }

    pub(crate) async fn end_session(&self, token_hash: &str) -> Result<(), sqlx::Error> {
        let end = sqlx::query("DELETE FROM sessions WHERE token_hash = $1").bind(token_hash);
        end.execute(&self.pool).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype::Blueprint;
    use cyanotype::settings::Loader;

    const LATER: &str = "2999-01-01T00:00:00.000000Z";

    async fn store() -> Store {
        let settings = Loader::new("/nonexistent").variables([("DATABASE_URL", "sqlite::memory:")]).load().unwrap();
        let migrations = [("users", crate::Users.migrations().unwrap())];
        Store::new(Database::open(&settings.database, migrations).await.unwrap().pool().clone())
    }

    async fn ada(store: &Store) -> Credentials {
        store.insert("ada@example.org", "Ada", "hash").await.unwrap();
        ada_of(store).await
    }

    async fn ada_of(store: &Store) -> Credentials {
        store.credentials("ada@example.org").await.unwrap().unwrap()
    }

    #[actix_web::test]
    async fn an_expired_session_is_none() {
        let store = store().await;
        let ada = ada(&store).await;
        let end = "2030-01-01T00:00:00.000000Z";
        assert!(store.begin_session(&ada, "token", end).await.unwrap());
        let owner = async |now: &str| store.session_owner("token", now).await.unwrap();
        assert_eq!(owner("2029-12-31T23:59:59.999999Z").await, Some(ada.id));
        assert_eq!(owner(end).await, None);
    }

    #[actix_web::test]
    async fn a_new_password_ends_the_other_sessions() {
        let store = store().await;
        let ada = ada(&store).await;
        for token in ["this", "other"] {
            assert!(store.begin_session(&ada, token, LATER).await.unwrap());
        }
        let rename = Changes { name: Some("Countess"), ..Changes::default() };
        let user = store.change((ada.id, None), &rename, "this").await.unwrap().unwrap();
        assert_eq!((user.name.as_str(), user.email.as_str()), ("Countess", "ada@example.org"));
        assert_eq!(store.session_owner("other", &now()).await.unwrap(), Some(ada.id));

        let password = Changes { password_hash: Some("new"), ..Changes::default() };
        store.change((ada.id, None), &password, "this").await.unwrap().unwrap();
        assert_eq!(store.session_owner("other", &now()).await.unwrap(), None);
        assert_eq!(store.session_owner("this", &now()).await.unwrap(), Some(ada.id));
    }

    #[actix_web::test]
    async fn a_change_is_of_the_version_that_it_is_for() {
        let store = store().await;
        let user = store.insert("ada@example.org", "Ada", "hash").await.unwrap();
        let ada = ada_of(&store).await;
        assert!(store.begin_session(&ada, "other", LATER).await.unwrap());
        assert_eq!(store.find(user.id).await.unwrap().unwrap().version, user.version, "a login changes nobody");
        let password = Changes { password_hash: Some("new"), ..Changes::default() };
        assert_eq!(store.change((user.id, Some(user.version + 1)), &password, "").await.unwrap(), None);
        assert_eq!(store.session_owner("other", &now()).await.unwrap(), Some(user.id), "nothing was changed");
        let changed = store.change((user.id, Some(user.version)), &password, "").await.unwrap().unwrap();
        assert_eq!(changed.version, user.version + 1);
        assert_eq!(store.change((user.id, Some(user.version)), &password, "").await.unwrap(), None);
    }

    #[actix_web::test]
    async fn a_login_that_the_password_has_overtaken_begins_no_session() {
        let store = store().await;
        let verified = ada(&store).await;
        let password = Changes { password_hash: Some("new"), ..Changes::default() };
        store.change((verified.id, None), &password, "").await.unwrap().unwrap();
        assert!(!store.begin_session(&verified, "token", LATER).await.unwrap());
    }

    #[actix_web::test]
    async fn sessions_go_with_their_user() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(store.begin_session(&ada, "token", LATER).await.unwrap());
        assert!(store.delete(ada.id).await.unwrap());
        let (left,): (i64,) = sqlx::query_as("SELECT count(*) FROM sessions").fetch_one(&store.pool).await.unwrap();
        assert_eq!(left, 0);
        assert!(!store.delete(ada.id).await.unwrap());
    }

    #[actix_web::test]
    async fn an_address_is_one_users() {
        let store = store().await;
        ada(&store).await;
        let again = store.insert("ada@example.org", "Ada", "hash").await;
        assert!(matches!(again, Err(Refused::EmailTaken)), "{again:?}");
    }
}
