//! Who is calling: a blueprint that knows users provides an [`Authenticator`], and every handler may take a [`Caller`] or an
//! [`Admin`].

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

/// What an [`Authenticator`] answers with, in its own time.
pub type Authentication<'a> = LocalBoxFuture<'a, Result<Option<Identity>, Problem>>;

/// What a user may do beside their own things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Nothing.
    #[default]
    Member,
    /// Reads and does what a blueprint reserves for admins.
    Admin,
}

impl Role {
    /// As records, answers and databases have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// The text is no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a role")]
pub struct UnknownRole(String);

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, UnknownRole> {
        [Self::Member, Self::Admin].into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole(text))
    }
}

/// A user as an [`Authenticator`] knows them. A bare id is a member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The user's id.
    pub id: Uuid,
    /// The user's role now.
    pub role: Role,
}

impl From<Uuid> for Identity {
    fn from(id: Uuid) -> Self {
        Self { id, role: Role::Member }
    }
}

/// Knows whose a bearer token is. The blueprint that does provides it: `resources.provide::<dyn Authenticator>(…)`.
pub trait Authenticator: Send + Sync {
    /// The user whom the token belongs to, or `None` when it is nobody's.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a>;
}

/// The user whose bearer token came with the request; without one the answer is 401.
#[derive(Clone)]
pub struct Caller {
    /// The user's id.
    pub id: Uuid,
    /// The user's role at the time of the request.
    pub role: Role,
    token: String,
}

impl Caller {
    /// The user who came with this token: an id alone is a member's.
    pub fn new(user: impl Into<Identity>, token: impl Into<String>) -> Self {
        let Identity { id, role } = user.into();
        Self { id, role, token: token.into() }
    }

    /// Whether the caller has the role [`Role::Admin`].
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// The token, for what is asked elsewhere on the caller's behalf.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// Without the token.
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
        Box::pin(authenticated(token, authenticator, RequestFlags::of(request)))
    }
}

/// A caller who is an admin; the answer to any other is 403.
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
            tracing::warn!(user_id = %caller.id, "refused: only for admins");
            Err(Problem::forbidden("only admins may do this"))
        })
    }
}

/// A caller, and what else a handler asks for: read only once it is known who is calling, so that a stranger's body is
/// neither read nor judged.
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

async fn authenticated(
    token: Option<String>,
    by: Option<Arc<dyn Authenticator>>,
    flags: Option<RequestFlags>,
) -> Result<Caller, Problem> {
    // Whatever is answered now is for this caller, or for anyone without a token.
    request::with_current(|request| request.set_depends_on_caller());
    let token = token.ok_or_else(|| Problem::unauthorized("send a bearer token in the authorization header"))?;
    let by = by.ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no blueprint that this process serves knows its callers")
    })?;
    let user = by.authenticate(&token).await?.ok_or_else(Problem::invalid_token)?;
    if let Some(flags) = flags {
        flags.evaluate(Some(user.id)).await;
    }
    Ok(Caller::new(user, token))
}

/// The token of an `authorization: Bearer …` header.
pub fn bearer_token(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty())
}
