//! A request that changes something may be sent again, and is done once: the header `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The key and the answer are written in the transaction of what is done. Either all of it is there or nothing, whatever
//! ends the handler or the process: a key is never locked for good, and nothing is done twice.

mod in_hand;
mod store;

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

use crate::api;
use crate::auth::Caller;
use crate::database::{Database, Transaction};
use crate::hash::sha256;
use crate::problem::{Problem, Result};
use crate::time;

use in_hand::InHand;
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
/// use cyanotype::idempotency::Once;
/// use cyanotype::{Executor, Result};
///
/// async fn count(caller: Caller, once: Once) -> Result {
///     once.run(&caller, async move |transaction| {
///         transaction.execute("UPDATE counts SET count = count + 1", &[]).await?;
///         Ok(HttpResponse::NoContent().finish())
///     })
///     .await
/// }
/// ```
pub struct Once {
    request: HttpRequest,
    database: Database,
    key_hash: Option<String>,
}

impl Once {
    /// Does the work in a [transaction](Database::transaction), unless it was done before. What it has written is undone when
    /// it fails; of a refusal (4xx) the answer is kept all the same.
    ///
    /// # Errors
    /// Those of the work; 409 and 422 as above; when the database fails.
    pub async fn run(self, caller: &Caller, work: impl AsyncFnOnce(&mut Transaction) -> Result + 'static) -> Result {
        let Some(key_hash) = self.key_hash.clone() else { return self.database.transaction(work).await };
        // Until the transaction has ended, though the client may have left before.
        let in_hand = InHand::take(caller.id, &key_hash).ok_or_else(in_hand)?;
        let (key, asked) = (Key { caller: caller.id, hash: key_hash }, self.asked());
        let answered = self.database.transaction(async move |transaction| {
            let _in_hand = in_hand;
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
        let (before, kept) = store::find(transaction, key).await?.ok_or_else(in_hand)?;
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
impl IntoParams for Once {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut key = api::header(
            "idempotency-key",
            "Unique key of this request, a UUID for example: a request sent again with it is executed once",
        );
        let pattern = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,255}$"));
        key.schema = Some(pattern.into());
        vec![key]
    }
}

impl FromRequest for Once {
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
fn in_hand() -> Problem {
    Problem::conflict("the first request with this idempotency-key is still in hand: send this one again in a moment")
        .header(RETRY_AFTER, HeaderValue::from_static("1"))
}

/// 422
fn of_another() -> Problem {
    let detail = "this idempotency-key came with another request before: each thing that is to be done needs a new one";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use std::fmt::Write;
    use uuid::Uuid;

    use crate::database::Executor;
    use crate::database::tests::in_memory;

    /// Another for each test: what is in hand is known in the whole process.
    fn caller() -> Uuid {
        Uuid::now_v7()
    }

    async fn database() -> Database {
        let database = in_memory().await;
        database.execute("CREATE TABLE done (what TEXT NOT NULL)", &[]).await.expect("it is made");
        database
    }

    fn request(path: &str, key: Option<&str>, body: &[u8], database: &Database) -> HttpRequest {
        let request = TestRequest::post().uri(path).app_data(database.clone());
        let request = key.into_iter().fold(request, |request, key| request.insert_header((IDEMPOTENCY_KEY, key)));
        let request = request.to_http_request();
        note_body(&request, body);
        request
    }

    /// Does something, and answers as told.
    async fn ask(request: &HttpRequest, caller: Uuid, answer: fn() -> Result) -> Result<(u16, bool, String)> {
        let once = Once::extract(request).await?;
        let path = request.path().to_owned();
        let answer = once
            .run(&Caller::new(caller, ""), async move |transaction| {
                transaction.execute("INSERT INTO done VALUES ($1)", &[&path]).await?;
                answer()
            })
            .await?;
        let (status, replayed) = (answer.status().as_u16(), answer.headers().contains_key(IDEMPOTENCY_REPLAYED));
        let mut said = String::new();
        for name in HEADERS {
            if let Some(value) = answer.headers().get(&name) {
                let _ = write!(said, "{name}: {} ", value.to_str().expect("is plain"));
            }
        }
        let body = answer.into_body().try_into_bytes().expect("is whole");
        said.push_str(std::str::from_utf8(&body).expect("is UTF-8"));
        Ok((status, replayed, said))
    }

    fn created() -> Result {
        Ok(HttpResponse::Created().insert_header((LOCATION, "/1")).insert_header(("x-other", "y")).json("made"))
    }

    async fn done(database: &Database) -> i64 {
        let (count,): (i64,) = database.query_one("SELECT count(*) FROM done", &[]).await.expect("it counts");
        count
    }

    fn status(refusal: &Problem) -> u16 {
        refusal.status_code().as_u16()
    }

    #[actix_web::test]
    async fn the_same_request_again_is_given_the_same_answer() {
        let (database, ada) = (database().await, caller());
        let first = request("/a", Some("k"), b"x", &database);
        let answer = (201, false, "content-type: application/json location: /1 \"made\"".to_owned());
        assert_eq!(ask(&first, ada, created).await.expect("is done"), answer);
        let again = ask(&request("/a", Some("k"), b"x", &database), ada, || panic!("not again")).await;
        assert_eq!(again.expect("is known"), (201, true, answer.2));
        assert_eq!(done(&database).await, 1);
    }

    #[actix_web::test]
    async fn without_a_key_it_is_done_each_time_and_a_key_is_its_callers() {
        let (database, ada) = (database().await, caller());
        for (key, caller) in [(None, ada), (None, ada), (Some("k"), ada), (Some("k"), caller()), (Some("K"), ada)] {
            let (status, replayed, _) =
                ask(&request("/a", key, b"x", &database), caller, created).await.expect("is done");
            assert_eq!((status, replayed), (201, false));
        }
        assert_eq!(done(&database).await, 5);
    }

    #[actix_web::test]
    async fn another_request_with_a_key_is_refused() {
        let (database, ada) = (database().await, caller());
        ask(&request("/a", Some("k3y"), b"x", &database), ada, created).await.expect("is done");
        for (path, body) in [("/a", &b"y"[..]), ("/b", b"x")] {
            let refusal =
                ask(&request(path, Some("k3y"), body, &database), ada, created).await.expect_err("is another");
            assert_eq!(status(&refusal), 422);
            assert!(!refusal.to_string().contains("k3y"), "{refusal}");
        }
        assert_eq!(done(&database).await, 1);
    }

    #[actix_web::test]
    async fn a_refusal_is_kept_and_what_it_had_written_is_not() {
        let (database, ada) = (database().await, caller());
        let refused = || Err(Problem::conflict("not now"));
        let refusal = ask(&request("/a", Some("k"), b"", &database), ada, refused).await.expect_err("is refused");
        assert_eq!(status(&refusal), 409);
        let (status, replayed, said) =
            ask(&request("/a", Some("k"), b"", &database), ada, created).await.expect("is known");
        assert!(
            (status, replayed) == (409, true) && said.contains("problem+json") && said.contains("not now"),
            "{said}"
        );
        assert_eq!(done(&database).await, 0);
    }

    #[actix_web::test]
    async fn a_failure_leaves_nothing_behind() {
        let (database, ada) = (database().await, caller());
        let failures: [fn() -> Result; 2] =
            [|| Err(Problem::internal("broken")), || Ok(HttpResponse::BadGateway().finish())];
        for failure in failures {
            // Its answer is of no interest here.
            let _ = ask(&request("/a", Some("k"), b"", &database), ada, failure).await;
            assert_eq!(done(&database).await, 0);
        }
        assert_eq!(ask(&request("/a", Some("k"), b"", &database), ada, created).await.expect("is done").0, 201);
        assert_eq!(done(&database).await, 1);
    }

    #[actix_web::test]
    async fn one_that_is_in_hand_is_not_begun_again_though_its_client_has_left() {
        let (database, ada) = (database().await, caller());
        let request = || request("/a", Some("k"), b"", &database);
        let once = Once::extract(&request()).await.expect("a key");
        let caller = Caller::new(ada, "");
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go_on, may_go_on) = tokio::sync::oneshot::channel::<()>();
        let mut first = Box::pin(once.run(&caller, async move |transaction| {
            transaction.execute("INSERT INTO done VALUES ('left')", &[]).await?;
            let _ = begun.send(());
            let _ = may_go_on.await;
            created()
        }));
        tokio::select! {
            begun = has_begun => begun.expect("it begins"),
            _ = &mut first => panic!("it waits"),
        }
        let in_hand = async || {
            let refusal = ask(&request(), ada, created).await.expect_err("is in hand");
            assert_eq!(status(&refusal), 409);
            assert_eq!(refusal.error_response().headers().get(RETRY_AFTER), Some(&HeaderValue::from_static("1")));
        };
        in_hand().await;
        drop(first);
        in_hand().await;
        go_on.send(()).expect("it runs on");
        database.wait_for_transactions(std::time::Instant::now() + std::time::Duration::from_secs(10)).await;
        let (status, replayed, _) = ask(&request(), ada, || panic!("not again")).await.expect("is known");
        assert_eq!((status, replayed), (201, true));
        assert_eq!(done(&database).await, 1);
    }

    #[actix_web::test]
    async fn an_answer_is_kept_for_a_day() {
        let (database, ada) = (database().await, caller());
        ask(&request("/a", Some("k"), b"", &database), ada, created).await.expect("is done");
        let until = "SELECT expires_at FROM idempotency_keys";
        let (until,): (jiff::Timestamp,) = database.query_one(until, &[]).await.expect("it is there");
        let left = until.as_second() - time::now().as_second();
        assert!((86390..=86400).contains(&left), "{left}");
        let age = "UPDATE idempotency_keys SET expires_at = $1";
        database.execute(age, &[&time::now()]).await.expect("it is old now");
        assert!(!ask(&request("/a", Some("k"), b"", &database), ada, created).await.expect("is done").1);
        let count = "SELECT count(*) FROM idempotency_keys";
        let (count,): (i64,) = database.query_one(count, &[]).await.expect("it counts");
        assert_eq!(count, 1);
        assert_eq!(done(&database).await, 2);
    }

    #[actix_web::test]
    async fn a_key_is_plain_and_one() {
        let (database, ada) = (database().await, caller());
        for key in ["", "a b", "\u{e4}", &"x".repeat(256)] {
            let refusal = ask(&request("/a", Some(key), b"", &database), ada, created).await.expect_err("is no key");
            assert_eq!(status(&refusal), 400);
        }
        let two = TestRequest::post().app_data(database.clone());
        let two = two.append_header((IDEMPOTENCY_KEY, "a")).append_header((IDEMPOTENCY_KEY, "b")).to_http_request();
        assert_eq!(status(&ask(&two, ada, created).await.expect_err("which one?")), 400);
        assert!(ask(&request("/a", Some(&"~".repeat(255)), b"", &database), ada, created).await.is_ok());
    }
}
