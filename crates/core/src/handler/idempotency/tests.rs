use super::*;
use actix_web::test::TestRequest;
use std::fmt::Write;
use std::time::Duration;
use uuid::Uuid;

use crate::database::Executor;
use crate::database::tests::in_memory;

/// A new caller for each test: requests in flight are tracked across the process.
fn caller() -> Uuid {
    Uuid::now_v7()
}

async fn database() -> Database {
    let database = in_memory().await;
    database.execute("CREATE TABLE done (what TEXT NOT NULL)", &[]).await.expect("the table is created");
    database
}

fn request(path: &str, key: Option<&str>, body: &[u8], database: &Database) -> HttpRequest {
    let request = TestRequest::post().uri(path).app_data(database.clone());
    let request = key.into_iter().fold(request, |request, key| request.insert_header((IDEMPOTENCY_KEY, key)));
    let request = request.to_http_request();
    record_body_hash(&request, body);
    request
}

/// Executes a request that writes a row and returns `respond()`; returns status, whether it was replayed, and headers and body.
async fn send(request: &HttpRequest, caller: Uuid, respond: fn() -> Result) -> Result<(u16, bool, String)> {
    let idempotent = Idempotent::extract(request).await?;
    let path = request.path().to_owned();
    let response = idempotent
        .run(&Caller::new(caller, ""), async move |transaction| {
            transaction.execute("INSERT INTO done VALUES ($1)", &[&path]).await?;
            respond()
        })
        .await?;
    let (status, replayed) = (response.status().as_u16(), response.headers().contains_key(IDEMPOTENCY_REPLAYED));
    let mut text = String::new();
    for name in STORED_HEADERS {
        if let Some(value) = response.headers().get(&name) {
            let _ = write!(text, "{name}: {} ", value.to_str().expect("ASCII"));
        }
    }
    let body = response.into_body().try_into_bytes().expect("a complete body");
    text.push_str(std::str::from_utf8(&body).expect("UTF-8"));
    Ok((status, replayed, text))
}

fn created() -> Result {
    Ok(HttpResponse::Created().insert_header((LOCATION, "/1")).insert_header(("x-other", "y")).json("made"))
}

async fn executions(database: &Database) -> i64 {
    let (count,): (i64,) = database.query_one("SELECT count(*) FROM done", &[]).await.expect("a count");
    count
}

fn status(rejection: &Problem) -> u16 {
    rejection.status_code().as_u16()
}

#[actix_web::test]
async fn a_repeated_request_receives_the_stored_response() {
    let (database, ada) = (database().await, caller());
    let first = request("/a", Some("k"), b"x", &database);
    let expected = (201, false, "content-type: application/json location: /1 \"made\"".to_owned());
    assert_eq!(send(&first, ada, created).await.expect("a response"), expected);
    let again = send(&request("/a", Some("k"), b"x", &database), ada, || panic!("executed twice")).await;
    assert_eq!(again.expect("a stored response"), (201, true, expected.2));
    assert_eq!(executions(&database).await, 1);
}

#[actix_web::test]
async fn requests_without_a_key_and_of_other_callers_are_executed() {
    let (database, ada) = (database().await, caller());
    for (key, caller) in [(None, ada), (None, ada), (Some("k"), ada), (Some("k"), caller()), (Some("K"), ada)] {
        let (status, replayed, _) =
            send(&request("/a", key, b"x", &database), caller, created).await.expect("a response");
        assert_eq!((status, replayed), (201, false));
    }
    assert_eq!(executions(&database).await, 5);
}

#[actix_web::test]
async fn a_different_request_with_the_same_key_is_rejected() {
    let (database, ada) = (database().await, caller());
    send(&request("/a", Some("k3y"), b"x", &database), ada, created).await.expect("a response");
    for (path, body) in [("/a", &b"y"[..]), ("/b", b"x")] {
        let rejection =
            send(&request(path, Some("k3y"), body, &database), ada, created).await.expect_err("a rejection");
        assert_eq!(status(&rejection), 422);
        assert!(!rejection.to_string().contains("k3y"), "{rejection}");
    }
    assert_eq!(executions(&database).await, 1);
}

#[actix_web::test]
async fn a_client_error_is_stored_and_its_changes_are_rolled_back() {
    let (database, ada) = (database().await, caller());
    let reject = || Err(Problem::conflict("not now"));
    let rejection = send(&request("/a", Some("k"), b"", &database), ada, reject).await.expect_err("a rejection");
    assert_eq!(status(&rejection), 409);
    let (status, replayed, text) =
        send(&request("/a", Some("k"), b"", &database), ada, created).await.expect("a stored response");
    assert!((status, replayed) == (409, true) && text.contains("problem+json") && text.contains("not now"), "{text}");
    assert_eq!(executions(&database).await, 0);
}

#[actix_web::test]
async fn a_server_error_stores_nothing() {
    let (database, ada) = (database().await, caller());
    let failures: [fn() -> Result; 2] =
        [|| Err(Problem::internal("broken")), || Ok(HttpResponse::BadGateway().finish())];
    for failure in failures {
        // The response is irrelevant here.
        let _ = send(&request("/a", Some("k"), b"", &database), ada, failure).await;
        assert_eq!(executions(&database).await, 0);
    }
    assert_eq!(send(&request("/a", Some("k"), b"", &database), ada, created).await.expect("a response").0, 201);
    assert_eq!(executions(&database).await, 1);
}

#[actix_web::test]
async fn a_request_in_flight_is_not_executed_again_after_its_client_disconnects() {
    let (database, ada) = (database().await, caller());
    let request = || request("/a", Some("k"), b"", &database);
    let idempotent = Idempotent::extract(&request()).await.expect("a key");
    let caller = Caller::new(ada, "");
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (resume, resumed) = tokio::sync::oneshot::channel::<()>();
    let mut first = Box::pin(idempotent.run(&caller, async move |transaction| {
        transaction.execute("INSERT INTO done VALUES ('left')", &[]).await?;
        let _ = begun.send(());
        let _ = resumed.await;
        created()
    }));
    tokio::select! {
        begun = has_begun => begun.expect("the transaction begins"),
        _ = &mut first => panic!("it must wait"),
    }
    let in_flight = async || {
        let rejection = send(&request(), ada, created).await.expect_err("a rejection");
        assert_eq!(status(&rejection), 409);
        assert_eq!(rejection.error_response().headers().get(RETRY_AFTER), Some(&HeaderValue::from_static("1")));
    };
    in_flight().await;
    drop(first);
    in_flight().await;
    resume.send(()).expect("the transaction continues");
    database.wait_for_transactions(std::time::Instant::now() + std::time::Duration::from_secs(10)).await;
    let (status, replayed, _) = send(&request(), ada, || panic!("executed twice")).await.expect("a stored response");
    assert_eq!((status, replayed), (201, true));
    assert_eq!(executions(&database).await, 1);
}

#[actix_web::test]
async fn a_response_is_stored_for_24_hours() {
    let (database, ada) = (database().await, caller());
    send(&request("/a", Some("k"), b"", &database), ada, created).await.expect("a response");
    let until = "SELECT expires_at FROM idempotency_keys";
    let (until,): (jiff::Timestamp,) = database.query_one(until, &[]).await.expect("a row");
    let left = until.as_second() - time::now().as_second();
    assert!((86390..=86400).contains(&left), "{left}");
    let age = "UPDATE idempotency_keys SET expires_at = $1";
    database.execute(age, &[&time::now()]).await.expect("the row has expired");
    assert!(!send(&request("/a", Some("k"), b"", &database), ada, created).await.expect("a response").1);
    let count = "SELECT count(*) FROM idempotency_keys";
    let (count,): (i64,) = database.query_one(count, &[]).await.expect("a count");
    assert_eq!(count, 1);
    assert_eq!(executions(&database).await, 2);
}

#[actix_web::test]
async fn an_invalid_or_repeated_key_is_rejected() {
    let (database, ada) = (database().await, caller());
    for key in ["", "a b", "\u{e4}", &"x".repeat(256)] {
        let rejection =
            send(&request("/a", Some(key), b"", &database), ada, created).await.expect_err("an invalid key");
        assert_eq!(status(&rejection), 400);
    }
    let two = TestRequest::post().app_data(database.clone());
    let two = two.append_header((IDEMPOTENCY_KEY, "a")).append_header((IDEMPOTENCY_KEY, "b")).to_http_request();
    assert_eq!(status(&send(&two, ada, created).await.expect_err("two keys")), 400);
    assert!(send(&request("/a", Some(&"~".repeat(255)), b"", &database), ada, created).await.is_ok());
}

#[actix_web::test]
async fn a_rejection_because_of_load_is_not_stored() {
    const SECOND: Duration = Duration::from_secs(1);
    let (database, ada) = (database().await, caller());
    let rejected_then_executed = async |key: &str, reject: fn() -> Result| {
        let rejection = send(&request("/a", Some(key), b"", &database), ada, reject).await.expect_err("a rejection");
        assert_eq!(rejection.status_code().as_str(), key);
        let again = send(&request("/a", Some(key), b"", &database), ada, created).await.expect("a response");
        assert_eq!((again.0, again.1), (201, false));
    };
    rejected_then_executed("429", || Err(Problem::too_many_requests(SECOND, "too many"))).await;
    rejected_then_executed("503", || Err(Problem::overloaded(SECOND, "busy"))).await;
    assert_eq!(executions(&database).await, 2);
}

#[test]
fn the_document_describes_the_key_and_its_pattern() {
    let [key] = &Idempotent::into_params(|| None)[..] else { panic!("one parameter") };
    assert_eq!(key.name, "idempotency-key");
    let schema = serde_json::to_value(&key.schema).expect("JSON");
    assert_eq!((&schema["type"], &schema["pattern"]), (&"string".into(), &"^[!-~]{1,255}$".into()));
}
