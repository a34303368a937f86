//! A process that may open few files.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{binaries, wait};

use crate::api::member;

/// The app with a limit of open files, as a shell sets it.
fn limited(scratch: &Scratch, limit: u32) -> Service {
    let script = scratch.join("limited");
    let app = binaries::app();
    scratch::write(&script, format!("#!/bin/sh\nulimit -n {limit}\nexec {} \"$@\"\n", app.display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("it is this test's");
    Service::new(&script).env("APP__SERVER__WORKERS", "2")
}

#[test]
fn with_too_few_files_the_start_names_the_limit_that_is_wanted() {
    let scratch = Scratch::new("descriptors");
    let stopped = limited(&scratch, 20).run();
    assert_eq!((stopped.code(), &*stopped.stdout), (Some(78), ""));
    let records = stopped.records();
    let [record] = records.as_slice() else { panic!("one line: {}", stopped.stderr) };
    let message = record["message"].as_str().expect("a message");
    for said in ["open file limit is 20", "needs", "1024", "ulimit -n", "LimitNOFILE", "minfds"] {
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn with_few_files_health_answers_while_the_api_has_no_connection_left() {
    let scratch = Scratch::new("descriptors");
    let app = limited(&scratch, 200).start();
    let said = app.wait_record("the warning", |record| record["level"] == "warning");
    assert!(said["message"].as_str().is_some_and(|it| it.contains("the open file limit is 200")), "{said}");
    member(&app, "ada");
    // More than there are descriptors.
    let held: Vec<TcpStream> = (0..300).filter_map(|_| TcpStream::connect(("127.0.0.1", app.port)).ok()).collect();
    assert!(held.len() > 200, "the system takes them: {}", held.len());
    for _ in 0..5 {
        assert_eq!(app.management().get("/health/live").send().status, 200);
        assert_eq!(app.management().get("/health/ready").send().status, 200);
    }
    drop(held);
    wait::until("the API to answer again", Duration::from_secs(20), || {
        app.get("/users/me").try_send().ok().filter(|reply| reply.status == 401)
    });
    let stopped = app.stop();
    assert!(!stopped.stderr.contains("panicked"), "{}", stopped.stderr);
}
