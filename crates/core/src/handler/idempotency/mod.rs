//! Safe retries with the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a repeated request is executed
//! once.
//!
//! The key and the response are stored in the same transaction as the changes of the request. Either all of them are
//! committed or none, however the handler or the process ends: a key never stays locked, and nothing is executed twice.

mod in_flight;
mod store;
#[cfg(test)]
mod tests;

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError};
use jiff::SignedDuration;
use utoipa::IntoParams;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Type;

use crate::database::{Database, Transaction};
use crate::handler::auth::Caller;
use crate::handler::hash::sha256;
use crate::handler::parameter;
use crate::handler::problem::{Problem, Result};
use crate::time;

use in_flight::InFlight;
use store::{Key, RequestFingerprint, StoredResponse};

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks a stored response that is sent again.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long a response is stored.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);
/// The response headers that are stored.
const STORED_HEADERS: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];
const MAX_KEY_BYTES: usize = 255;

/// The SHA-256 of a request's body, set by the extractor that reads it.
#[derive(Clone)]
struct BodyHash(String);

/// Executes a request once for each `Idempotency-Key` of a caller. A request without a key is always executed.
///
/// - A repeated request with the same key receives the stored response, with `idempotency-replayed: true`, for 24 hours.
/// - A different request with the same key receives 422.
/// - A request that arrives while the first one is in progress in this process receives 409; in another process it waits for
///   the first one.
/// - A 5xx response is not stored, and the changes of its request are rolled back: the client may retry.
/// - A key that is not 1 to 255 visible ASCII characters receives 400.
///
/// ```
/// use actix_web::HttpResponse;
/// use cyanotype::auth::Caller;
/// use cyanotype::idempotency::Idempotent;
/// use cyanotype::{Executor, Result};
///
/// async fn count(caller: Caller, idempotent: Idempotent) -> Result {
///     idempotent.run(&caller, async move |transaction| {
///         transaction.execute("UPDATE counts SET count = count + 1", &[]).await?;
///         Ok(HttpResponse::NoContent().finish())
///     })
///     .await
/// }
/// ```
pub struct Idempotent {
    request: HttpRequest,
    database: Database,
    key_hash: Option<String>,
}

impl Idempotent {
    /// Runs `work` in a [transaction](Database::transaction), unless the key has been used. If `work` fails, its changes are
    /// rolled back; a client error (4xx) other than a refusal is still stored.
    ///
    /// # Errors
    /// If `work` fails; 409 or 422, as described for [`Idempotent`]; or if the database fails.
    pub async fn run(self, caller: &Caller, work: impl AsyncFnOnce(&mut Transaction) -> Result + 'static) -> Result {
        let Some(key_hash) = self.key_hash.clone() else { return self.database.transaction(work).await };
        // Held until the transaction ends, even if the client disconnects.
        let in_flight = InFlight::acquire(caller.id, &key_hash).ok_or_else(request_in_progress)?;
        let (key, fingerprint) = (Key { caller: caller.id, hash: key_hash }, self.fingerprint());
        let outcome = self.database.transaction(async move |transaction| {
            let _guard = in_flight;
            execute(transaction, &key, &fingerprint, work).await
        });
        outcome.await?
    }

    fn fingerprint(&self) -> RequestFingerprint {
        let body_hash = self.request.extensions().get::<BodyHash>().map(|hash| hash.0.clone());
        RequestFingerprint {
            method: self.request.method().to_string(),
            path: self.request.path().to_owned(),
            body_hash: body_hash.unwrap_or_else(|| sha256(b"")),
        }
    }
}

/// Runs the work, or finds the stored response. An outer error rolls everything back; an inner one is only the
/// response.
async fn execute(
    transaction: &mut Transaction,
    key: &Key,
    fingerprint: &RequestFingerprint,
    work: impl AsyncFnOnce(&mut Transaction) -> Result,
) -> Result<Result> {
    if !store::claim(transaction, key, fingerprint, time::now() + RETENTION).await? {
        // The sweeper may have deleted the row in the meantime.
        let (first, stored) = store::find(transaction, key).await?.ok_or_else(request_in_progress)?;
        return Ok(if first == *fingerprint { replayed(&stored) } else { Err(key_reused()) });
    }
    transaction.savepoint()?;
    let done = work(transaction).await;
    let (response, stored) = match done {
        Ok(response) => {
            transaction.release()?;
            let (response, stored) = with_stored_form(response)?;
            (Ok(response), stored)
        }
        // Temporary: a retry may succeed.
        Err(problem) if problem.is_server_error() || problem.is_refusal() => return Err(problem),
        Err(problem) => {
            transaction.rollback_to_savepoint()?;
            let (_, stored) = with_stored_form(problem.error_response())?;
            (Err(problem), stored)
        }
    };
    if stored.status >= 500 {
        // Rolls back without an error, so that the response is sent unchanged.
        transaction.set_rollback_only();
        return Ok(response);
    }
    store::save(transaction, key, &stored).await?;
    Ok(response)
}

/// For the OpenAPI document.
impl IntoParams for Idempotent {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut key = parameter::header(
            "idempotency-key",
            "Unique key of this request, for example a UUID; a request that is repeated with the same key is executed once",
        );
        let pattern = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,255}$"));
        key.schema = Some(pattern.into());
        vec![key]
    }
}

impl FromRequest for Idempotent {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let database = Database::from_request(request, payload).into_inner();
        ready(database.and_then(|database| {
            let key_hash = key(request)?.map(sha256);
            Ok(Self { request: request.clone(), database, key_hash })
        }))
    }
}

/// The key. It is never logged or returned.
fn key(request: &HttpRequest) -> Result<Option<&[u8]>> {
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.as_bytes();
    let is_plain = key.iter().all(u8::is_ascii_graphic) && (1..=MAX_KEY_BYTES).contains(&key.len());
    if is_plain && keys.next().is_none() {
        return Ok(Some(key));
    }
    Err(Problem::bad_request("`idempotency-key` must be a single key of 1 to 255 visible ASCII characters"))
}

/// Stores the hash of the body, which identifies a repeated request.
pub(crate) fn record_body_hash(request: &HttpRequest, body: &[u8]) {
    if request.headers().contains_key(IDEMPOTENCY_KEY) {
        request.extensions_mut().insert(BodyHash(sha256(body)));
    }
}

/// Reads the body of a response; returns the response unchanged, and the form in which it is stored.
fn with_stored_form(response: HttpResponse) -> Result<(HttpResponse, StoredResponse)> {
    let (response, body) = response.into_parts();
    let not_storable = |_| Problem::internal("a streaming response cannot be stored for an idempotency key");
    let body = body.try_into_bytes().map_err(not_storable)?;
    let header = |name: HeaderName| {
        let value = response.headers().get(&name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let stored = StoredResponse {
        status: response.status().as_u16(),
        headers: STORED_HEADERS.into_iter().filter_map(header).collect(),
        body: String::from_utf8(body.to_vec())?,
    };
    Ok((response.set_body(body).map_into_boxed_body(), stored))
}

fn replayed(stored: &StoredResponse) -> Result {
    let mut response = HttpResponse::build(StatusCode::from_u16(stored.status)?);
    for (name, value) in &stored.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    Ok(response.insert_header((IDEMPOTENCY_REPLAYED, "true")).body(stored.body.clone()))
}

/// 409 while the first request with the key is in progress.
fn request_in_progress() -> Problem {
    Problem::conflict("a request with this idempotency-key is in progress; retry shortly")
        .header(RETRY_AFTER, HeaderValue::from_static("1"))
}

/// 422 for a key that was used with another request.
fn key_reused() -> Problem {
    let detail = "this idempotency-key was used with a different request; use a new key for each request";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}
