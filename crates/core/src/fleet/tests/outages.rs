//! Closed connections, an exhausted pool, and an unavailable server.

use super::*;
use crate::database::Executor as _;

const KILL: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE '%cyanotype_log' AND datname = current_database()";

#[actix_web::test]
async fn a_closed_connection_is_replaced() {
    let shared_database = TestDatabase::server();
    let (here, there) = (
        Process::start(&shared_database, Duration::from_secs(1)).await,
        Process::start(&shared_database, LONG_POLL).await,
    );
    here.fleet.status().await.expect("it is connected");
    there.fleet.status().await.expect("it is connected");
    for level in ["debug", "error", "debug"] {
        let killed: (i64,) = here.database.query_one(KILL, &[]).await.expect("they end");
        assert!(killed.0 > 0);
        let stored = there.fleet.put(new("a", level, HOUR)).await.expect("it is stored");
        let took = until("the other process", || here.version() == Some(stored.fleet_version)).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[actix_web::test]
async fn an_exhausted_pool_does_not_delay_overrides() {
    let shared_database = TestDatabase::server();
    let here = Process::start(&shared_database, Duration::from_secs(1)).await;
    let (mut transaction, open) = here.database.begin().await.expect("the only connection");
    transaction.execute("CREATE TABLE taken (id bigint)", &[]).await.expect("it is open");
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert_eq!(here.fleet.status().await.expect("it responds").processes.len(), 1);
    assert!(here.fleet.clear("a", "ada").await.expect("it is cleared"));
    transaction.rollback().await.expect("it ends");
    open.finish();
}

#[actix_web::test]
async fn polling_resumes_after_a_database_outage() {
    let mut server = Postgres::start_own();
    let shared_database = TestDatabase::Server(server.database());
    let (here, there) =
        (Process::start(&shared_database, SHORT_POLL).await, Process::start(&shared_database, SHORT_POLL).await);
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    until("the other process", || there.version() == Some(1)).await;
    server.stop();
    let unavailable = here.fleet.put(new("b", "error", HOUR)).await.expect_err("it is unavailable");
    assert!(matches!(unavailable, FleetError::Unavailable(DatabaseError::Unavailable(_))), "{unavailable}");
    here.fleet.clear("a", "ada").await.expect_err("it is unavailable");
    here.fleet.status().await.expect_err("it is unavailable");
    for process in [&here, &there] {
        assert_eq!((process.version(), process.level()), (Some(1), Level::Debug));
    }
    here.audit();
    // Overrides expire without the database.
    assert!(here.pipeline.expire_overrides().is_some());
    server.restart();
    let began = Instant::now();
    let stored = loop {
        match there.fleet.put(new("b", "error", HOUR)).await {
            Ok(stored) => break stored,
            Err(why) => assert!(began.elapsed() < WAIT_LIMIT, "{why}"),
        }
        tokio::time::sleep(SHORT_POLL).await;
    };
    assert_eq!((stored.created, stored.fleet_version), (true, 2));
    until("the other process", || here.version() == Some(2)).await;
    assert_eq!(here.audit(), [["set", "b", "ada"]]);
}
