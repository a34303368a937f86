//! Who is calling: a blueprint that knows users provides an [`Authenticator`], and every handler may ask for a [`Caller`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use crate::problem::Problem;

/// What an [`Authenticator`] answers with, in its own time: the id of a user.
pub type Authentication<'a> = LocalBoxFuture<'a, Result<Option<Uuid>, Problem>>;

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
    pub id: Uuid,
    token: String,
}

impl Caller {
    /// The user of this id, who came with this token.
    pub fn new(id: Uuid, token: impl Into<String>) -> Self {
        Self { id, token: token.into() }
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
        write!(f, "Caller({})", self.id)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer_token(request);
        let authenticator = request.app_data::<Data<dyn Authenticator>>().cloned().map(Data::into_inner);
        Box::pin(authenticated(token, authenticator))
    }
}

/// A caller, and what else a handler asks for: read only once it is known who is calling, so that a stranger's body is
/// neither read nor judged.
///
/// ```
/// use cyanotype::auth::By;
/// use cyanotype::extract::Json;
///
/// # #[derive(serde::Deserialize, garde::Validate)]
/// # #[garde(allow_unvalidated)]
/// # struct Note { text: String }
/// async fn write(By(caller, Json(note)): By<Json<Note>>) -> String {
///     format!("{} wrote {}", caller.id, note.text)
/// }
/// ```
#[derive(Debug)]
pub struct By<T>(pub Caller, pub T);

impl<T: FromRequest<Error = Problem> + 'static> FromRequest for By<T> {
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

async fn authenticated(token: Option<String>, by: Option<Arc<dyn Authenticator>>) -> Result<Caller, Problem> {
    let token = token.ok_or_else(|| Problem::unauthorized("send a bearer token in the authorization header"))?;
    let by = by.ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no blueprint that this process serves knows its callers")
    })?;
    let id = by.authenticate(&token).await?;
    let id = id.ok_or_else(|| Problem::unauthorized("this token is not valid, or not any more"))?;
    Ok(Caller::new(id, token))
}

/// The token of an `authorization: Bearer …` header.
pub fn bearer_token(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty())
}
