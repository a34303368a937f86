//! The blueprint, and what it provides to the others.

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use cyanotype::auth::{Authentication, Authenticator, Caller};
use cyanotype::{Blueprint, Resources, Task};
use sqlx::migrate::Migrator;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

use crate::directory::{Directory, Exists};
use crate::store::{Store, now};
use crate::{PREFIX, api, routes, token};

/// The blueprint. It keeps nothing itself: all that lasts is in the database.
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
        routes::register(scope);
    }

    fn api(&self) -> OpenApi {
        api::document()
    }

    fn migrations(&self) -> Option<Migrator> {
        Some(sqlx::migrate!())
    }

    fn start<'a>(&'a self, resources: &'a Resources) -> Task<'a> {
        Box::pin(async move {
            let known = Arc::new(Known { store: Store::new(resources.database().pool().clone()) });
            resources.provide::<dyn Authenticator>(Arc::clone(&known) as _);
            resources.provide::<dyn Directory>(known);
            Ok(())
        })
    }
}

/// The users of this process's own database.
struct Known {
    store: Store,
}

impl Authenticator for Known {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(async move { Ok(self.store.session_owner(&token::hash(token), &now()).await?) })
    }
}

impl Directory for Known {
    fn exists<'a>(&'a self, _: &'a Caller, id: Uuid) -> Exists<'a> {
        Box::pin(async move { Ok(self.store.find(id).await?.is_some()) })
    }
}
