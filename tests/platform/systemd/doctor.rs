//! `app doctor` beside a socket unit.

use serde_json::Value;

use super::deployed::Deployed;

/// Runs `app doctor` with the settings of the unit, and these variables besides. Returns the lines of two checks.
#[track_caller]
fn doctor(service: &Deployed, variables: &str) -> [Value; 2] {
    let environment = "set -a; . /etc/cyanotype/environment; set +a; export APP__ENV=prod";
    let url = "APP__DATABASE__URL=sqlite:///var/lib/cyanotype/app.db";
    let socket = "APP__MANAGEMENT__SOCKET=/run/cyanotype/management.sock";
    // It has the exit status 1: other variables are missing.
    let command = format!("cd /etc/cyanotype; {environment} {url} {socket} {variables}; app doctor --json || true");
    let output = service.systemd.sh(&command);
    let report: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("no JSON ({error}): {output}"));
    ["process", "api-port"].map(|name| {
        let mut lines = report["checks"].as_array().into_iter().flatten();
        lines.find(|line| line["check"] == name).unwrap_or_else(|| panic!("no line {name}: {report:#}")).clone()
    })
}

#[track_caller]
fn assert_ok(line: &Value, part: &str) {
    let found = line["found"].as_str().unwrap_or_default();
    assert!(line["status"] == "OK" && found.contains(part), "{line} does not contain {part}");
}

#[test]
fn doctor_examines_the_socket_of_the_unit() {
    // Its port is that of a drop-in; the settings have another one.
    let service = Deployed::install("", "").start();
    let address = format!("127.0.0.1:{}", service.port);
    let [process, api] = doctor(&service, "");
    assert_ok(&process, &format!("runs as pid {}", service.property("MainPID")));
    assert_ok(&api, &format!("{address}, which the running service inherits"));

    service.systemd.sh("systemctl stop cyanotype.service");
    let [process, api] = doctor(&service, &format!("APP__SERVER__PORT={}", service.port));
    assert_ok(&process, "none listens on");
    assert_ok(&api, &format!("{address} is held by systemd (pid 1)"));
    assert_eq!(service.property("ActiveState"), "inactive", "the check has not started the service");
}
