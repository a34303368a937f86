//! How processes receive changes, and learn of each other.

use super::*;
use crate::database::Executor as _;

on_both_databases! {
    each_process_reports_its_version => each_process_reports_its_version_on_sqlite, each_process_reports_its_version_on_postgres;
}

async fn each_process_reports_its_version(shared_database: &TestDatabase) {
    let (here, there) =
        (Process::start(shared_database, SHORT_POLL).await, Process::start(shared_database, SHORT_POLL).await);
    let select = "SELECT count(*) FROM log_processes";
    let rows = async || here.database.query_one::<(i64,)>(select, &[]).await.expect("it counts").0;
    assert_eq!(rows().await, 0, "nothing is written before it is needed");
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    until("the other process", || there.version() == Some(1)).await;
    let status = there.fleet.status().await.expect("it responds");
    assert_eq!(status.version, Some(1));
    let versions: Vec<_> = status.processes.iter().map(|it| it.version).collect();
    assert_eq!(versions, [Some(1), Some(1)], "{status:?}");
    let pid_suffix = format!(":{}", std::process::id());
    assert!(status.processes.iter().all(|it| it.name.ends_with(&pid_suffix)), "{status:?}");

    let old = jiff::Timestamp::now() - Duration::from_secs(16);
    let insert = "INSERT INTO log_processes VALUES ($1, 'gone', 1, $2)";
    here.database.execute(insert, &[&Uuid::new_v4(), &old]).await.expect("it is stored");
    assert_eq!(here.fleet.status().await.expect("it responds").processes.len(), 2, "an old row does not count");

    there.fleet.stop().await;
    let status = here.fleet.status().await.expect("it responds");
    assert_eq!(status.processes.len(), 1, "{status:?}");
    let stopped = there.fleet.put(new("b", "debug", HOUR)).await.expect_err("it has stopped");
    assert!(matches!(stopped, FleetError::Unavailable(_)), "{stopped}");
    // The old row is deleted with the next write of this process's row.
    here.fleet.put(new("b", "debug", HOUR)).await.expect("it is stored");
    here.fleet.status().await.expect("it responds");
    assert_eq!(rows().await, 1);
}

#[actix_web::test]
async fn a_notification_triggers_an_immediate_poll() {
    let shared_database = TestDatabase::server();
    let mut processes = Vec::new();
    for _ in 0..8 {
        processes.push(Process::start(&shared_database, LONG_POLL).await);
    }
    // Each process listens after its first poll.
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%cyanotype_log'
        AND datname = current_database() AND state = 'idle' AND query NOT LIKE 'LISTEN%'";
    let began = Instant::now();
    while processes[0].database.query_one::<(i64,)>(listening, &[]).await.expect("it counts").0 < 8 {
        assert!(began.elapsed() < WAIT_LIMIT, "not every process is listening");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    processes[3].fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    let took = until("all of them", || processes.iter().all(|it| it.level() == Level::Debug)).await;
    test_harness::figures::print(&format!("8 override tasks in one process converge in {took:?}"));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[actix_web::test]
async fn a_poll_finds_a_change_without_a_notification() {
    let shared_database = TestDatabase::server();
    let here = Process::start(&shared_database, Duration::from_secs(1)).await;
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert_eq!(here.audit(), [["set", "a", "ada"]]);
    let other = shared_database.open().await;
    other
        .execute("UPDATE log_overrides SET set_values = '{\"log.level\":\"error\"}', set_at = clock_timestamp()", &[])
        .await
        .unwrap();
    other.execute("UPDATE log_fleet SET version = 7", &[]).await.unwrap();
    let took = until("the change", || here.version() == Some(7)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(here.audit(), [["set", "a", "ada"]]);
}
