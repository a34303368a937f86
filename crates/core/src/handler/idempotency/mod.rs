//! A request that changes something may be sent again, and is done once: the header `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The key and the answer are written in the transaction of what is done. Either all of it is there or nothing, whatever
//! ends the handler or the process: a key is never locked for good, and nothing is done twice.

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
use store::{Asked, Kept, Key};

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The headers that are kept with it.
const HEADERS: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];
const LONGEST_KEY: usize = 255;

/// The SHA-256 of a request's body, left by who has read it.
#[derive(Clone)]
struct BodyHash(String);

/// Does a request's work once for each idempotency key of a caller; without a key, whenever it is asked.
///
/// The same request with the same key is given the stored answer, with `idempotency-replayed: true`; another request with it
/// is answered 422, and one that comes while the first is in hand in this process 409. (In another process it waits for the
/// first.) An answer of 5xx is not kept, nor is anything that went with it: the client may try again. A key that is not 1 to
/// 255 visible ASCII characters is answered 400.
///
/// ```
/// use actix_web::HttpResponse;
/// use cyanotype::auth::Caller;
/// use cyanotype::idempotency::Idempotent;
/// use cyanotype::{Executor, Result};
///
/// async fn count(caller: Caller, once: Idempotent) -> Result {
///     once.run(&caller, async move |transaction| {
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
    /// Does the work in a [transaction](Database::transaction), unless it was done before. What it has written is undone when
    /// it fails; of a refusal (4xx) the answer is kept all the same.
    ///
    /// # Errors
    /// Those of the work; 409 and 422 as above; when the database fails.
    pub async fn run(self, caller: &Caller, work: impl AsyncFnOnce(&mut Transaction) -> Result + 'static) -> Result {
        let Some(key_hash) = self.key_hash.clone() else { return self.database.transaction(work).await };
        // Until the transaction has ended, though the client may have left before.
        let in_flight = InFlight::take(caller.id, &key_hash).ok_or_else(in_flight)?;
        let (key, asked) = (Key { caller: caller.id, hash: key_hash }, self.asked());
        let answered = self.database.transaction(async move |transaction| {
            let _in_hand = in_flight;
            once(transaction, &key, &asked, work).await
        });
        answered.await?
    }

    fn asked(&self) -> Asked {
        let body_hash = self.request.extensions().get::<BodyHash>().map(|hash| hash.0.clone());
        Asked {
            method: self.request.method().to_string(),
            path: self.request.path().to_owned(),
            body_hash: body_hash.unwrap_or_else(|| sha256(b"")),
        }
    }
}

/// Does the work, or finds what was answered before. The outer error undoes everything; an inner one is an answer that is kept.
async fn once(
    transaction: &mut Transaction,
    key: &Key,
    asked: &Asked,
    work: impl AsyncFnOnce(&mut Transaction) -> Result,
) -> Result<Result> {
    if !store::claim(transaction, key, asked, time::now() + KEPT).await? {
        // Gone again when its time has just come.
        let (before, kept) = store::find(transaction, key).await?.ok_or_else(in_flight)?;
        return Ok(if before == *asked { replayed(&kept) } else { Err(of_another()) });
    }
    transaction.savepoint()?;
    let done = work(transaction).await;
    let (answer, kept) = match done {
        Ok(answer) => {
            transaction.release()?;
            let (answer, kept) = kept(answer)?;
            (Ok(answer), kept)
        }
        // Both may be answered otherwise in a moment.
        Err(problem) if problem.is_server_error() || problem.is_for_load() => return Err(problem),
        Err(problem) => {
            transaction.undo()?;
            let (_, kept) = kept(problem.error_response())?;
            (Err(problem), kept)
        }
    };
    if kept.status >= 500 {
        // Nothing of it stays, and the answer goes out as it is.
        transaction.forget();
        return Ok(answer);
    }
    store::keep(transaction, key, &kept).await?;
    Ok(answer)
}

/// For the API document.
impl IntoParams for Idempotent {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut key = parameter::header(
            "idempotency-key",
            "Unique key of this request, a UUID for example: a request sent again with it is executed once",
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

/// The key, which is its client's: it is repeated nowhere.
fn key(request: &HttpRequest) -> Result<Option<&[u8]>> {
    let mut keys = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.as_bytes();
    let is_plain = key.iter().all(u8::is_ascii_graphic) && (1..=LONGEST_KEY).contains(&key.len());
    if is_plain && keys.next().is_none() {
        return Ok(Some(key));
    }
    Err(Problem::bad_request("`idempotency-key` must be one key of 1 to 255 visible ASCII characters"))
}

/// Leaves the hash of a body that was read for who asks whether this is the same request again.
pub(crate) fn note_body(request: &HttpRequest, body: &[u8]) {
    if request.headers().contains_key(IDEMPOTENCY_KEY) {
        request.extensions_mut().insert(BodyHash(sha256(body)));
    }
}

/// An answer, and what is kept of it.
fn kept(answer: HttpResponse) -> Result<(HttpResponse, Kept)> {
    let (answer, body) = answer.into_parts();
    let streams = |_| Problem::internal("an answer that streams cannot be kept for an idempotency key");
    let body = body.try_into_bytes().map_err(streams)?;
    let header = |name: HeaderName| {
        let value = answer.headers().get(&name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let kept = Kept {
        status: answer.status().as_u16(),
        headers: HEADERS.into_iter().filter_map(header).collect(),
        body: String::from_utf8(body.to_vec())?,
    };
    Ok((answer.set_body(body).map_into_boxed_body(), kept))
}

fn replayed(kept: &Kept) -> Result {
    let mut answer = HttpResponse::build(StatusCode::from_u16(kept.status)?);
    for (name, value) in &kept.headers {
        answer.insert_header((name.as_str(), value.as_str()));
    }
    Ok(answer.insert_header((IDEMPOTENCY_REPLAYED, "true")).body(kept.body.clone()))
}

/// 409
fn in_flight() -> Problem {
    Problem::conflict("the first request with this idempotency-key is still in hand: send this one again in a moment")
        .header(RETRY_AFTER, HeaderValue::from_static("1"))
}

/// 422
fn of_another() -> Problem {
    let detail = "this idempotency-key came with another request before: each thing that is to be done needs a new one";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}
