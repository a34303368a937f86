//! The limit on open files, and the time zone.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use system_tests::{binaries, scratch};

use super::{Report, Setup};

/// A script that runs the app with a limit of open files.
fn limited(setup: &Setup, limit: u32) -> PathBuf {
    let script = setup.scratch().join(format!("limited-{limit}"));
    let app = binaries::app();
    scratch::write(&script, format!("#!/bin/sh\nulimit -n {limit}\nexec {} \"$@\"\n", app.display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    script
}

#[test]
fn a_low_limit_of_open_files_is_a_warning_and_too_low_a_failure() {
    let setup = Setup::new();
    let here = |limit| Report::of(&setup.service_of(&limited(&setup, limit)).arg("doctor").arg("--json").run());
    here(40).has("descriptors", "FAIL", &["the open file limit is 40, but the service needs at least"]);
    here(200).has("descriptors", "WARN", &["the open file limit is 200"]);
    here(4096).has("descriptors", "OK", &["for client connections, of 4096"]);
    let _service = setup.service_of(&limited(&setup, 200)).start();
    setup.doctor().has("descriptors", "WARN", &["the open file limit is 200"]);
}

#[test]
fn the_time_zone_is_that_of_the_service() {
    let setup = Setup::new();
    let _service = setup.service().env("TZ", "JST-9").start();
    setup.doctor().has("time-zone", "WARN", &["JST-9 (UTC+09)"]);
    Setup::new().env("TZ", "UTC0").doctor().has("time-zone", "OK", &["UTC"]);
}
