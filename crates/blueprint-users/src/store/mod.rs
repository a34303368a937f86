//! All SQL of this blueprint.

mod attempts;
mod roles;
mod sessions;

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use cyanotype::paging::{CreatedRange, Paging};
use cyanotype::{Database, DatabaseError, Executor, Problem, time};
use uuid::Uuid;

use crate::model::{Email, User};

pub(crate) use attempts::Failures;
pub use roles::{Admin, ChangedRole};
pub(crate) use sessions::{NewSession, Owner};

/// The data of a user that is required to verify a password.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub id: Uuid,
    pub email: String,
    pub password_hash: String,
}

cyanotype::from_row!(Credentials { id, email, password_hash });

/// The changes to a user; `None` leaves a column unchanged.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub name: Option<String>,
    pub email: Option<String>,
    pub password_hash: Option<String>,
    /// The hash against which the current password was verified. The update does nothing if it has changed since.
    pub verified_hash: Option<String>,
}

/// Why a user could not be stored. Only the database can detect a duplicate address, because registrations are concurrent.
#[derive(Debug)]
pub(crate) enum StoreError {
    EmailTaken,
    Database(DatabaseError),
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        if error.is_unique_violation() { Self::EmailTaken } else { Self::Database(error) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::EmailTaken => {
                Self::conflict("another user has this e-mail address").with_fields(vec![Email::taken()])
            }
            StoreError::Database(error) => Self::internal(error),
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

    pub(crate) async fn insert(&self, email: &str, name: &str, password_hash: &str) -> Result<User, StoreError> {
        let sql = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $5)
                   RETURNING id, email, name, role, created_at, updated_at, version";
        let (id, now) = (Uuid::now_v7(), time::now());
        Ok(self.database.query_one(sql, &[&id, &email, &name, &password_hash, &now]).await?)
    }

    pub(crate) async fn find(&self, id: Uuid) -> Result<Option<User>, DatabaseError> {
        let sql = "SELECT id, email, name, role, created_at, updated_at, version FROM users WHERE id = $1";
        self.database.query_opt(sql, &[&id]).await
    }

    pub(crate) async fn list(&self, created: &CreatedRange, paging: &Paging) -> Result<Vec<User>, DatabaseError> {
        let sql = "SELECT id, email, name, role, created_at, updated_at, version FROM users
                   WHERE id < $1 AND created_at >= $2 AND created_at < $3 ORDER BY id DESC LIMIT $4";
        let (from, before) = created.range();
        self.database.query(sql, &[&paging.before(), &from, &before, &paging.fetch_limit()]).await
    }

    pub(crate) async fn count(&self, created: &CreatedRange) -> Result<i64, DatabaseError> {
        let sql = "SELECT count(*) FROM users WHERE created_at >= $1 AND created_at < $2";
        let (from, before) = created.range();
        let (count,): (i64,) = self.database.query_one(sql, &[&from, &before]).await?;
        Ok(count)
    }

    /// Updates a user and returns it. Returns `None` when no user matches the id and, if one is given, the version. A new
    /// password ends all sessions except the given one.
    pub(crate) async fn update(
        &self,
        (id, version): (Uuid, Option<i64>),
        changes: Changes,
        session: String,
    ) -> Result<Option<User>, StoreError> {
        let sql = "UPDATE users
                   SET name = COALESCE($1, name), email = COALESCE($2, email),
                       password_hash = COALESCE($3, password_hash), updated_at = $4, version = version + 1
                   WHERE id = $5 AND version = COALESCE($6, version) AND password_hash = COALESCE($7, password_hash)
                   RETURNING id, email, name, role, created_at, updated_at, version";
        let end_others = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
        let work = async move |transaction: &mut cyanotype::Transaction| {
            let Changes { name, email, password_hash, verified_hash } = changes;
            let now = time::now();
            let user = transaction
                .query_opt(sql, &[&name, &email, &password_hash, &now, &id, &version, &verified_hash])
                .await?;
            if user.is_some() && password_hash.is_some() {
                transaction.execute(end_others, &[&id, &session]).await?;
            }
            Ok(user)
        };
        self.database.transaction(work).await
    }

    /// Deletes a user; the foreign key deletes their sessions. Returns `false` when no user matches the id and, if one is given,
    /// the version.
    pub(crate) async fn delete(&self, id: Uuid, version: Option<i64>) -> Result<bool, DatabaseError> {
        let sql = "DELETE FROM users WHERE id = $1 AND version = COALESCE($2, version)";
        Ok(self.database.execute(sql, &[&id, &version]).await? > 0)
    }

    pub(crate) async fn credentials(&self, email: &str) -> Result<Option<Credentials>, DatabaseError> {
        // No user has such an address, and PostgreSQL rejects the value.
        if email.contains('\0') {
            return Ok(None);
        }
        self.database.query_opt("SELECT id, email, password_hash FROM users WHERE email = $1", &[&email]).await
    }

    /// The credentials of a user by id, to verify the password again before it or the e-mail address is changed.
    pub(crate) async fn credentials_of(&self, id: Uuid) -> Result<Option<Credentials>, DatabaseError> {
        self.database.query_opt("SELECT id, email, password_hash FROM users WHERE id = $1", &[&id]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cyanotype::auth::Role;
    use cyanotype::test;
    use jiff::Timestamp;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn later() -> Timestamp {
        at("2999-01-01T00:00:00Z")
    }

    async fn store() -> Store {
        Store::new(test::database(&crate::Users).await)
    }

    async fn create_session(store: &Store, user: &Credentials, token: &str) -> bool {
        store.create_session(user, session(token, later())).await.unwrap()
    }

    fn session(token: &str, expires_at: Timestamp) -> NewSession {
        NewSession { token_hash: token.to_owned(), user_agent: Some("curl".into()), expires_at }
    }

    async fn owner(store: &Store, token: &str) -> Option<Uuid> {
        store.session_owner(token, time::now()).await.unwrap().map(|owner| owner.user_id)
    }

    async fn update(store: &Store, user: (Uuid, Option<i64>), changes: Changes, session: &str) -> Option<User> {
        store.update(user, changes, session.to_owned()).await.unwrap()
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
    async fn an_expired_session_has_no_owner() {
        let store = store().await;
        let ada = ada(&store).await;
        let end = at("2030-01-01T00:00:00Z");
        assert!(store.create_session(&ada, session("token", end)).await.unwrap());
        let owner = async |now| store.session_owner("token", now).await.unwrap();
        let member = Owner { user_id: ada.id, role: Role::Member };
        assert_eq!(owner(at("2029-12-31T23:59:59.999999Z")).await, Some(member));
        assert_eq!(owner(end).await, None);
    }

    #[actix_web::test]
    async fn a_new_password_ends_the_other_sessions() {
        let store = store().await;
        let ada = ada(&store).await;
        for token in ["this", "other"] {
            assert!(create_session(&store, &ada, token).await);
        }
        let rename = Changes { name: Some("Countess".into()), ..Changes::default() };
        let user = update(&store, (ada.id, None), rename, "this").await.unwrap();
        assert_eq!((user.name.as_str(), user.email.as_str()), ("Countess", "ada@example.org"));
        assert_eq!(owner(&store, "other").await, Some(ada.id));

        update(&store, (ada.id, None), password(), "this").await.unwrap();
        assert_eq!(owner(&store, "other").await, None);
        assert_eq!(owner(&store, "this").await, Some(ada.id));
    }

    #[actix_web::test]
    async fn an_update_requires_the_expected_version() {
        let store = store().await;
        let user = store.insert("ada@example.org", "Ada", "hash").await.unwrap();
        let ada = ada_of(&store).await;
        assert!(create_session(&store, &ada, "other").await);
        assert_eq!(
            store.find(user.id).await.unwrap().unwrap().version,
            user.version,
            "a login does not change the user"
        );
        assert_eq!(update(&store, (user.id, Some(user.version + 1)), password(), "").await, None);
        assert_eq!(owner(&store, "other").await, Some(user.id), "the session still exists");
        let changed = update(&store, (user.id, Some(user.version)), password(), "").await.unwrap();
        assert_eq!(changed.version, user.version + 1);
        assert_eq!(update(&store, (user.id, Some(user.version)), password(), "").await, None);
    }

    #[actix_web::test]
    async fn a_concurrent_password_change_prevents_an_update() {
        let store = store().await;
        let ada = ada(&store).await;
        let of = |verified: &str| Changes { verified_hash: Some(verified.to_owned()), ..password() };
        assert!(update(&store, (ada.id, None), of(&ada.password_hash), "").await.is_some());
        assert_eq!(update(&store, (ada.id, None), of(&ada.password_hash), "").await, None);
    }

    #[actix_web::test]
    async fn a_concurrent_password_change_prevents_a_login() {
        let store = store().await;
        let verified = ada(&store).await;
        update(&store, (verified.id, None), password(), "").await.unwrap();
        assert!(!create_session(&store, &verified, "token").await);
    }

    #[actix_web::test]
    async fn deleting_a_user_deletes_their_sessions() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(create_session(&store, &ada, "token").await);
        assert!(store.delete(ada.id, None).await.unwrap());
        let (left,): (i64,) = store.database.query_one("SELECT count(*) FROM sessions", &[]).await.unwrap();
        assert_eq!(left, 0);
        assert!(!store.delete(ada.id, None).await.unwrap());
    }

    #[actix_web::test]
    async fn an_address_identifies_one_user() {
        let store = store().await;
        ada(&store).await;
        let again = store.insert("ada@example.org", "Ada", "hash").await;
        assert!(matches!(again, Err(StoreError::EmailTaken)), "{again:?}");
    }

    #[actix_web::test]
    async fn only_its_own_user_can_revoke_a_session() {
        let store = store().await;
        let ada = ada(&store).await;
        for token in ["this", "other", "third"] {
            assert!(create_session(&store, &ada, token).await);
        }
        let listed = store.sessions(ada.id, "this").await.unwrap();
        assert_eq!(listed.iter().map(|it| it.is_current).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(listed[0].user_agent.as_deref(), Some("curl"));
        assert!(!store.revoke_session(Uuid::now_v7(), listed[0].id).await.unwrap());
        assert!(store.revoke_session(ada.id, listed[0].id).await.unwrap());
        assert!(!store.revoke_session(ada.id, listed[0].id).await.unwrap());
        assert_eq!(owner(&store, "third").await, None);
        assert_eq!(store.revoke_other_sessions(ada.id, "this").await.unwrap(), 1);
        assert_eq!((owner(&store, "this").await, owner(&store, "other").await), (Some(ada.id), None));
    }

    #[actix_web::test]
    async fn role_changes_are_audited() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(create_session(&store, &ada, "token").await);
        let set = async |user: &str, role, by: &str| {
            let changed = store.set_role(user, role, by).await.unwrap();
            changed.map(|it| (it.id, it.changed))
        };
        assert_eq!(set("ADA@example.org", Role::Admin, "root").await, Some((ada.id, true)));
        assert_eq!(set(&ada.id.to_string(), Role::Admin, "eve").await, Some((ada.id, false)));
        assert_eq!(set("bob@example.org", Role::Admin, "root").await, None);
        assert_eq!(store.session_owner("token", time::now()).await.unwrap().unwrap().role, Role::Admin);
        let admins = store.admins().await.unwrap();
        assert_eq!((admins.len(), admins[0].granted_by.as_deref()), (1, Some("root")));

        assert_eq!(set("ada@example.org", Role::Member, "carol").await, Some((ada.id, true)));
        assert_eq!(store.admins().await.unwrap(), []);
        let audit: Vec<(String, String)> =
            store.database.query("SELECT role, changed_by FROM role_changes ORDER BY id", &[]).await.unwrap();
        let audit: Vec<(&str, &str)> = audit.iter().map(|(role, by)| (role.as_str(), by.as_str())).collect();
        assert_eq!(audit, [("admin", "root"), ("member", "carol")]);
    }

    #[actix_web::test]
    async fn a_deletion_requires_the_expected_version() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(!store.delete(ada.id, Some(2)).await.unwrap());
        assert!(store.delete(ada.id, Some(1)).await.unwrap());
    }
}
