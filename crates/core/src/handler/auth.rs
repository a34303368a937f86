//! Authentication: one blueprint provides an [`Authenticator`], and any handler can take a [`Caller`] or an [`Admin`] as an
//! argument.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use cyanotype_telemetry::request;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::Problem;
use crate::flags::RequestFlags;

/// The future that [`Authenticator::authenticate`] returns.
pub type Authentication<'a> = LocalBoxFuture<'a, Result<Option<Identity>, Problem>>;

/// A user's role: the rights beyond access to the user's own resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// No further rights.
    #[default]
    Member,
    /// Access to everything that a blueprint reserves for admins.
    Admin,
}

impl Role {
    /// The name in records, responses and databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// The text is not the name of a role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a role")]
pub struct UnknownRole(String);

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, UnknownRole> {
        [Self::Member, Self::Admin].into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole(text))
    }
}

/// An authenticated user. An id alone converts into an identity with [`Role::Member`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub id: Uuid,
    /// The user's current role.
    pub role: Role,
}

impl From<Uuid> for Identity {
    fn from(id: Uuid) -> Self {
        Self { id, role: Role::Member }
    }
}

/// Resolves bearer tokens to users. The blueprint that manages users provides it:
/// `resources.provide::<dyn Authenticator>(…)`.
pub trait Authenticator: Send + Sync {
    /// The owner of the token, or `None` if the token is invalid or expired.
    ///
    /// # Errors
    /// If the token cannot be checked, for example because the database is unavailable.
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a>;
}

/// The user whose bearer token the request carries. As an extractor it rejects a missing or invalid token with 401.
#[derive(Clone)]
pub struct Caller {
    /// The user's id.
    pub id: Uuid,
    /// The user's role at the time of the request.
    pub role: Role,
    token: String,
}

impl Caller {
    /// A user who sent this token; an id alone means a member.
    pub fn new(user: impl Into<Identity>, token: impl Into<String>) -> Self {
        let Identity { id, role } = user.into();
        Self { id, role, token: token.into() }
    }

    /// Whether the caller has the role [`Role::Admin`].
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// The bearer token, for requests to other services on the caller's behalf.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// Omits the token.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({}, {})", self.id, self.role.as_str())
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer_token(request);
        let authenticator = request.app_data::<Data<dyn Authenticator>>().cloned().map(Data::into_inner);
        Box::pin(authenticate_caller(token, authenticator, RequestFlags::of(request)))
    }
}

/// A caller with the role [`Role::Admin`]. As an extractor it rejects other callers with 403.
///
/// ```
/// use cyanotype::auth::Admin;
///
/// async fn list_everything(Admin(caller): Admin) -> String {
///     format!("{} sees everything", caller.id)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Admin(pub Caller);

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?;
            if caller.is_admin() {
                return Ok(Self(caller));
            }
            tracing::warn!(user_id = %caller.id, "rejected: the admin role is required");
            Err(Problem::forbidden("the admin role is required"))
        })
    }
}

/// A caller and another extractor, which runs only after authentication: the body of an unauthenticated request is neither
/// read nor validated.
///
/// ```
/// use cyanotype::auth::Authenticated;
/// use cyanotype::extract::Json;
///
/// # #[derive(serde::Deserialize, garde::Validate)]
/// # #[garde(allow_unvalidated)]
/// # struct Note { text: String }
/// async fn write(Authenticated(caller, Json(note)): Authenticated<Json<Note>>) -> String {
///     format!("{} wrote {}", caller.id, note.text)
/// }
/// ```
#[derive(Debug)]
pub struct Authenticated<T>(pub Caller, pub T);

impl<T: FromRequest<Error = Problem> + 'static> FromRequest for Authenticated<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        Box::pin(async move {
            let caller = Caller::extract(&request).await?;
            Ok(Self(caller, T::from_request(&request, &mut payload).await?))
        })
    }
}

async fn authenticate_caller(
    token: Option<String>,
    authenticator: Option<Arc<dyn Authenticator>>,
    flags: Option<RequestFlags>,
) -> Result<Caller, Problem> {
    // From here on the response depends on the caller, even if it is a 401.
    request::with_current(|request| request.set_depends_on_caller());
    let token = token.ok_or_else(|| Problem::unauthorized("send a bearer token in the authorization header"))?;
    let authenticator = authenticator.ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "authentication is unavailable: this process serves no blueprint with users",
        )
    })?;
    let user = authenticator.authenticate(&token).await?.ok_or_else(Problem::invalid_token)?;
    if let Some(flags) = flags {
        flags.evaluate(Some(user.id)).await;
    }
    Ok(Caller::new(user, token))
}

/// The token of the `authorization: Bearer …` header, if there is one.
pub fn bearer_token(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty())
}
