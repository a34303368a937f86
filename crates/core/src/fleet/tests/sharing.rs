//! Setting, clearing and expiry of shared overrides, and their audit records.

use super::*;

on_both_databases! {
    an_override_is_applied_here_and_then_in_other_processes =>
        an_override_is_applied_on_sqlite, an_override_is_applied_on_postgres;
    clearing_applies_to_all_processes_and_is_audited =>
        clearing_applies_to_all_processes_on_sqlite, clearing_applies_to_all_processes_on_postgres;
    a_new_process_has_the_same_precedence =>
        a_new_process_has_the_same_precedence_on_sqlite, a_new_process_has_the_same_precedence_on_postgres;
    expiry_is_audited_once_and_is_final =>
        expiry_is_final_on_sqlite, expiry_is_final_on_postgres;
    the_number_of_overrides_is_limited => the_number_is_limited_on_sqlite, the_number_is_limited_on_postgres;
    ended_rows_are_deleted => ended_rows_are_deleted_on_sqlite, ended_rows_are_deleted_on_postgres;
}

async fn an_override_is_applied_here_and_then_in_other_processes(shared_database: &TestDatabase) {
    let (here, there) =
        (Process::start(shared_database, SHORT_POLL).await, Process::start(shared_database, SHORT_POLL).await);
    assert_eq!((here.version(), there.version()), (None, None));
    let stored = here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert_eq!((stored.created, stored.fleet_version, here.version()), (true, 1, Some(1)));
    assert_eq!((here.level(), stored.policy_override.fleet, &*stored.policy_override.by), (Level::Debug, true, "ada"));
    let left = stored.policy_override.deadline.saturating_duration_since(Instant::now());
    assert!(left > HOUR - WAIT_LIMIT && left <= HOUR, "{left:?}");
    until("the other process", || there.version() == Some(1)).await;
    assert_eq!(there.level(), Level::Debug);

    let again = there.fleet.put(new("a", "debug", HOUR * 2)).await.expect("it is stored");
    assert_eq!((again.created, again.fleet_version), (false, 2));
    assert_eq!(again.policy_override.set_at, stored.policy_override.set_at, "it has the same precedence");
    let changed = there.fleet.put(new("a", "error", HOUR)).await.expect("it is stored");
    assert!(!changed.created && changed.policy_override.set_at > stored.policy_override.set_at);
    until("the other process", || here.version() == Some(3)).await;
    let audit = [["set", "a", "ada"], ["extended", "a", "ada"], ["set", "a", "ada"]];
    assert_eq!(there.audit(), audit);
    let recorded = here.audit();
    // It may have read the last two changes in one poll.
    assert!(recorded == audit || recorded == [["set", "a", "ada"], ["set", "a", "ada"]], "{recorded:?}");
}

async fn clearing_applies_to_all_processes_and_is_audited(shared_database: &TestDatabase) {
    let (here, there) =
        (Process::start(shared_database, SHORT_POLL).await, Process::start(shared_database, SHORT_POLL).await);
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    here.fleet.put(new("b", "debug", HOUR)).await.expect("it is stored");
    until("the other process", || there.version() == Some(2)).await;
    assert!(!there.fleet.clear("c", "grace").await.expect("it responds"), "there is none");
    assert_eq!(there.version(), Some(2), "nothing has changed");
    assert!(there.fleet.clear("a", "grace").await.expect("it is cleared"));
    assert_eq!((there.version(), there.overrides()), (Some(3), vec!["b".to_owned()]));
    assert!(!there.fleet.clear("a", "grace").await.expect("it responds"), "it is cleared already");
    until("the other process", || here.version() == Some(3)).await;
    assert_eq!(here.overrides(), ["b"]);
    for process in [&here, &there] {
        assert_eq!(process.audit().last().expect("it is recorded"), &["cleared", "a", "grace"]);
    }
    let again = here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert!(again.created, "there was none");
}

async fn a_new_process_has_the_same_precedence(shared_database: &TestDatabase) {
    let first = Process::start(shared_database, SHORT_POLL).await;
    first.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    first.fleet.put(new("b", "error", HOUR)).await.expect("it is stored");
    first.fleet.put(new("a", "debug", HOUR)).await.expect("it is extended");
    assert_eq!(first.level(), Level::Error, "the later one wins");
    let late = Process::start(shared_database, LONG_POLL).await;
    assert_eq!((late.version(), late.level(), late.overrides()), (Some(3), Level::Error, first.overrides()));
    assert_eq!(late.audit(), [["set", "a", "ada"], ["set", "b", "ada"]]);
}

async fn expiry_is_audited_once_and_is_final(shared_database: &TestDatabase) {
    let (here, there) =
        (Process::start(shared_database, SHORT_POLL).await, Process::start(shared_database, SHORT_POLL).await);
    here.fleet.put(new("a", "debug", Duration::from_secs(2))).await.expect("it is stored");
    until("the other process", || there.version() == Some(1)).await;
    for process in [&here, &there] {
        until("its expiry", || process.pipeline.expire_overrides().is_none()).await;
    }
    // The row remains, and is read again.
    let rows = "SELECT count(*) FROM log_overrides";
    let (rows,): (i64,) = crate::database::Executor::query_one(&here.database, rows, &[]).await.expect("it counts");
    assert_eq!(rows, 1);
    there.fleet.put(new("b", "warning", HOUR)).await.expect("it is stored");
    until("the other process", || here.version() == Some(2)).await;
    for process in [&here, &there] {
        assert_eq!((process.overrides(), process.level()), (vec!["b".to_owned()], Level::Warning));
        assert_eq!(process.audit(), [["set", "a", "ada"], ["expired", "a", "ada"], ["set", "b", "ada"]]);
    }
    let late = Process::start(shared_database, SHORT_POLL).await;
    assert_eq!(late.overrides(), ["b"]);
    let again = late.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert!(again.created, "the one before has expired");
}

/// An override whose deadline passes before the process has expired it: the next read of the rows audits it as expired.
#[actix_web::test]
async fn an_override_found_expired_by_a_read_is_audited_as_expired() {
    let shared_database = TestDatabase::file();
    let here = Process::start(&shared_database, LONG_POLL).await;
    let stored = here.fleet.put(new("a", "debug", Duration::from_secs(1))).await.expect("it is stored");
    until("its expiry", || stored.policy_override.deadline <= Instant::now()).await;
    here.fleet.put(new("b", "debug", HOUR)).await.expect("it is stored");
    assert_eq!(here.pipeline.expire_overrides(), Some(here.pipeline.snapshot().overrides[0].deadline));
    assert_eq!(here.audit(), [["set", "a", "ada"], ["expired", "a", "ada"], ["set", "b", "ada"]]);
}

async fn the_number_of_overrides_is_limited(shared_database: &TestDatabase) {
    let here = Process::start(shared_database, LONG_POLL).await;
    for n in 0..MAX_OVERRIDES {
        here.fleet.put(new(&n.to_string(), "debug", HOUR)).await.expect("there is room");
    }
    let refused = here.fleet.put(new("more", "debug", HOUR)).await.expect_err("there is no room");
    assert!(matches!(refused, FleetError::TooMany), "{refused}");
    assert_eq!((here.version(), here.overrides().len()), (Some(64), MAX_OVERRIDES));
    here.fleet.put(new("7", "debug", HOUR)).await.expect("an existing one can be extended");
    assert!(here.fleet.clear("8", "ada").await.expect("it is cleared"));
    here.fleet.put(new("more", "debug", HOUR)).await.expect("there is room again");
}

async fn ended_rows_are_deleted(shared_database: &TestDatabase) {
    use crate::database::Executor as _;
    let here = Process::start(shared_database, LONG_POLL).await;
    here.fleet.put(new("a", "debug", HOUR)).await.expect("it is stored");
    assert!(here.fleet.clear("a", "ada").await.expect("it is cleared"));
    here.fleet.put(new("b", "debug", HOUR)).await.expect("it is stored");
    let ids = async || -> Vec<String> {
        let rows: Vec<(String,)> = here.database.query("SELECT id FROM log_overrides ORDER BY id", &[]).await.unwrap();
        rows.into_iter().map(|(id,)| id).collect()
    };
    assert_eq!(ids().await, ["a", "b"], "it stays for a moment");
    let ended = jiff::Timestamp::now() - Duration::from_secs(60);
    let backdate = "UPDATE log_overrides SET until = $1 WHERE id = 'a'";
    here.database.execute(backdate, &[&ended]).await.expect("it is changed");
    here.fleet.put(new("c", "debug", HOUR)).await.expect("it is stored");
    assert_eq!(ids().await, ["b", "c"]);
}
