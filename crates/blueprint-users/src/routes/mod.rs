//! The handlers, one a route.

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

// One resource a path, with all its methods: actix then answers a wrong method with 405 and what it allows.
pub(crate) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::post().to(sign_up)).route(web::get().to(list)))
        // Before the ids, of which these would be three.
        .service(web::resource("/login").route(web::post().to(sessions::login)))
        .service(web::resource("/logout").route(web::post().to(sessions::logout)))
        .service(web::resource("/me").route(web::get().to(me)))
        .service(
            web::resource("/me/sessions")
                .route(web::get().to(sessions::list_sessions))
                .route(web::delete().to(sessions::revoke_other_sessions)),
        )
        .service(web::resource("/me/sessions/{id}").route(web::delete().to(sessions::revoke_session)))
        .service(
            web::resource("/{id}")
                .route(web::get().to(read))
                .route(web::patch().to(change))
                .route(web::delete().to(delete)),
        );
}

/// Registers a user.
///
/// The e-mail address is stored in lower case and identifies the user at login, so only one user can have it.
#[utoipa::path(post, path = "/users", operation_id = "register_user", request_body = Registration, responses(
    (status = 201, description = "The new user", body = User, headers(("etag" = String), ("location" = String))),
    (status = 409, description = "Another user has this e-mail address", body = Problem, content_type = PROBLEM_JSON),
))]
pub(crate) async fn sign_up(store: Store, pool: Data<HashPool>, Json(new): Json<Registration>) -> Result {
    let password_hash = new.password.hash(pool.turn_to_register().await?).await?;
    let user = store.insert(new.email.as_str(), &new.name, &password_hash).await?;
    info!(user_id = %user.id, "user registered");
    let place = (LOCATION, format!("{PREFIX}/{}", user.id));
    Ok(HttpResponse::Created().insert_header(place).insert_header(user.tag()).json(user))
}

/// Lists users.
///
/// Newest first, one page at a time. For admins.
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

/// Returns the caller.
///
/// The user to whom the request's token belongs, with their role.
#[utoipa::path(
    get,
    path = "/users/me",
    operation_id = "get_current_user",
    params(IfNoneMatch),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller", body = User, headers(("etag" = String))),
        (status = 304, description = "The client's copy is current"),
    )
)]
pub(crate) async fn me(caller: Caller, store: Store, known: IfNoneMatch) -> Result {
    let user = store.find(caller.id).await?.ok_or_else(unknown)?;
    Ok(known.respond(user.tag(), user))
}

/// Returns a user.
///
/// The caller or, for admins, anyone. With `if-none-match` only when the user has changed.
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "get_user",
    params(("id" = Uuid, Path, description = "The user's id"), IfNoneMatch),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user", body = User, headers(("etag" = String))),
        (status = 304, description = "The client's copy is current"),
        (status = 404, description = "No such user, or not the caller", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn read(caller: Caller, store: Store, Path(id): Path<Uuid>, known: IfNoneMatch) -> Result {
    if caller.id != id && !caller.is_admin() {
        return Err(unknown());
    }
    let user = store.find(id).await?.ok_or_else(unknown)?;
    Ok(known.respond(user.tag(), user))
}

/// Changes the caller.
///
/// Fields that are left out stay as they are. A new e-mail address or password requires `current_password`; a new password
/// ends the caller's other sessions.
#[utoipa::path(
    patch,
    path = "/users/{id}",
    operation_id = "update_user",
    params(("id" = Uuid, Path, description = "The user's id"), IfMatch),
    request_body = Change,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The user, changed", body = User, headers(("etag" = String))),
        (status = 403, description = "An admin may not change another user", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No such user, or not the caller", body = Problem, content_type = PROBLEM_JSON),
        (status = 409, description = "Another user has this e-mail address", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "It has changed since it was read", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn change(
    Authenticated(caller, Json(change)): Authenticated<Json<Change>>,
    store: Store,
    (pool, throttle): (Data<HashPool>, Data<Throttle>),
    client: ClientAddress,
    request: HttpRequest,
    Path(id): Path<Uuid>,
    wanted: IfMatch,
) -> Result {
    own(&caller, &store, id).await?;
    let version = wanted_version(&store, id, &wanted).await?;
    let (mut password_hash, mut verified_hash) = (None, None);
    if change.password.is_some() || change.email.is_some() {
        let current = change.current_password.ok_or_else(|| {
            Problem::invalid_field("current_password", "is required to change the e-mail address or the password")
        })?;
        let user = store.credentials_of(id).await?.ok_or_else(unknown)?;
        if !throttle
            .into_inner()
            .verify((user.email.clone(), client), current.clone(), Some(user.password_hash.clone()))
            .await?
        {
            warn!(user_id = %id, "change refused: wrong current password");
            return Err(Problem::invalid_field("current_password", "is wrong"));
        }
        let address = change.email.as_ref().map_or(user.email.as_str(), Email::as_str);
        let field = if change.password.is_some() { "password" } else { "email" };
        password_policy::not_the_address(change.password.as_ref().unwrap_or(&current), address)
            .map_err(|error| Problem::invalid_field(field, error.message()))?;
        verified_hash = Some(user.password_hash);
        if let Some(password) = change.password {
            password_hash = Some(password.hash(pool.turn().await?).await?);
        }
    }
    let ended_other_sessions = password_hash.is_some();
    let email = change.email.as_ref().map(Email::as_str).map(str::to_owned);
    let changes = Changes { name: change.name, email, password_hash, verified_hash };
    let Some(user) = store.change((id, version), changes, token::presented(&request)?).await? else {
        return Err(gone_or_changed(&store, id).await);
    };
    info!(user_id = %id, ended_other_sessions, "user changed");
    Ok(HttpResponse::Ok().insert_header(user.tag()).json(user))
}

/// Deletes the caller.
///
/// Ends all of the caller's sessions, too. Their orders are retained.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "delete_user",
    params(("id" = Uuid, Path, description = "The user's id"), IfMatch),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "The user has been deleted"),
        (status = 403, description = "An admin may not delete another user", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No such user, or not the caller", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "It has changed since it was read", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn delete(caller: Caller, store: Store, Path(id): Path<Uuid>, wanted: IfMatch) -> Result {
    own(&caller, &store, id).await?;
    let version = wanted_version(&store, id, &wanted).await?;
    if !store.delete(id, version).await? {
        return Err(gone_or_changed(&store, id).await);
    }
    info!(user_id = %id, "user deleted");
    Ok(HttpResponse::NoContent().finish())
}

/// Everyone may change themselves only. Another user is unknown, but to admins.
async fn own(caller: &Caller, store: &Store, id: Uuid) -> Result<()> {
    if caller.id == id {
        return Ok(());
    }
    if !caller.is_admin() {
        return Err(unknown());
    }
    store.find(id).await?.ok_or_else(unknown)?;
    warn!(user_id = %caller.id, other = %id, "refused to change another user");
    Err(Problem::forbidden("this is another user: you may change yourself only"))
}

/// The version that the client wants to change, if it names one.
async fn wanted_version(store: &Store, id: Uuid, wanted: &IfMatch) -> Result<Option<i64>> {
    if !wanted.is_present() {
        return Ok(None);
    }
    let user = store.find(id).await?.ok_or_else(unknown)?;
    wanted.check(&user.tag())?;
    Ok(Some(user.version))
}

/// Why a change has found nothing: the user is gone, or another request was faster since the version was checked.
async fn gone_or_changed(store: &Store, id: Uuid) -> Problem {
    match store.find(id).await {
        Ok(found) => found.map_or_else(unknown, |_| conditional::precondition_failed()),
        Err(error) => error.into(),
    }
}

fn unknown() -> Problem {
    Problem::not_found("user")
}
