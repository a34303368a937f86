//! The request handlers.

pub(crate) mod sessions;

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cyanotype::auth::{Admin, Authenticated, Caller};
use cyanotype::conditional::{self, IfMatch, IfNoneMatch};
use cyanotype::extract::{Json, Path, Query};
use cyanotype::paging::{CreatedRange, Page, Paging};
use cyanotype::{ClientAddress, PROBLEM_JSON, Problem, Result};
use tracing::{info, warn};
use uuid::Uuid;

use crate::PREFIX;
use crate::hash_pool::HashPool;
use crate::model::{Change, Email, Registration, User};
use crate::password_policy;
use crate::store::{Changes, Store};
use crate::throttle::Throttle;
use crate::token;

// One resource per path with all its methods, so that actix-web answers any other method with 405 and an `allow` header.
pub(crate) fn configure(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::post().to(register)).route(web::get().to(list)))
        // Registered before `/{id}`, which would match these paths.
        .service(web::resource("/login").route(web::post().to(sessions::login)))
        .service(web::resource("/logout").route(web::post().to(sessions::logout)))
        .service(web::resource("/me").route(web::get().to(get_me)))
        .service(
            web::resource("/me/sessions")
                .route(web::get().to(sessions::list_sessions))
                .route(web::delete().to(sessions::revoke_other_sessions)),
        )
        .service(web::resource("/me/sessions/{id}").route(web::delete().to(sessions::revoke_session)))
        .service(
            web::resource("/{id}")
                .route(web::get().to(get))
                .route(web::patch().to(update))
                .route(web::delete().to(delete)),
        );
}

/// Register a user
///
/// The e-mail address identifies the user at login, so it must be unique. It is stored in lower case. The response header
/// `location` contains the path of the new user.
#[utoipa::path(post, path = "/users", operation_id = "register_user", request_body = Registration, responses(
    (status = 201, description = "The new user", body = User, headers(("etag" = String), ("location" = String))),
    (status = 409, description = "Another user has this e-mail address", body = Problem, content_type = PROBLEM_JSON),
))]
pub(crate) async fn register(store: Store, pool: Data<HashPool>, Json(new): Json<Registration>) -> Result {
    let password_hash = new.password.hash(pool.acquire_for_registration().await?).await?;
    let user = store.insert(new.email.as_str(), &new.name, &password_hash).await?;
    info!(user_id = %user.id, "user registered");
    let location = (LOCATION, format!("{PREFIX}/{}", user.id));
    Ok(HttpResponse::Created().insert_header(location).insert_header(user.etag()).json(user))
}

/// List users
///
/// Requires the admin role. The users are sorted by creation time, newest first, and returned one page at a time.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "list_users",
    params(CreatedRange, Paging),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of users", body = Page<User>, headers(("link" = String))),
        (status = 403, description = "The caller is not an admin", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn list(
    _: Admin,
    store: Store,
    request: HttpRequest,
    Query(created): Query<CreatedRange>,
    Query(paging): Query<Paging>,
) -> Result {
    let users = store.list(&created, &paging).await?;
    let total = paging.count(store.count(&created)).await?;
    Ok(paging.respond(&request, users, total, |user| user.id))
}

/// Get the caller
///
/// Returns the user to whom the bearer token belongs. With `if-none-match`, the response is 304 without a body when the user
/// has not changed.
#[utoipa::path(
    get,
    path = "/users/me",
    operation_id = "get_current_user",
    params(IfNoneMatch),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller", body = User, headers(("etag" = String))),
        (status = 304, description = "The user has not changed"),
    )
)]
pub(crate) async fn get_me(caller: Caller, store: Store, if_none_match: IfNoneMatch) -> Result {
    let user = store.find(caller.id).await?.ok_or_else(not_found)?;
    Ok(if_none_match.respond(user.etag(), user))
}

/// Get a user
///
/// Admins can get any user, other callers only themselves. With `if-none-match`, the response is 304 without a body when the
/// user has not changed.
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "get_user",
    params(("id" = Uuid, Path, description = "The user's id"), IfNoneMatch),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user", body = User, headers(("etag" = String))),
        (status = 304, description = "The user has not changed"),
        (status = 404, description = "The user does not exist or is not the caller", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn get(caller: Caller, store: Store, Path(id): Path<Uuid>, if_none_match: IfNoneMatch) -> Result {
    if caller.id != id && !caller.is_admin() {
        return Err(not_found());
    }
    let user = store.find(id).await?.ok_or_else(not_found)?;
    Ok(if_none_match.respond(user.etag(), user))
}

/// Update the caller
///
/// The id must be the caller's. Fields that the body omits stay unchanged. A new e-mail address or password requires
/// `current_password`; a new password ends the caller's other sessions. With `if-match`, the user is updated only if it still
/// has that entity tag.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    operation_id = "update_user",
    params(("id" = Uuid, Path, description = "The user's id"), IfMatch),
    request_body = Change,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The updated user", body = User, headers(("etag" = String))),
        (status = 403, description = "An admin cannot update another user", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "The user does not exist or is not the caller", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "Another user has this e-mail address", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The user does not match `if-match`", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn update(
    Authenticated(caller, Json(change)): Authenticated<Json<Change>>,
    store: Store,
    (pool, throttle): (Data<HashPool>, Data<Throttle>),
    client: ClientAddress,
    request: HttpRequest,
    Path(id): Path<Uuid>,
    if_match: IfMatch,
) -> Result {
    require_self(&caller, &store, id).await?;
    let version = expected_version(&store, id, &if_match).await?;
    let (mut password_hash, mut verified_hash) = (None, None);
    if change.password.is_some() || change.email.is_some() {
        let current = change.current_password.ok_or_else(|| {
            Problem::invalid_field("current_password", "is required to change the e-mail address or the password")
        })?;
        let user = store.credentials_of(id).await?.ok_or_else(not_found)?;
        if !throttle
            .into_inner()
            .verify((user.email.clone(), client), current.clone(), Some(user.password_hash.clone()))
            .await?
        {
            warn!(user_id = %id, "user update rejected: wrong current password");
            return Err(Problem::invalid_field("current_password", "is wrong"));
        }
        let address = change.email.as_ref().map_or(user.email.as_str(), Email::as_str);
        let field = if change.password.is_some() { "password" } else { "email" };
        password_policy::not_the_address(change.password.as_ref().unwrap_or(&current), address)
            .map_err(|error| Problem::invalid_field(field, error.message()))?;
        verified_hash = Some(user.password_hash);
        if let Some(password) = change.password {
            password_hash = Some(password.hash(pool.acquire().await?).await?);
        }
    }
    let ended_other_sessions = password_hash.is_some();
    let email = change.email.as_ref().map(Email::as_str).map(str::to_owned);
    let changes = Changes { name: change.name, email, password_hash, verified_hash };
    let Some(user) = store.update((id, version), changes, token::hash_from_request(&request)?).await? else {
        return Err(missing_or_modified(&store, id).await);
    };
    info!(user_id = %id, ended_other_sessions, "user updated");
    Ok(HttpResponse::Ok().insert_header(user.etag()).json(user))
}

/// Delete the caller
///
/// The id must be the caller's. Also deletes all sessions of the caller; their orders are retained. With `if-match`, the user
/// is deleted only if it still has that entity tag.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "delete_user",
    params(("id" = Uuid, Path, description = "The user's id"), IfMatch),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "The user has been deleted"),
        (status = 403, description = "An admin cannot delete another user", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "The user does not exist or is not the caller", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The user does not match `if-match`", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn delete(caller: Caller, store: Store, Path(id): Path<Uuid>, if_match: IfMatch) -> Result {
    require_self(&caller, &store, id).await?;
    let version = expected_version(&store, id, &if_match).await?;
    if !store.delete(id, version).await? {
        return Err(missing_or_modified(&store, id).await);
    }
    info!(user_id = %id, "user deleted");
    Ok(HttpResponse::NoContent().finish())
}

/// Fails unless the id is the caller's: with 403 for admins, who can see the other user, and with 404 for other callers.
async fn require_self(caller: &Caller, store: &Store, id: Uuid) -> Result<()> {
    if caller.id == id {
        return Ok(());
    }
    if !caller.is_admin() {
        return Err(not_found());
    }
    store.find(id).await?.ok_or_else(not_found)?;
    warn!(user_id = %caller.id, other = %id, "rejected a change of another user");
    Err(Problem::forbidden("you can change only your own user"))
}

/// The version that the user must still have when it is written; `None` without `if-match`.
async fn expected_version(store: &Store, id: Uuid, if_match: &IfMatch) -> Result<Option<i64>> {
    if !if_match.is_present() {
        return Ok(None);
    }
    let user = store.find(id).await?.ok_or_else(not_found)?;
    if_match.check(&user.etag())?;
    Ok(Some(user.version))
}

/// The reason why a write matched no row: the user does not exist, or another request modified it after the version check.
async fn missing_or_modified(store: &Store, id: Uuid) -> Problem {
    match store.find(id).await {
        Ok(found) => found.map_or_else(not_found, |_| conditional::precondition_failed()),
        Err(error) => error.into(),
    }
}

fn not_found() -> Problem {
    Problem::not_found("user")
}
