//! What the unit files promise, compared with the binary and with systemd's own checks.

use std::process::Command;

use serde_json::Value;
use system_tests::peers::program::program;
use system_tests::scratch::{self, workspace};

use crate::probe_app;

const SERVICES: [&str; 2] = ["cyanotype.service", "cyanotype@.service"];
/// Time between the end of the service's own budget and systemd's SIGKILL, in seconds.
const MARGIN: u64 = 2;
const MAX_EXPOSURE: f64 = 1.5;

fn unit(name: &str) -> String {
    scratch::read(&workspace().join("deploy/systemd").join(name))
}

/// The value of a key that stands once in a unit.
#[track_caller]
fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    let values: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
    assert_eq!(values.len(), 1, "{key}");
    values[0]
}

#[test]
fn the_exposure_of_each_service_is_low() {
    let analyze = program("systemd-analyze", "systemd");
    for name in SERVICES {
        let file = workspace().join("deploy/systemd").join(name);
        let output = Command::new(&analyze).args(["security", "--offline=true", "--no-pager"]).arg(file).output();
        let text = String::from_utf8_lossy(&output.expect("it was found").stdout).into_owned();
        let overall = text.lines().find_map(|line| line.split("Overall exposure level for ").nth(1));
        let exposure = overall.and_then(|line| line.split(": ").nth(1)?.split(' ').next()?.parse::<f64>().ok());
        let exposure = exposure.unwrap_or_else(|| panic!("no exposure of {name}: {text}"));
        assert!(exposure <= MAX_EXPOSURE, "{name}: {exposure}\n{text}");
    }
}

#[test]
fn the_stop_timeout_is_the_services_budget_and_a_margin() {
    let output = Command::new(probe_app()).args(["config", "--json"]).env_clear().output().expect("it runs");
    let settings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let seconds = |key: &str| -> Option<u64> {
        let setting = settings.iter().find(|setting| setting["key"] == key)?;
        setting["value"].as_str()?.parse().ok()
    };
    let shutdown = seconds("server.shutdown_timeout_s").expect("it has a default");
    let budget = seconds("server.drain_s").unwrap_or(0) + shutdown;
    for name in SERVICES {
        assert_eq!(value(&unit(name), "TimeoutStopSec"), (budget + MARGIN).to_string(), "{name}");
    }
}

#[test]
fn the_template_differs_from_the_service_in_the_instance_alone() {
    let [service, template] = SERVICES.map(unit);
    for key in [
        "Type",
        "NotifyAccess",
        "ExecStart",
        "ExecReload",
        "WorkingDirectory",
        "User",
        "Restart",
        "WatchdogSec",
        "RestartPreventExitStatus",
        "LimitNOFILE",
        "StandardError",
        "StateDirectory",
    ] {
        assert_eq!(value(&service, key), value(&template, key), "{key}");
    }
    let sandbox = |unit: &str| {
        unit.split("\n# Sandbox.").nth(1).and_then(|text| text.split("\n[Install]").next()).map(str::to_owned)
    };
    assert!(sandbox(&service).is_some());
    assert_eq!(sandbox(&service), sandbox(&template));
}
