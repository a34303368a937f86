//! Connections that end, a pool without a free connection, and a server that is away.

use super::*;
use crate::database::Executor as _;

const KILL: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE '%cyanotype_log' AND datname = current_database()";

#[actix_web::test]
async fn one_whose_connection_ends_makes_another_and_follows() {
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
        let stored = there.fleet.put(new("a", level, HOUR)).await.expect("it is stored all the same");
        let took = until("the other one", || here.version() == Some(stored.fleet_version)).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[actix_web::test]
async fn an_exhausted_pool_delays_no_override() {
    let shared_database = TestDatabase::server();
    let here = Process::start(&shared_database, Duration::from_secs(1)).await;
    let (mut transaction, open) = here.database.begin().await.expect("the only connection");
    transaction.execute("CREATE TABLE taken (id bigint)", &[]).await.expect("it is open");
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert_eq!(here.fleet.status().await.expect("it answers").processes.len(), 1);
    assert!(here.fleet.clear("a", "ada").await.expect("it is cleared"));
    transaction.rollback().await.expect("it ends");
    open.ended();
}

#[actix_web::test]
async fn while_the_database_is_away_nothing_changes_and_then_it_is_followed_again() {
    let mut server = Postgres::start_own();
    let shared_database = TestDatabase::Server(server.database());
    let (here, there) =
        (Process::start(&shared_database, SHORT_POLL).await, Process::start(&shared_database, SHORT_POLL).await);
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    until("the other one", || there.version() == Some(1)).await;
    server.stop();
    let away = here.fleet.put(new("b", "error", HOUR)).await.expect_err("it is away");
    assert!(matches!(away, FleetError::Unavailable(DatabaseError::Unavailable(_))), "{away}");
    here.fleet.clear("a", "ada").await.expect_err("it is away");
    here.fleet.status().await.expect_err("it is away");
    for process in [&here, &there] {
        assert_eq!((process.version(), process.level()), (Some(1), Level::Debug));
    }
    here.audit();
    // What expires does so without it.
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
    until("the other one", || here.version() == Some(2)).await;
    assert_eq!(here.audit(), [["set", "b", "ada"]]);
}
