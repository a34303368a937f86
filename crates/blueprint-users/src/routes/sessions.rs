//! Sessions: how they begin, which there are, and how they end.

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
use crate::token::{Token, presented};

const SESSION: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The most characters that are stored of a client's name.
const LONGEST_USER_AGENT: usize = 200;

/// Logs in.
///
/// Begins a session. Its bearer token authenticates requests until the session expires, is revoked, or is ended by a logout.
#[utoipa::path(post, path = "/users/login", operation_id = "login", request_body = Login, responses(
    (status = 200, description = "The session", body = Session),
    (status = 401, description = "The address or the password is wrong", body = Problem, content_type = PROBLEM_JSON),
    (status = 429, description = "Too many failed logins or too many requests",
        body = Problem, content_type = PROBLEM_JSON, headers(("retry-after" = u64))),
))]
pub(crate) async fn login(
    store: Store,
    throttle: Data<Throttle>,
    client: ClientAddress,
    request: HttpRequest,
    Json(login): Json<Login>,
) -> Result {
    let known = store.credentials(login.email.as_str()).await?;
    add_breadcrumb(match &known {
        Some(user) => Breadcrumb::new("checks a password").category("users").data("user_id", user.id.to_string()),
        None => Breadcrumb::new("checks a password for an unknown e-mail address").category("users"),
    });
    let stored = known.as_ref().map(|user| user.password_hash.clone());
    let is_right =
        throttle.into_inner().verify((login.email.as_str().to_owned(), client), login.password, stored).await?;
    match known {
        Some(user) if is_right => begin_session(&store, &user, &request).await,
        Some(user) => {
            warn!(user_id = %user.id, "login refused: wrong password");
            Err(refused())
        }
        None => {
            warn!("login refused: unknown e-mail address");
            Err(refused())
        }
    }
}

async fn begin_session(store: &Store, user: &Credentials, request: &HttpRequest) -> Result {
    let token = Token::random()?;
    let expires_at = time::now() + SESSION;
    let new = NewSession { token_hash: token.hash(), user_agent: user_agent(request), expires_at };
    if !store.begin_session(user, new).await? {
        warn!(user_id = %user.id, "login refused: the password has just changed, or the user gone");
        return Err(refused());
    }
    info!(user_id = %user.id, "user logged in");
    let session = Session { token, token_type: "Bearer", expires_at, user_id: user.id };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(session))
}

fn user_agent(request: &HttpRequest) -> Option<String> {
    let name = request.headers().get(USER_AGENT)?.to_str().ok()?;
    Some(name.chars().take(LONGEST_USER_AGENT).collect())
}

/// The same whatever was wrong: an answer does not show who has an account.
fn refused() -> Problem {
    Problem::unauthorized("the e-mail address or the password is wrong")
}

/// Logs out.
///
/// Ends the session of the request's token; other sessions of the user continue.
#[utoipa::path(post, path = "/users/logout", operation_id = "logout", security(("bearer" = [])), responses(
    (status = 204, description = "The session has ended"),
))]
pub(crate) async fn logout(caller: Caller, store: Store, request: HttpRequest) -> Result {
    store.end_session(&presented(&request)?).await?;
    info!(user_id = %caller.id, "user logged out");
    Ok(HttpResponse::NoContent().finish())
}

/// Lists the caller's sessions.
///
/// Newest first, at most a hundred.
#[utoipa::path(
    get,
    path = "/users/me/sessions",
    operation_id = "list_sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "The sessions", body = Sessions))
)]
pub(crate) async fn list_sessions(caller: Caller, store: Store, request: HttpRequest) -> Result {
    let items: Vec<SessionItem> = store.sessions(caller.id, &presented(&request)?).await?;
    Ok(HttpResponse::Ok().json(Sessions { items }))
}

/// Revokes the other sessions.
///
/// Ends all sessions of the caller but the one of this request.
#[utoipa::path(
    delete,
    path = "/users/me/sessions",
    operation_id = "revoke_other_sessions",
    security(("bearer" = [])),
    responses((status = 204, description = "The other sessions have ended"))
)]
pub(crate) async fn revoke_other_sessions(caller: Caller, store: Store, request: HttpRequest) -> Result {
    let ended = store.revoke_other_sessions(caller.id, &presented(&request)?).await?;
    info!(user_id = %caller.id, ended, "other sessions revoked");
    Ok(HttpResponse::NoContent().finish())
}

/// Revokes a session.
///
/// Ends a session of the caller.
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
