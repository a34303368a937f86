//! The users blueprint: who may call, and how they show it.
//!
//! | route | answers |
//! | --- | --- |
//! | `POST /users` | 201: a new user |
//! | `POST /users/login` | 200: a bearer token for an e-mail address and its password |
//! | `POST /users/logout` | 204: the token it came with is gone |
//! | `GET /users` | 200: a page of users |
//! | `GET /users/{id}` | 200: a user |
//! | `PATCH /users/{id}` | 200: the caller, changed |
//! | `DELETE /users/{id}` | 204: the caller is gone, with all sessions |
//!
//! A user carries an `etag`, is read again with `If-None-Match` and changed with `If-Match`.
//!
//! All but the first two ask for a bearer token. Other blueprints learn whose it is through the core's
//! [`Caller`](cyanotype::auth::Caller), which asks the [`Authenticator`] that is published here.

mod model;
mod password;
mod routes;
mod sessions;
mod store;
mod token;

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use cyanotype::auth::Authenticator;
use cyanotype::{Blueprint, Database};
use sqlx::migrate::Migrator;

use crate::sessions::Sessions;
use crate::store::Store;

const PREFIX: &str = "/users";

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

    fn migrations(&self) -> Option<Migrator> {
        Some(sqlx::migrate!())
    }

    fn authenticator(&self, database: &Database) -> Option<Arc<dyn Authenticator>> {
        Some(Arc::new(Sessions::new(Store::new(database.pool().clone()))))
    }
}
