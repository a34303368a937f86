//! The handlers, one a route.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cyanotype::auth::{By, Caller, bearer_token};
use cyanotype::conditional::{self, IfMatch, IfNoneMatch};
use cyanotype::extract::{Json, Path, Query};
use cyanotype::paging::{Page, Paging};
use cyanotype::{Breadcrumb, PROBLEM, Problem, Result, add_breadcrumb, time};
use jiff::SignedDuration;
use tracing::{info, warn};
use uuid::Uuid;

use crate::PREFIX;
use crate::model::{Change, Email, Login, Registration, Session, User};
use crate::store::{Changes, Credentials, Store};
use crate::token::{self, Token};

const SESSION: SignedDuration = SignedDuration::from_hours(30 * 24);

// One resource a path, with all its methods: actix then answers a wrong method with 405 and what it allows.
pub(crate) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::post().to(sign_up)).route(web::get().to(list)))
        // Before the ids, of which these would be three.
        .service(web::resource("/login").route(web::post().to(login)))
        .service(web::resource("/logout").route(web::post().to(logout)))
        .service(web::resource("/me").route(web::get().to(me)))
        .service(
            web::resource("/{id}")
                .route(web::get().to(read))
                .route(web::patch().to(change))
                .route(web::delete().to(delete)),
        );
}

/// Registers a user.
#[utoipa::path(post, path = "/users", request_body = Registration, responses(
    (status = 201, description = "The new user", body = User, headers(("etag" = String), ("location" = String))),
    (status = 409, description = "Another user has this e-mail address", body = Problem, content_type = PROBLEM),
))]
pub(crate) async fn sign_up(store: Store, Json(new): Json<Registration>) -> Result {
    let password_hash = new.password.hash().await?;
    let user = store.insert(new.email.as_str(), &new.name, &password_hash).await?;
    info!(user_id = %user.id, "user registered");
    let place = (LOCATION, format!("{PREFIX}/{}", user.id));
    Ok(HttpResponse::Created().insert_header(place).insert_header(user.tag()).json(user))
}

/// Begins a session: a bearer token for an e-mail address and its password.
#[utoipa::path(post, path = "/users/login", request_body = Login, responses(
    (status = 200, description = "The session", body = Session),
    (status = 401, description = "The address or the password is wrong", body = Problem, content_type = PROBLEM),
))]
pub(crate) async fn login(store: Store, Json(login): Json<Login>) -> Result {
    let known = store.credentials(login.email.as_str()).await?;
    add_breadcrumb(match &known {
        Some(user) => Breadcrumb::new("checks a password").category("users").data("user_id", user.id.to_string()),
        None => Breadcrumb::new("checks a password of nobody").category("users"),
    });
    let stored = known.as_ref().map(|user| user.password_hash.clone());
    let right = login.password.is(stored).await?;
    match known {
        Some(user) if right => begin_session(&store, &user).await,
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

async fn begin_session(store: &Store, user: &Credentials) -> Result {
    let token = Token::random()?;
    let expires_at = time::now() + SESSION;
    if !store.begin_session(user, token.hash(), expires_at).await? {
        warn!(user_id = %user.id, "login refused: the password has just changed, or the user gone");
        return Err(refused());
    }
    info!(user_id = %user.id, "user logged in");
    let session = Session { token, token_type: "Bearer", expires_at, user_id: user.id };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(session))
}

/// The same whatever was wrong: nobody learns here who has an account.
fn refused() -> Problem {
    Problem::unauthorized("the e-mail address or the password is wrong")
}

/// Ends the session of the token that it comes with.
#[utoipa::path(post, path = "/users/logout", security(("bearer" = [])), responses(
    (status = 204, description = "The token is gone"),
))]
pub(crate) async fn logout(caller: Caller, store: Store, request: HttpRequest) -> Result {
    store.end_session(&presented(&request)?).await?;
    info!(user_id = %caller.id, "user logged out");
    Ok(HttpResponse::NoContent().finish())
}

/// Lists the users, as they have come.
#[utoipa::path(get, path = "/users", params(Paging), security(("bearer" = [])), responses(
    (status = 200, description = "A page", body = Page<User>, headers(("link" = String))),
))]
pub(crate) async fn list(_: Caller, store: Store, request: HttpRequest, Query(paging): Query<Paging>) -> Result {
    let users = store.list(&paging).await?;
    Ok(paging.answer(&request, users, |user| user.id))
}

/// The caller.
#[utoipa::path(get, path = "/users/me", params(IfNoneMatch), security(("bearer" = [])), responses(
    (status = 200, description = "The caller", body = User, headers(("etag" = String))),
    (status = 304, description = "The client has it already"),
))]
pub(crate) async fn me(caller: Caller, store: Store, known: IfNoneMatch) -> Result {
    let user = store.find(caller.id).await?.ok_or_else(unknown)?;
    Ok(known.answer(user.tag(), user))
}

/// A user.
#[utoipa::path(get, path = "/users/{id}", params(("id" = Uuid, Path), IfNoneMatch), security(("bearer" = [])), responses(
    (status = 200, description = "The user", body = User, headers(("etag" = String))),
    (status = 304, description = "The client has it already"),
    (status = 404, description = "There is no such user", body = Problem, content_type = PROBLEM),
))]
pub(crate) async fn read(_: Caller, store: Store, Path(id): Path<Uuid>, known: IfNoneMatch) -> Result {
    let user = store.find(id).await?.ok_or_else(unknown)?;
    Ok(known.answer(user.tag(), user))
}

/// Changes the caller; what is left out stays.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    params(("id" = Uuid, Path), IfMatch),
    request_body = Change,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user, changed", body = User, headers(("etag" = String))),
        (status = 403, description = "This is another user", body = Problem, content_type = PROBLEM),
        (status = 404, description = "There is no such user", body = Problem, content_type = PROBLEM),
        (status = 409, description = "Another user has this e-mail address", body = Problem, content_type = PROBLEM),
        (status = 412, description = "It has changed since it was read", body = Problem, content_type = PROBLEM),
    )
)]
pub(crate) async fn change(
    By(caller, Json(change)): By<Json<Change>>,
    store: Store,
    request: HttpRequest,
    Path(id): Path<Uuid>,
    wanted: IfMatch,
) -> Result {
    own(&caller, &store, id).await?;
    let mut version = None;
    if wanted.is_given() {
        let user = store.find(id).await?.ok_or_else(unknown)?;
        wanted.check(&user.tag())?;
        version = Some(user.version);
    }
    let password_hash = match change.password {
        Some(password) => Some(password.hash().await?),
        None => None,
    };
    let ended_other_sessions = password_hash.is_some();
    let email = change.email.as_ref().map(Email::as_str).map(str::to_owned);
    let changes = Changes { name: change.name, email, password_hash };
    let Some(user) = store.change((id, version), changes, presented(&request)?).await? else {
        // Gone, or somebody was faster since the version was checked.
        return Err(store.find(id).await?.map_or_else(unknown, |_| conditional::changed()));
    };
    info!(user_id = %id, ended_other_sessions, "user changed");
    Ok(HttpResponse::Ok().insert_header(user.tag()).json(user))
}

/// Deletes the caller, with all sessions.
#[utoipa::path(delete, path = "/users/{id}", params(("id" = Uuid, Path)), security(("bearer" = [])), responses(
    (status = 204, description = "The user is gone"),
    (status = 403, description = "This is another user", body = Problem, content_type = PROBLEM),
    (status = 404, description = "There is no such user", body = Problem, content_type = PROBLEM),
))]
pub(crate) async fn delete(caller: Caller, store: Store, Path(id): Path<Uuid>) -> Result {
    own(&caller, &store, id).await?;
    if !store.delete(id).await? {
        return Err(unknown());
    }
    info!(user_id = %id, "user deleted");
    Ok(HttpResponse::NoContent().finish())
}

/// Everybody may change themselves only.
async fn own(caller: &Caller, store: &Store, id: Uuid) -> Result<()> {
    if caller.id == id {
        return Ok(());
    }
    store.find(id).await?.ok_or_else(unknown)?;
    warn!(user_id = %caller.id, other = %id, "refused to change another user");
    Err(Problem::forbidden("this is another user: you may change yourself only"))
}

fn unknown() -> Problem {
    Problem::not_found("user")
}

/// The hash of the token that the request came with. A handler that asks for a [`Caller`] is not reached without one.
fn presented(request: &HttpRequest) -> Result<String> {
    let token = bearer_token(request).ok_or_else(|| Problem::unauthorized("send a bearer token"))?;
    Ok(token::hash(&token))
}
