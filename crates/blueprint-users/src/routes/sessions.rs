//! Handlers for login, logout and sessions.

use actix_web::http::header::{CACHE_CONTROL, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cyanotype::auth::Caller;
use cyanotype::extract::{Json, Path};
use cyanotype::{Breadcrumb, ClientAddress, PROBLEM_JSON, Problem, Result, add_breadcrumb, time};
use jiff::SignedDuration;
use tracing::{info, warn};
use uuid::Uuid;

use crate::model::{Login, Session, SessionItem, Sessions};
use crate::store::{Credentials, NewSession, Store};
use crate::throttle::Throttle;
use crate::token::{Token, hash_from_request};

const SESSION_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Maximum number of characters of a stored `user-agent` header.
const MAX_USER_AGENT_LENGTH: usize = 200;

/// Log in
///
/// Starts a session and returns its bearer token. The token is valid until the session expires after 30 days, is revoked, or
/// ends with a logout.
#[utoipa::path(post, path = "/users/login", operation_id = "login", request_body = Login, responses(
    (status = 200, description = "The new session with its bearer token", body = Session),
    (status = 401, description = "The e-mail address or the password is wrong", body = Problem, content_type = PROBLEM_JSON),
    (status = 429, description = "Too many failed logins or too many requests; retry after `retry-after` seconds",
        body = Problem, content_type = PROBLEM_JSON, headers(("retry-after" = u64))),
))]
pub(crate) async fn login(
    store: Store,
    throttle: Data<Throttle>,
    client: ClientAddress,
    request: HttpRequest,
    Json(login): Json<Login>,
) -> Result {
    let credentials = store.credentials(login.email.as_str()).await?;
    add_breadcrumb(match &credentials {
        Some(user) => Breadcrumb::new("verifying a password").category("users").data("user_id", user.id.to_string()),
        None => Breadcrumb::new("verifying a password for an unknown e-mail address").category("users"),
    });
    let stored = credentials.as_ref().map(|user| user.password_hash.clone());
    let is_correct =
        throttle.into_inner().verify((login.email.as_str().to_owned(), client), login.password, stored).await?;
    match credentials {
        Some(user) if is_correct => start_session(&store, &user, &request).await,
        Some(user) => {
            warn!(user_id = %user.id, "login rejected: wrong password");
            Err(wrong_credentials())
        }
        None => {
            warn!("login rejected: unknown e-mail address");
            Err(wrong_credentials())
        }
    }
}

async fn start_session(store: &Store, user: &Credentials, request: &HttpRequest) -> Result {
    let token = Token::random()?;
    let expires_at = time::now() + SESSION_LIFETIME;
    let new = NewSession { token_hash: token.hash(), user_agent: user_agent(request), expires_at };
    if !store.create_session(user, new).await? {
        warn!(user_id = %user.id, "login rejected: the password was changed or the user was deleted during the login");
        return Err(wrong_credentials());
    }
    info!(user_id = %user.id, "user logged in");
    let session = Session { token, token_type: "Bearer", expires_at, user_id: user.id };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(session))
}

fn user_agent(request: &HttpRequest) -> Option<String> {
    let user_agent = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(user_agent.chars().take(MAX_USER_AGENT_LENGTH).collect())
}

/// The same response in all cases, so that it does not reveal which addresses have an account.
fn wrong_credentials() -> Problem {
    Problem::unauthorized("the e-mail address or the password is wrong")
}

/// Log out
///
/// Ends the session of the request's bearer token. Other sessions of the caller continue.
#[utoipa::path(post, path = "/users/logout", operation_id = "logout", security(("bearer" = [])), responses(
    (status = 204, description = "The session has ended"),
))]
pub(crate) async fn logout(caller: Caller, store: Store, request: HttpRequest) -> Result {
    store.end_session(&hash_from_request(&request)?).await?;
    info!(user_id = %caller.id, "user logged out");
    Ok(HttpResponse::NoContent().finish())
}

/// List the caller's sessions
///
/// Returns the newest 100 sessions that have not expired, newest first.
#[utoipa::path(
    get,
    path = "/users/me/sessions",
    operation_id = "list_sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "The caller's sessions", body = Sessions))
)]
pub(crate) async fn list_sessions(caller: Caller, store: Store, request: HttpRequest) -> Result {
    let items: Vec<SessionItem> = store.sessions(caller.id, &hash_from_request(&request)?).await?;
    Ok(HttpResponse::Ok().json(Sessions { items }))
}

/// Revoke the caller's other sessions
///
/// Ends all sessions of the caller except the one of the request.
#[utoipa::path(
    delete,
    path = "/users/me/sessions",
    operation_id = "revoke_other_sessions",
    security(("bearer" = [])),
    responses((status = 204, description = "The other sessions have ended"))
)]
pub(crate) async fn revoke_other_sessions(caller: Caller, store: Store, request: HttpRequest) -> Result {
    let ended = store.revoke_other_sessions(caller.id, &hash_from_request(&request)?).await?;
    info!(user_id = %caller.id, ended, "other sessions revoked");
    Ok(HttpResponse::NoContent().finish())
}

/// Revoke a session
///
/// Ends one session of the caller; it may be the one of the request.
#[utoipa::path(
    delete,
    path = "/users/me/sessions/{id}",
    operation_id = "revoke_session",
    params(("id" = Uuid, Path, description = "The session's id")),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "The caller has no such session", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn revoke_session(caller: Caller, store: Store, Path(id): Path<Uuid>) -> Result {
    if !store.revoke_session(caller.id, id).await? {
        return Err(Problem::not_found("session"));
    }
    info!(user_id = %caller.id, "session revoked");
    Ok(HttpResponse::NoContent().finish())
}
