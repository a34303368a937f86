//! Start, a user's and an order's life, records, reload and stop.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::member::Member;
use system_tests::wait;

use super::deployed::{Deployed, documented, says};

const O_CLOEXEC: u32 = 0o2_000_000;
const BURST: usize = 11_000;
const LIMIT: Duration = Duration::from_secs(60);

/// Registers a user who places an order, reads it and leaves. Returns the number of requests.
pub(super) fn live(users: Client, orders: Client) -> usize {
    let Member { id: user, token } = Member::register(users, "ada");
    let order = json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]});
    let placed = orders.post("/orders").bearer(&token).json(&order).send();
    assert_eq!(placed.status, 201, "{}", placed.text());
    let path = format!("/orders/{}", placed.json()["id"].as_str().expect("an order has an id"));
    assert_eq!(orders.get(&path).bearer(&token).send().json(), placed.json());
    assert_eq!(users.delete(&format!("/users/{user}")).bearer(&token).send().status, 204);
    assert_eq!(users.get(&format!("/users/{user}")).bearer(&token).send().status, 401);
    6
}

#[test]
fn the_unit_serves_and_every_record_is_in_the_journal() {
    let service = Deployed::install("", "").start();
    // Readiness: without a wait after `systemctl start`.
    assert_eq!(service.management().get("/health/ready").send().status, 200);
    assert_eq!(service.property("StatusText"), format!("serving on 127.0.0.1:{}", service.port));

    // The sandbox hides files of /proc.
    let metrics = service.management().get("/metrics").send();
    for name in ["process_cpu_seconds_total", "process_open_fds", "process_start_time_seconds"] {
        assert!(metrics.text().contains(&format!("\n{name} ")), "{name}: {}", metrics.text());
    }

    let requests = live(service.client(), service.client());
    let levels = ["debug", "info", "warning", "error", "critical"];
    let steps = levels.map(|level| json!({"do": "log", "level": level, "message": format!("at {level}")}));
    let script = json!({"steps": steps, "finish": {"error": "uncaught"}});
    assert_eq!(service.client().post("/probe/run").json(&script).send().status, 500);
    let events = service.sentry.wait_payloads("event", 3);
    assert_eq!(events.len(), 3, "the DSN is the credential: error, critical and uncaught");

    // journald's limit depends on its free space, and may be higher than this.
    assert_eq!(service.property("LogRateLimitIntervalUSec"), "0", "journald drops no record");
    let burst: Vec<Value> = (0..BURST).map(|_| json!({"do": "log", "level": "info", "message": "burst"})).collect();
    assert_eq!(service.client().post("/probe/run").json(&json!({"steps": burst})).send().status, 204);

    let main = service.property("MainPID");
    let environment = std::fs::read(service.systemd.path(&format!("/proc/{main}/environ"))).expect("root can read it");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(!environment.contains(&service.sentry.dsn()), "{environment}");
    // The API's socket. A child must not inherit it.
    let socket = std::fs::read_to_string(service.systemd.path(&format!("/proc/{main}/fdinfo/3"))).expect("it is open");
    let flags = socket.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim).unwrap_or_default();
    assert_ne!(u32::from_str_radix(flags, 8).unwrap_or_default() & O_CLOEXEC, 0, "{socket}");
    assert!(service.systemd.path("/var/lib/cyanotype/app.db").exists());
    assert_eq!(service.systemd.sh("stat -c %U:%a /run/cyanotype/management.sock").trim(), "cyanotype:600");
    assert!(service.systemd.sh(&documented("severity")).contains("at critical"));
    let commands = documented("root");
    let shown = service.systemd.sh(&commands);
    assert!(shown.contains("no overrides") && shown.contains("applied"), "{shown}");
    let settings: Vec<&str> = commands.lines().filter(|line| !line.starts_with("app ")).collect();
    let doctor = service.systemd.sh(&format!("{}\napp doctor", settings.join("\n")));
    assert!(doctor.starts_with("OK    process") && !doctor.contains("FAIL"), "{doctor}");

    service.systemd.sh("systemctl stop cyanotype.socket cyanotype.service");
    assert_eq!(service.property("Result"), "success");
    let records = service.records("");
    assert_eq!(records.iter().filter(|record| record["kind"] == "response").count(), requests + 2);
    assert_eq!(records.iter().filter(|record| record["message"] == "burst").count(), BURST);
    assert!(says(records.last().expect("there are records"), "stopped"), "the last record is in the journal");
    assert_eq!(records.iter().filter_map(|record| record.get("dropped")).next(), None, "no record is lost");
    for level in ["info", "warning", "error", "critical"] {
        assert!(records.iter().any(|record| record["message"] == format!("at {level}")), "{level}");
    }
    let errors: Vec<&Value> = records.iter().filter(|it| it["level"] == "error" || it["level"] == "critical").collect();
    assert!(errors.len() >= 3, "{errors:#?}");
    let found = service.records("--priority=err");
    assert_eq!(found.iter().collect::<Vec<_>>(), errors, "`journalctl -p err` finds the errors and nothing else");
}

#[test]
fn a_service_without_sentry_retains_its_database() {
    let service = Deployed::install("", "");
    let url = "sqlite:///var/lib/cyanotype/another.db";
    service.systemd.sh(&format!("printf {url} > /etc/cyanotype/credentials/database_url"));
    service.systemd.sh("rm /etc/cyanotype/credentials/sentry_dsn");
    service.systemd.sh(&documented("set up"));
    let service = service.start();
    live(service.client(), service.client());
    assert_eq!(service.records("")[0]["sentry"], "no DSN is set");
    let databases = service.systemd.sh("cd /var/lib/cyanotype && ls -- *.db");
    assert_eq!(databases.trim(), "another.db");
}

#[test]
fn a_missing_credential_ends_the_restarts() {
    let service = Deployed::install("", "");
    service.systemd.sh("mv /etc/cyanotype/credentials/sentry_dsn /root/dsn");
    service.systemd.sh("systemctl start cyanotype.socket && ! systemctl start cyanotype.service");
    assert_eq!(service.property("ActiveState"), "failed");
    assert_eq!((service.property("ExecMainStatus").as_str(), service.property("NRestarts").as_str()), ("243", "0"));
    service.systemd.sh("mv /root/dsn /etc/cyanotype/credentials/sentry_dsn");
    let service = service.start();
    assert_eq!(service.management().get("/health/ready").send().status, 200);
}

#[test]
fn a_backup_is_restored() {
    let service = Deployed::install("", "").start();
    let before = Member::register(service.client(), "ada");
    service.systemd.sh(&documented("root"));
    let after = Member::register(service.client(), "bob");
    service.systemd.sh(&documented("restored"));
    let status = |member: &Member| {
        let path = format!("/users/{}", member.id);
        service.client().get(&path).bearer(&member.token).send().status
    };
    assert_eq!((status(&before), status(&after)), (200, 401), "the user of the backup, and none from after it");
    assert_eq!(service.systemd.sh("stat -c %U:%a /var/lib/cyanotype/app.db").trim(), "cyanotype:600");
    let added = Member::register(service.client(), "eve");
    assert_eq!(status(&added), 200, "it is written to");
}

#[test]
fn the_unit_is_active_only_after_the_start_has_finished() {
    let service = Deployed::install("", "PROBE_FAULT=start hangs");
    service.systemd.sh("systemctl start --no-block cyanotype.socket cyanotype.service");
    wait::until("the start to reach the blueprints", LIMIT, || {
        (service.property("StatusText") == "starting the blueprints").then_some(())
    });
    assert_eq!(service.property("ActiveState"), "activating");
    assert!(service.management().get("/health/ready").try_send().is_err());
    service.systemd.sh("systemctl stop cyanotype.socket cyanotype.service");
    assert_eq!(service.property("Result"), "success", "a stop during the start is a success");
}

#[test]
fn a_reload_applies_a_changed_file_and_refuses_an_invalid_one() {
    let service = Deployed::install("", "").start();
    let pid = service.property("MainPID");
    let file = "/etc/cyanotype/config/default.toml";
    service.systemd.write(file, "[log]\nlevel = \"warning\"\n");
    service.systemd.sh("systemctl reload cyanotype");
    service.wait_record("the reload", |record| record["change"]["action"] == "reloaded");
    service.wait_property("StatusText", "serving; the settings have been reloaded");
    assert_eq!(service.management().get("/log").send().json()["effective"]["log.level"], "warning");

    service.systemd.write(file, "[log]\nlevel = \"loud\"\n");
    service.systemd.sh("systemctl reload cyanotype");
    service.wait_record("the refusal", |record| record["change"]["action"] == "refused");
    wait::until("the status of the refusal", LIMIT, || {
        service.property("StatusText").starts_with("serving; the reload was refused: ").then_some(())
    });
    assert_eq!((service.property("ActiveState"), service.property("MainPID")), ("active".to_owned(), pid));
}

#[test]
fn an_invalid_setting_is_not_retried_and_an_unavailable_database_is() {
    let service = Deployed::install("", "APP__LOG__RESPONSE__BODY=everything");
    assert!(!service.systemd.output("systemctl start cyanotype.service").status.success());
    assert_eq!(service.property("ExecMainStatus"), "78");
    assert_eq!((service.property("ActiveState"), service.property("NRestarts")), ("failed".to_owned(), "0".to_owned()));

    service
        .systemd
        .write("/etc/cyanotype/environment", &format!("APP__MANAGEMENT__PORT={}\n", service.management_port));
    service.systemd.write("/etc/cyanotype/credentials/database_url", "postgres://nobody@127.0.0.1:1/none");
    service.systemd.sh("systemctl start --no-block cyanotype.service");
    wait::until("a second restart", LIMIT, || {
        service.property("NRestarts").parse::<u32>().ok().filter(|count| *count >= 2)
    });
    service.systemd.sh("rm /etc/cyanotype/credentials/database_url");
    service.wait_property("ActiveState", "active");
}
