//! All SQL of this blueprint.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use cyanotype::paging::Paging;
use cyanotype::{Database, DatabaseError, Executor, Problem, time};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Email, User};

/// What a login needs to know of a user.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub id: Uuid,
    pub password_hash: String,
}

cyanotype::from_row!(Credentials { id, password_hash });

/// What changes of a user: what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub name: Option<String>,
    pub email: Option<String>,
    pub password_hash: Option<String>,
}

/// An e-mail address can be refused by the database alone: two may ask for it at once.
#[derive(Debug)]
pub(crate) enum Refused {
    EmailTaken,
    Failed(DatabaseError),
}

impl From<DatabaseError> for Refused {
    fn from(error: DatabaseError) -> Self {
        if error.is_unique_violation() { Self::EmailTaken } else { Self::Failed(error) }
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
    database: Database,
}

impl FromRequest for Store {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Database::from_request(request, payload).into_inner().map(Self::new))
    }
}

impl Store {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn insert(&self, email: &str, name: &str, password_hash: &str) -> Result<User, Refused> {
        let sql = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $5)
                   RETURNING id, email, name, created_at, updated_at, version";
        let (id, now) = (Uuid::now_v7(), time::now());
        Ok(self.database.query_one(sql, &[&id, &email, &name, &password_hash, &now]).await?)
    }

    pub(crate) async fn find(&self, id: Uuid) -> Result<Option<User>, DatabaseError> {
        let sql = "SELECT id, email, name, created_at, updated_at, version FROM users WHERE id = $1";
        self.database.query_opt(sql, &[&id]).await
    }

    pub(crate) async fn list(&self, paging: &Paging) -> Result<Vec<User>, DatabaseError> {
        let sql = "SELECT id, email, name, created_at, updated_at, version FROM users
                   WHERE id > $1 ORDER BY id LIMIT $2";
        // No id is before the nil one.
        let after = paging.after.unwrap_or_default();
        self.database.query(sql, &[&after, &paging.to_read()]).await
    }

    /// Changes a user, if there is one, and of that version if one is given. A new password ends all sessions but the one
    /// that it was set in.
    pub(crate) async fn change(
        &self,
        (id, version): (Uuid, Option<i64>),
        changes: Changes,
        session: String,
    ) -> Result<Option<User>, Refused> {
        let sql = "UPDATE users
                   SET name = COALESCE($1, name), email = COALESCE($2, email),
                       password_hash = COALESCE($3, password_hash), updated_at = $4, version = version + 1
                   WHERE id = $5 AND version = COALESCE($6, version)
                   RETURNING id, email, name, created_at, updated_at, version";
        let end_others = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
        let work = async move |transaction: &mut cyanotype::Transaction| {
            let Changes { name, email, password_hash } = changes;
            let now = time::now();
            let user = transaction.query_opt(sql, &[&name, &email, &password_hash, &now, &id, &version]).await?;
            if user.is_some() && password_hash.is_some() {
                transaction.execute(end_others, &[&id, &session]).await?;
            }
            Ok(user)
        };
        self.database.transaction(work).await
    }

    /// Whether there was such a user. Their sessions go with them, by the foreign key.
    pub(crate) async fn delete(&self, id: Uuid) -> Result<bool, DatabaseError> {
        Ok(self.database.execute("DELETE FROM users WHERE id = $1", &[&id]).await? > 0)
    }

    pub(crate) async fn credentials(&self, email: &str) -> Result<Option<Credentials>, DatabaseError> {
        // Nobody has such an address, and PostgreSQL does not let it be asked for.
        if email.contains('\0') {
            return Ok(None);
        }
        self.database.query_opt("SELECT id, password_hash FROM users WHERE email = $1", &[&email]).await
    }

    /// Begins a session, unless the password has changed since it was verified, or the user has gone.
    pub(crate) async fn begin_session(
        &self,
        verified: &Credentials,
        token_hash: String,
        expires_at: Timestamp,
    ) -> Result<bool, DatabaseError> {
        // A write, so that a change of the password that is under way is waited for, and one that comes later waits.
        let hold = "UPDATE users SET updated_at = updated_at WHERE id = $1 AND password_hash = $2";
        let insert = "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
        let Credentials { id, password_hash } = verified.clone();
        let work = async move |transaction: &mut cyanotype::Transaction| {
            if transaction.execute(hold, &[&id, &password_hash]).await? == 0 {
                return Ok(false);
            }
            transaction.execute(insert, &[&token_hash, &id, &time::now(), &expires_at]).await?;
            Ok(true)
        };
        self.database.transaction(work).await
    }

    /// Whose session it is, if it is one and has not expired. It goes with its user, so there is one.
    pub(crate) async fn session_owner(&self, token_hash: &str, now: Timestamp) -> Result<Option<Uuid>, DatabaseError> {
        let sql = "SELECT user_id FROM sessions WHERE token_hash = $1 AND expires_at > $2";
        let owner: Option<(Uuid,)> = self.database.query_opt(sql, &[&token_hash, &now]).await?;
        Ok(owner.map(|(id,)| id))
    }

    pub(crate) async fn end_session(&self, token_hash: &str) -> Result<(), DatabaseError> {
        self.database.execute("DELETE FROM sessions WHERE token_hash = $1", &[&token_hash]).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype::test;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn later() -> Timestamp {
        at("2999-01-01T00:00:00Z")
    }

    async fn store() -> Store {
        Store::new(test::database(&crate::Users).await)
    }

    async fn begin(store: &Store, user: &Credentials, token: &str) -> bool {
        store.begin_session(user, token.to_owned(), later()).await.unwrap()
    }

    async fn change(store: &Store, user: (Uuid, Option<i64>), changes: Changes, session: &str) -> Option<User> {
        store.change(user, changes, session.to_owned()).await.unwrap()
    }

    fn password() -> Changes {
        Changes { password_hash: Some("new".into()), ..Changes::default() }
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
        let end = at("2030-01-01T00:00:00Z");
        assert!(store.begin_session(&ada, "token".into(), end).await.unwrap());
        let owner = async |now| store.session_owner("token", now).await.unwrap();
        assert_eq!(owner(at("2029-12-31T23:59:59.999999Z")).await, Some(ada.id));
        assert_eq!(owner(end).await, None);
    }

    #[actix_web::test]
    async fn a_new_password_ends_the_other_sessions() {
        let store = store().await;
        let ada = ada(&store).await;
        for token in ["this", "other"] {
            assert!(begin(&store, &ada, token).await);
        }
        let rename = Changes { name: Some("Countess".into()), ..Changes::default() };
        let user = change(&store, (ada.id, None), rename, "this").await.unwrap();
        assert_eq!((user.name.as_str(), user.email.as_str()), ("Countess", "ada@example.org"));
        assert_eq!(store.session_owner("other", time::now()).await.unwrap(), Some(ada.id));

        change(&store, (ada.id, None), password(), "this").await.unwrap();
        assert_eq!(store.session_owner("other", time::now()).await.unwrap(), None);
        assert_eq!(store.session_owner("this", time::now()).await.unwrap(), Some(ada.id));
    }

    #[actix_web::test]
    async fn a_change_is_of_the_version_that_it_is_for() {
        let store = store().await;
        let user = store.insert("ada@example.org", "Ada", "hash").await.unwrap();
        let ada = ada_of(&store).await;
        assert!(begin(&store, &ada, "other").await);
        assert_eq!(store.find(user.id).await.unwrap().unwrap().version, user.version, "a login changes nobody");
        assert_eq!(change(&store, (user.id, Some(user.version + 1)), password(), "").await, None);
        assert_eq!(store.session_owner("other", time::now()).await.unwrap(), Some(user.id), "nothing was changed");
        let changed = change(&store, (user.id, Some(user.version)), password(), "").await.unwrap();
        assert_eq!(changed.version, user.version + 1);
        assert_eq!(change(&store, (user.id, Some(user.version)), password(), "").await, None);
    }

    #[actix_web::test]
    async fn a_login_that_the_password_has_overtaken_begins_no_session() {
        let store = store().await;
        let verified = ada(&store).await;
        change(&store, (verified.id, None), password(), "").await.unwrap();
        assert!(!begin(&store, &verified, "token").await);
    }

    #[actix_web::test]
    async fn sessions_go_with_their_user() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(begin(&store, &ada, "token").await);
        assert!(store.delete(ada.id).await.unwrap());
        let (left,): (i64,) = store.database.query_one("SELECT count(*) FROM sessions", &[]).await.unwrap();
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
