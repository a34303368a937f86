//! The numbered notes of docs/CONTRACT.md, one by one. Tests of N8, N9 and N18 to N22 are in `deploy`.

use std::fs;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::peers::supervisor::Supervisor;
use system_tests::peers::supervisor_conf::conf;
use system_tests::scratch::{self, Scratch};

use crate::supervised::{Child, Supervised};
use crate::support::{breadcrumbs, event_message, of_kind, probe, probe_with, run};

fn log(level: &str, message: &str) -> Value {
    json!({"do": "log", "level": level, "message": message})
}

fn caught() -> Value {
    json!({"do": "capture_exception", "message": "caught", "cause": "its cause"})
}

#[track_caller]
fn messages(records: &[Value], kind: &str) -> Vec<String> {
    of_kind(records, kind).iter().filter_map(|record| record["message"].as_str().map(str::to_owned)).collect()
}

#[test]
fn n1_the_app_opens_no_log_file() {
    let service = probe().start();
    run(service.client(), json!([log("info", "a line")]), json!({"error": "failed"}));
    // Resolving the stack opens the binary for a while.
    service.wait_record("the failure", |record| record["kind"] == "uncaught");
    let open = fs::read_dir(format!("/proc/{}/fd", service.pid)).expect("the service runs");
    let files = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let open_paths: Vec<String> =
        files.map(|path| path.display().to_string()).filter(|path| path.starts_with('/')).collect();
    let scratch = service.scratch().display().to_string();
    let known = ["stdout", "stderr", "app.db", "app.db-wal", "app.db-shm", "app.db.lock"]
        .map(|name| format!("{scratch}/{name}"));
    for path in open_paths {
        assert!(path.starts_with("/dev/") || known.contains(&path), "the service has {path} open");
    }
}

#[test]
fn n2_supervisord_collects_stacks_lines_and_uncaught_errors() {
    let service = Supervised::start(&[]);
    run(service.child.client(), json!([log("info", "a line"), caught()]), json!({"error": "uncaught"}));
    let records = service.stop();
    assert_eq!(messages(&records, "line"), ["a line"]);
    for (kind, message) in [("exception", "caught"), ("uncaught", "uncaught")] {
        assert_eq!(messages(&records, kind), [message]);
        assert!(
            of_kind(&records, kind)[0]["exception.stacktrace"].as_str().is_some_and(|stack| stack.contains("probe"))
        );
    }
}

#[test]
fn n3_there_is_one_log_and_no_stderr_file() {
    let service = Supervised::start(&[]);
    service.stop();
    let files = |directory: &std::path::Path| -> Vec<String> {
        let entries = fs::read_dir(directory).expect("the directory is there").flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains("log"))
            .collect()
    };
    assert_eq!(files(&service.child.directory), ["app.log"]);
    assert_eq!(files(service.scratch.path()), ["supervisord.log"]);
}

#[test]
fn n4_supervisords_own_log_repeats_the_child_only_at_debug() {
    for (loglevel, repeats) in [("critical", false), ("info", false), ("debug", true)] {
        let scratch = Scratch::new("loglevel");
        let child = Child::new(&scratch, "probe", &[]);
        let conf =
            conf(&[child.program()]).replace("[supervisord]\n", &format!("[supervisord]\nloglevel={loglevel}\n"));
        let supervisor = Supervisor::start(scratch.path(), &conf);
        child.wait_live();
        run(child.client(), json!([log("info", "written by the child")]), Value::Null);
        supervisor.ctl(&["stop", "all"]);
        assert_eq!(messages(&child.records(), "line"), ["written by the child"]);
        let own = scratch::read(&scratch.join("supervisord.log"));
        assert_eq!(own.contains("written by the child"), repeats, "at {loglevel}");
    }
}

#[test]
fn n5_stdout_stays_empty() {
    for env in ["dev", "prod"] {
        let service = probe().env("APP__ENV", env).start();
        run(service.client(), json!([log("critical", "a line"), caught()]), json!({"panic": "panicked"}));
        assert_eq!(service.stop().stdout, "");
        let refused = probe().env("APP__ENV", env).env("APP__LOG__MODE", "loud").run();
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn n6_a_line_below_the_level_is_not_written() {
    let service = Supervised::start(&[("APP__LOG__LEVEL", "warning")]);
    run(
        service.child.client(),
        json!([log("info", "low"), log("warning", "at"), log("critical", "above")]),
        Value::Null,
    );
    assert_eq!(messages(&service.stop(), "line"), ["at", "above"]);
}

#[test]
fn n6_a_module_can_have_its_own_level() {
    for (module, general, written) in [("SYSTEM_TESTS", "error", ["warning"].as_slice()), ("OTHER", "error", &[])] {
        let key = format!("APP__LOG__LEVELS__{module}");
        let service = probe().env("APP__LOG__LEVEL", general).env(&key, "warning").start();
        run(service.client(), json!([log("info", "info"), log("warning", "warning")]), Value::Null);
        assert_eq!(messages(&service.stop().records(), "line"), written, "{module}");
    }
}

#[test]
fn n7_stacks_are_written_except_in_prod_at_critical() {
    for (env, level, written) in [
        ("dev", "info", true),
        ("dev", "critical", true),
        ("prod", "info", true),
        ("prod", "error", true),
        ("prod", "critical", false),
    ] {
        let service =
            probe().env("APP__ENV", env).env("APP__LOG__LEVEL", level).env("APP__LOG__FORMAT", "json").start();
        run(service.client(), json!([]), json!({"error": "failed"}));
        let records = service.stop().records();
        let stacks = records.iter().filter(|record| record.get("exception.stacktrace").is_some()).count();
        assert_eq!(stacks, usize::from(written), "{env} at {level}");
    }
}

#[test]
fn n10_adding_sentry_changes_nothing_on_stderr() {
    let written = |mode: &str| {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).env("APP__LOG__MODE", mode).env("APP__SERVER__WORKERS", "1").start();
        let client = service.client();
        let crumb = json!({"do": "breadcrumb", "message": "a crumb", "data": {"a": 1, "token": "t"}});
        run(client, json!([log("info", "a line"), log("error", "bad"), crumb, caught()]), Value::Null);
        run(client, json!([]), json!({"error": "failed", "report": "capture"}));
        run(client, json!([]), json!({"error": "failed", "report": "log"}));
        run(client, json!([{"do": "capture_event", "message": "a message"}]), json!({"error": "failed"}));
        run(client, json!([]), json!({"panic": "panicked"}));
        run(client, json!([]), json!({"respond": {"status": 500}}));
        run(client, json!([]), json!({"stream": {"chunks": 2, "chunk": "x", "interval_ms": 50, "fail_after": 1}}));
        let mut records = service.stop().records();
        records.retain(|record| record.get("address").is_none());
        records.iter_mut().for_each(remove_varying_fields);
        let mut lines: Vec<String> = records.iter().map(Value::to_string).collect();
        lines.sort();
        lines
    };
    let (stderr, both) = (written("stderr"), written("both"));
    assert_eq!(stderr.len(), both.len());
    for (stderr, both) in stderr.iter().zip(&both) {
        assert_eq!(stderr, both);
    }
}

/// Removes times, ids, the event's id and the body that contains it, and the stack of a caught error.
fn remove_varying_fields(record: &mut Value) {
    let names_the_event = record["kind"] == "response" && record["http.response.status_code"] == 500;
    let is_caught = record["kind"] == "exception";
    let Some(record) = record.as_object_mut() else { return };
    for key in ["timestamp", "request_id", "trace_id", "duration_ms", "sentry.event_id"] {
        record.shift_remove(key);
    }
    if names_the_event {
        record.shift_remove("http.response.body.size");
        record.shift_remove("http.response.body.content");
    }
    if is_caught {
        record.shift_remove("exception.stacktrace");
    }
}

#[test]
fn n11_an_exception_is_an_event_at_any_level() {
    let project = Bugsink::shared().project();
    let levels = ["APP__LOG__LEVEL", "APP__SENTRY__EVENT_LEVEL", "APP__SENTRY__BREADCRUMB_LEVEL"];
    let service = levels.iter().fold(probe_with(&project), |service, key| service.env(key, "critical")).start();
    run(service.client(), json!([caught()]), json!({"error": "uncaught"}));
    service.stop();
    assert_eq!(project.events().iter().map(event_message).collect::<Vec<_>>(), ["caught", "uncaught"]);
}

#[test]
fn n12_a_breadcrumb_is_sent_if_the_hook_returns_it() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let crumb = |category: &str| json!({"do": "breadcrumb", "message": category, "category": category});
    run(service.client(), json!([crumb("sent"), crumb("drop-me"), caught()]), Value::Null);
    service.stop();
    assert_eq!(breadcrumbs(&project.events()[0]), ["sent"]);
}

#[test]
fn n13_add_breadcrumb_is_sent_at_any_level() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__LEVEL", "critical").start();
    run(service.client(), json!([{"do": "breadcrumb", "message": "low", "level": "trace"}, caught()]), Value::Null);
    assert!(service.stop().records().is_empty(), "stderr is empty");
    assert_eq!(breadcrumbs(&project.events()[0]), ["low"]);
}

#[test]
fn n14_lines_reach_sentry_by_the_higher_of_the_two_levels() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let levels = ["debug", "info", "warning", "error"];
    run(service.client(), json!([levels.map(|level| log(level, level)).as_slice(), &[caught()]].concat()), Value::Null);
    service.stop();
    let events = project.events();
    assert_eq!(events.iter().map(event_message).collect::<Vec<_>>(), ["error", "caught"]);
    assert_eq!(breadcrumbs(&events[1]), ["info", "warning"], "a line that is an event is not a breadcrumb");
}

#[test]
fn n15_lines_and_breadcrumbs_alone_send_nothing() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    run(service.client(), json!([log("info", "a line"), {"do": "breadcrumb", "message": "left"}]), Value::Null);
    service.stop();
    assert_eq!(project.events(), Vec::<Value>::new());
}

#[test]
fn n16_lines_and_breadcrumbs_are_in_supervisords_file() {
    let service = Supervised::start(&[]);
    run(service.child.client(), json!([log("info", "a line"), {"do": "breadcrumb", "message": "left"}]), Value::Null);
    let records = service.stop();
    assert_eq!(
        (messages(&records, "line"), messages(&records, "breadcrumb")),
        (vec!["a line".into()], vec!["left".into()])
    );
}
