//! The users blueprint: registration, login, sessions and user accounts.
//!
//! | route | response |
//! | --- | --- |
//! | `POST /users` | 201 with the new user |
//! | `POST /users/login` | 200 with a bearer token, for an e-mail address and its password |
//! | `POST /users/logout` | 204; the session of the request's token ends |
//! | `GET /users` | 200 with a page of users; admins only |
//! | `GET /users/me` | 200 with the caller |
//! | `GET /users/me/sessions` | 200 with the caller's sessions |
//! | `DELETE /users/me/sessions` | 204; all other sessions of the caller end |
//! | `DELETE /users/me/sessions/{id}` | 204; that session ends |
//! | `GET /users/{id}` | 200 with the caller or, for admins, any user |
//! | `PATCH /users/{id}` | 200 with the updated caller |
//! | `DELETE /users/{id}` | 204; the caller and all their sessions are deleted |
//!
//! All routes except `POST /users` and `POST /users/login` require a bearer token. Users have an `etag` and support
//! `if-none-match` and `if-match`. Another user returns 404, like one that does not exist. Only the operator grants roles: see
//! [`admins`].
//!
//! The blueprint provides two services to other blueprints. The [`Authenticator`](cyanotype::auth::Authenticator) verifies the
//! bearer token of the core's [`Caller`](cyanotype::auth::Caller), and the [`UserDirectory`] looks up users. A process that does
//! not serve this blueprint gets both from [`RemoteUsers`], which is available without the feature `blueprint`.

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
