//! Client for the users of another process, over HTTP.

use actix_web::http::StatusCode;
use cyanotype::Problem;
use cyanotype::auth::{Authentication, Authenticator, Caller, Identity, Role};
use cyanotype::remote::{BaseUrl, RemoteClient, RemoteResponse};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

use crate::PREFIX;
use crate::directory::{Exists, UserDirectory};

/// Client for a process that serves this blueprint.
#[derive(Debug)]
pub struct RemoteUsers {
    remote: RemoteClient,
}

impl RemoteUsers {
    /// A client for the process at this URL, with or without `/users` at the end.
    #[must_use]
    pub fn new(url: &BaseUrl, timeout: Duration, retries: u32) -> Self {
        Self { remote: RemoteClient::new(url.without(PREFIX), timeout, retries) }
    }
}

/// The fields of a user that are read.
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
            let result = self.remote.get(&format!("{PREFIX}/{id}"), caller.token()).await;
            let reply = result.map_err(Problem::unavailable)?;
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
        // The users process counts the original client, whose address this process forwards.
        let retry_after = reply.retry_after.unwrap_or_default();
        return Problem::too_many_requests(retry_after, "too many requests from this client");
    }
    Problem::unavailable(format!("the users process returned status {}", reply.status))
}
