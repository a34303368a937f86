//! The users of another process, asked over HTTP.

use actix_web::http::StatusCode;
use cyanotype::Problem;
use cyanotype::auth::{Authentication, Authenticator, Caller, Identity, Role};
use cyanotype::remote::{BaseUrl, Remote, RemoteResponse};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

use crate::PREFIX;
use crate::directory::{Exists, UserDirectory};

/// A process that serves this blueprint.
#[derive(Debug)]
pub struct RemoteUsers {
    remote: Remote,
}

impl RemoteUsers {
    /// The process at this address, which may be given with `/users` at its end or without.
    #[must_use]
    pub fn new(url: &BaseUrl, timeout: Duration, retries: u32) -> Self {
        Self { remote: Remote::new(url.without(PREFIX), timeout, retries) }
    }
}

/// What is read of a user.
#[derive(Deserialize)]
struct User {
    id: Uuid,
    role: Role,
}

impl Authenticator for RemoteUsers {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(async move {
            let reply = self.remote.get(&format!("{PREFIX}/me"), token).await.map_err(Problem::unavailable)?;
            match reply.status {
                StatusCode::OK => {
                    let User { id, role } = reply.json().map_err(Problem::unavailable)?;
                    Ok(Some(Identity { id, role }))
                }
                StatusCode::UNAUTHORIZED => Ok(None),
                _ => Err(unexpected(&reply)),
            }
        })
    }
}

impl UserDirectory for RemoteUsers {
    fn exists<'a>(&'a self, caller: &'a Caller, id: Uuid) -> Exists<'a> {
        Box::pin(async move {
            let asked = self.remote.get(&format!("{PREFIX}/{id}"), caller.token()).await;
            let reply = asked.map_err(Problem::unavailable)?;
            match reply.status {
                StatusCode::OK => Ok(true),
                StatusCode::NOT_FOUND => Ok(false),
                _ => Err(unexpected(&reply)),
            }
        })
    }
}

fn unexpected(reply: &RemoteResponse) -> Problem {
    if reply.status == StatusCode::TOO_MANY_REQUESTS {
        // It has counted the client that this process works for.
        let retry_after = reply.retry_after.unwrap_or_default();
        return Problem::too_many_requests(retry_after, "too many requests from this client");
    }
    Problem::unavailable(format!("the users process answered {}", reply.status))
}
