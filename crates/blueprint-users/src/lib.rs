//! The users blueprint: who may call, and how they show it.
//!
//! | route | answers |
//! | --- | --- |
//! | `POST /users` | 201: a new user |
//! | `POST /users/login` | 200: a bearer token for an e-mail address and its password |
//! | `POST /users/logout` | 204: the token it came with is gone |
//! | `GET /users` | 200: a page of users, for admins |
//! | `GET /users/me` | 200: the caller |
//! | `GET /users/me/sessions` | 200: the caller's sessions |
//! | `DELETE /users/me/sessions` | 204: all sessions of the caller but this one are gone |
//! | `DELETE /users/me/sessions/{id}` | 204: that session is gone |
//! | `GET /users/{id}` | 200: the caller; for admins, any user |
//! | `PATCH /users/{id}` | 200: the caller, changed |
//! | `DELETE /users/{id}` | 204: the caller is gone, with all sessions |
//!
//! A user carries an `etag`, is read again with `If-None-Match`, and changed or deleted with `If-Match`. Another user is as
//! unknown as one that does not exist. Roles are granted by the operator alone: see [`admins`].
//!
//! All but the first two need a bearer token. Other blueprints learn whose it is through the core's
//! [`Caller`](cyanotype::auth::Caller), which asks the [`Authenticator`](cyanotype::auth::Authenticator) that is provided
//! here, and what they want to know of users through the [`UserDirectory`]. For a process that serves them without this
//! blueprint, both are answered [`RemoteUsers`]; that is all there is without the feature `blueprint`.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

#[cfg(feature = "blueprint")]
pub mod admins;
#[cfg(feature = "blueprint")]
mod api;
mod directory;
#[cfg(feature = "blueprint")]
mod failure_count;
#[cfg(feature = "blueprint")]
mod hash_pool;
#[cfg(feature = "blueprint")]
mod hasher;
#[cfg(feature = "blueprint")]
mod model;
#[cfg(feature = "blueprint")]
mod password;
#[cfg(feature = "blueprint")]
mod password_policy;
mod remote_users;
#[cfg(feature = "blueprint")]
mod routes;
#[cfg(feature = "blueprint")]
mod settings;
#[cfg(feature = "blueprint")]
mod store;
#[cfg(feature = "blueprint")]
mod throttle;
#[cfg(feature = "blueprint")]
mod token;
#[cfg(feature = "blueprint")]
mod users;

pub use directory::{Exists, UserDirectory};
pub use remote_users::RemoteUsers;
#[cfg(feature = "blueprint")]
pub use users::Users;

const PREFIX: &str = "/users";
