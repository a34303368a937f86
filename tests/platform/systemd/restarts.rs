//! Restarts under load, with systemd's socket: connections wait in its backlog. `cargo xtask soak socket-restarts` does more of them.

use std::time::{Duration, Instant};

use system_tests::{figures, wait};

use super::deployed::Deployed;
use super::load::Load;

const CLIENTS: usize = 8;
const RESTARTS: usize = 3;
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn restarts_through_the_socket_fail_no_request() {
    let restarts = std::env::var("SOAK_SOCKET_RESTARTS").map_or(RESTARTS, |n| n.parse().expect("a number"));
    let service = Deployed::install("", "").start();
    let load = Load::start(service.port, CLIENTS);
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    let mut pid = service.property("MainPID");
    for restart in 1..=restarts {
        let before = load.answered();
        wait::until("requests before the restart", LIMIT, || (load.answered() > before + CLIENTS).then_some(()));
        let start = Instant::now();
        service.systemd.sh("systemctl restart cyanotype");
        longest = longest.max(start.elapsed());
        let next = service.property("MainPID");
        assert_ne!(next, pid, "restart {restart} starts another process");
        pid = next;
        let before = load.answered();
        wait::until("requests after the restart", LIMIT, || (load.answered() > before + CLIENTS).then_some(()));
    }
    let answered = load.answered();
    let failures = load.stop();
    assert_eq!(failures, Vec::<String>::new(), "of {answered} requests");
    assert_eq!(service.property("NRestarts"), "0", "no process ended by itself");
    figures::print(&format!(
        "socket restarts: {restarts} restarts, {answered} requests, 0 failed, {:.1} s, longest restart {:.2} s",
        began.elapsed().as_secs_f64(),
        longest.as_secs_f64()
    ));
}

#[test]
fn a_connection_starts_the_service_and_a_stop_of_both_refuses_connections() {
    let service = Deployed::install("", "").start();
    service.systemd.sh("systemctl stop cyanotype.service");
    assert_eq!(service.property("ActiveState"), "inactive");
    assert_eq!(service.client().get("/openapi.json").send().status, 200, "the request starts the service");
    service.wait_property("ActiveState", "active");
    service.systemd.sh("systemctl stop cyanotype.socket cyanotype.service");
    assert!(service.client().get("/openapi.json").try_send().is_err());
}
