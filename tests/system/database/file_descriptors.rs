//! A low limit of open file descriptors.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{binaries, wait};

use crate::api::member;

/// The app with a limit of open files, set by `ulimit`.
fn limited(scratch: &Scratch, limit: u32) -> Service {
    let script = scratch.join("limited");
    let app = binaries::app();
    scratch::write(&script, format!("#!/bin/sh\nulimit -n {limit}\nexec {} \"$@\"\n", app.display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    Service::new(&script).env("APP__SERVER__WORKERS", "2")
}

#[test]
fn too_low_a_descriptor_limit_stops_the_start() {
    let scratch = Scratch::new("descriptors");
    let stopped = limited(&scratch, 20).run();
    assert_eq!((stopped.code(), &*stopped.stdout), (Some(78), ""));
    let records = stopped.records();
    let [record] = records.as_slice() else { panic!("one line: {}", stopped.stderr) };
    let message = record["message"].as_str().expect("a message");
    for expected in ["open file limit is 20", "needs", "1024", "ulimit -n", "LimitNOFILE", "minfds"] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn health_responds_when_descriptors_are_exhausted() {
    let scratch = Scratch::new("descriptors");
    let app = limited(&scratch, 200).start();
    let warning = app.wait_record("the warning", |record| record["level"] == "warning");
    assert!(warning["message"].as_str().is_some_and(|it| it.contains("the open file limit is 200")), "{warning}");
    member(&app, "ada");
    // More than the available descriptors.
    let held: Vec<TcpStream> = (0..300).filter_map(|_| TcpStream::connect(("127.0.0.1", app.port)).ok()).collect();
    assert!(held.len() > 200, "the kernel accepts the connections: {}", held.len());
    for _ in 0..5 {
        assert_eq!(app.management().get("/health/live").send().status, 200);
        assert_eq!(app.management().get("/health/ready").send().status, 200);
    }
    drop(held);
    wait::until("the API to respond again", Duration::from_secs(20), || {
        app.get("/users/me").try_send().ok().filter(|reply| reply.status == 401)
    });
    let stopped = app.stop();
    assert!(!stopped.stderr.contains("panicked"), "{}", stopped.stderr);
}
