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

/// What a login needs to know of a user.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub id: Uuid,
    pub email: String,
    pub password_hash: String,
}

cyanotype::from_row!(Credentials { id, email, password_hash });

/// What changes of a user: what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub name: Option<String>,
    pub email: Option<String>,
    pub password_hash: Option<String>,
    /// The hash that the current password was verified with: when another has been set meanwhile, nothing changes.
    pub verified_hash: Option<String>,
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

    /// Whether there was such a user, of that version if one is given. Their sessions go with them, by the foreign key.
    pub(crate) async fn delete(&self, id: Uuid, version: Option<i64>) -> Result<bool, DatabaseError> {
        let sql = "DELETE FROM users WHERE id = $1 AND version = COALESCE($2, version)";
        Ok(self.database.execute(sql, &[&id, &version]).await? > 0)
    }

    pub(crate) async fn credentials(&self, email: &str) -> Result<Option<Credentials>, DatabaseError> {
        // Nobody has such an address, and PostgreSQL does not let it be asked for.
        if email.contains('\0') {
            return Ok(None);
        }
        self.database.query_opt("SELECT id, email, password_hash FROM users WHERE email = $1", &[&email]).await
    }

    /// What a user who is logged in must prove again before a change of the password or the address.
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

    async fn begin(store: &Store, user: &Credentials, token: &str) -> bool {
        store.begin_session(user, session(token, later())).await.unwrap()
    }

    fn session(token: &str, expires_at: Timestamp) -> NewSession {
        NewSession { token_hash: token.to_owned(), user_agent: Some("curl".into()), expires_at }
    }

    async fn owner(store: &Store, token: &str) -> Option<Uuid> {
        store.session_owner(token, time::now()).await.unwrap().map(|owner| owner.user_id)
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
        assert!(store.begin_session(&ada, session("token", end)).await.unwrap());
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
            assert!(begin(&store, &ada, token).await);
        }
        let rename = Changes { name: Some("Countess".into()), ..Changes::default() };
        let user = change(&store, (ada.id, None), rename, "this").await.unwrap();
        assert_eq!((user.name.as_str(), user.email.as_str()), ("Countess", "ada@example.org"));
        assert_eq!(owner(&store, "other").await, Some(ada.id));

        change(&store, (ada.id, None), password(), "this").await.unwrap();
        assert_eq!(owner(&store, "other").await, None);
        assert_eq!(owner(&store, "this").await, Some(ada.id));
    }

    #[actix_web::test]
    async fn a_change_is_of_the_version_that_it_is_for() {
        let store = store().await;
        let user = store.insert("ada@example.org", "Ada", "hash").await.unwrap();
        let ada = ada_of(&store).await;
        assert!(begin(&store, &ada, "other").await);
        assert_eq!(store.find(user.id).await.unwrap().unwrap().version, user.version, "a login changes nobody");
        assert_eq!(change(&store, (user.id, Some(user.version + 1)), password(), "").await, None);
        assert_eq!(owner(&store, "other").await, Some(user.id), "nothing was changed");
        let changed = change(&store, (user.id, Some(user.version)), password(), "").await.unwrap();
        assert_eq!(changed.version, user.version + 1);
        assert_eq!(change(&store, (user.id, Some(user.version)), password(), "").await, None);
    }

    #[actix_web::test]
    async fn a_change_that_the_password_has_overtaken_changes_nothing() {
        let store = store().await;
        let ada = ada(&store).await;
        let of = |verified: &str| Changes { verified_hash: Some(verified.to_owned()), ..password() };
        assert!(change(&store, (ada.id, None), of(&ada.password_hash), "").await.is_some());
        assert_eq!(change(&store, (ada.id, None), of(&ada.password_hash), "").await, None);
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
        assert!(store.delete(ada.id, None).await.unwrap());
        let (left,): (i64,) = store.database.query_one("SELECT count(*) FROM sessions", &[]).await.unwrap();
        assert_eq!(left, 0);
        assert!(!store.delete(ada.id, None).await.unwrap());
    }

    #[actix_web::test]
    async fn an_address_is_one_users() {
        let store = store().await;
        ada(&store).await;
        let again = store.insert("ada@example.org", "Ada", "hash").await;
        assert!(matches!(again, Err(Refused::EmailTaken)), "{again:?}");
    }

    #[actix_web::test]
    async fn a_session_is_revoked_by_its_user_only() {
        let store = store().await;
        let ada = ada(&store).await;
        for token in ["this", "other", "third"] {
            assert!(begin(&store, &ada, token).await);
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
    async fn a_role_is_granted_and_revoked_and_each_change_is_audited() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(begin(&store, &ada, "token").await);
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
    async fn a_deletion_is_of_the_version_that_it_is_for() {
        let store = store().await;
        let ada = ada(&store).await;
        assert!(!store.delete(ada.id, Some(2)).await.unwrap());
        assert!(store.delete(ada.id, Some(1)).await.unwrap());
    }
}
