use super::*;
use actix_web::test::TestRequest;
use std::fmt::Write;
use std::time::Duration;
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
    let once = Idempotent::extract(request).await?;
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
        let (status, replayed, _) = ask(&request("/a", key, b"x", &database), caller, created).await.expect("is done");
        assert_eq!((status, replayed), (201, false));
    }
    assert_eq!(done(&database).await, 5);
}

#[actix_web::test]
async fn another_request_with_a_key_is_refused() {
    let (database, ada) = (database().await, caller());
    ask(&request("/a", Some("k3y"), b"x", &database), ada, created).await.expect("is done");
    for (path, body) in [("/a", &b"y"[..]), ("/b", b"x")] {
        let refusal = ask(&request(path, Some("k3y"), body, &database), ada, created).await.expect_err("is another");
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
    assert!((status, replayed) == (409, true) && said.contains("problem+json") && said.contains("not now"), "{said}");
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
    let once = Idempotent::extract(&request()).await.expect("a key");
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
    let in_flight = async || {
        let refusal = ask(&request(), ada, created).await.expect_err("is in hand");
        assert_eq!(status(&refusal), 409);
        assert_eq!(refusal.error_response().headers().get(RETRY_AFTER), Some(&HeaderValue::from_static("1")));
    };
    in_flight().await;
    drop(first);
    in_flight().await;
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

#[actix_web::test]
async fn a_refusal_because_of_load_is_not_stored() {
    const SECOND: Duration = Duration::from_secs(1);
    let (database, ada) = (database().await, caller());
    let refused_then_done = async |key: &str, refused: fn() -> Result| {
        let refusal = ask(&request("/a", Some(key), b"", &database), ada, refused).await.expect_err("is refused");
        assert_eq!(refusal.status_code().as_str(), key);
        let again = ask(&request("/a", Some(key), b"", &database), ada, created).await.expect("is done");
        assert_eq!((again.0, again.1), (201, false));
    };
    refused_then_done("429", || Err(Problem::too_many_requests(SECOND, "too many"))).await;
    refused_then_done("503", || Err(Problem::overloaded(SECOND, "busy"))).await;
    assert_eq!(done(&database).await, 2);
}

#[test]
fn the_document_has_the_key_with_its_pattern() {
    let [key] = &Idempotent::into_params(|| None)[..] else { panic!("one parameter") };
    assert_eq!(key.name, "idempotency-key");
    let schema = serde_json::to_value(&key.schema).expect("is JSON");
    assert_eq!((&schema["type"], &schema["pattern"]), (&"string".into(), &"^[!-~]{1,255}$".into()));
}
