//! The blueprint, and the services that it provides to other blueprints.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use cyanotype::auth::{Authentication, Authenticator, Caller, Identity};
use cyanotype::settings::BlueprintSettings;
use cyanotype::{Blueprint, ExpiringTable, LifecycleFuture, Migrations, Resources, time};
use utoipa::openapi::OpenApi;
use uuid::Uuid;

use crate::directory::{Exists, UserDirectory};
use crate::hash_pool::HashPool;
use crate::settings::UsersSettings;
use crate::store::{Owner, Store};
use crate::throttle::Throttle;
use crate::{PREFIX, api, routes, token};

cyanotype::embed_migrations!();

/// The blueprint. It has no state of its own: all data is in the database.
#[derive(Debug, Clone, Copy, Default)]
pub struct Users;

impl Blueprint for Users {
    fn name(&self) -> &'static str {
        "users"
    }

    fn prefix(&self) -> &str {
        PREFIX
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        routes::configure(scope);
    }

    fn api(&self) -> OpenApi {
        api::document()
    }

    fn migrations(&self) -> Option<Migrations> {
        Some(migrations())
    }

    fn settings(&self) -> BlueprintSettings {
        BlueprintSettings::of::<UsersSettings>()
    }

    fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async move {
            let settings: UsersSettings = resources.settings()?;
            let pool = Arc::new(HashPool::start(settings.hash_threads(), settings.login_queue)?);
            let store = Store::new(resources.database().clone());
            resources.provide(Arc::new(Throttle::new(store.clone(), Arc::clone(&pool), settings.limits())));
            resources.provide(pool);
            let users = Arc::new(LocalUsers { store });
            resources.provide::<dyn Authenticator>(Arc::clone(&users) as _);
            resources.provide::<dyn UserDirectory>(users);
            resources.delete_expired_rows(ExpiringTable {
                table: "sessions",
                key: "token_hash",
                expires_at: "expires_at",
            });
            resources.delete_expired_rows(ExpiringTable {
                table: "login_attempts",
                key: "key",
                expires_at: "expires_at",
            });
            Ok(())
        })
    }
}

/// The users in the database of this process.
struct LocalUsers {
    store: Store,
}

impl Authenticator for LocalUsers {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(async move {
            let owner = self.store.session_owner(&token::hash(token), time::now()).await?;
            Ok(owner.map(|Owner { user_id, role }| Identity { id: user_id, role }))
        })
    }
}

impl UserDirectory for LocalUsers {
    fn exists<'a>(&'a self, caller: &'a Caller, id: Uuid) -> Exists<'a> {
        Box::pin(async move {
            // The caller was authenticated from this database, so no query is needed.
            Ok(caller.id == id || caller.is_admin() && self.store.find(id).await?.is_some())
        })
    }
}
