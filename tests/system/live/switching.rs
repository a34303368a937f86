//! Policy switches under load: each record follows the policy before or after a switch, and none is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use cyanotype::settings::{Env, Mode};
use cyanotype::{Kind, Level, Policy, ToSentry};
use serde_json::{Value, json};
use system_tests::figures;
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::Running;
use system_tests::wait;

use super::{changes, controlled, put, set};
use crate::support::{breadcrumbs, event_message, probe_with};

const CLIENTS: usize = 3;
/// The number of responses to wait for before the next switch, so that requests run under each setting.
const REQUESTS_PER_SETTING: usize = 2;

#[test]
fn prod() {
    check(Env::Prod);
}

#[test]
fn dev() {
    check(Env::Dev);
}

/// Each of the 24 settings twice, by mode and then by level: 48 transitions that end at the first setting.
fn walk() -> Vec<(Mode, Level)> {
    let mut walk = Vec::new();
    for (n, mode) in Mode::ALL.into_iter().enumerate() {
        let mut levels = Level::ALL;
        if n % 2 == 1 {
            levels.reverse();
        }
        walk.extend(levels.map(|level| (mode, level)));
    }
    for (n, level) in Level::ALL.into_iter().enumerate() {
        let mut modes = Mode::ALL;
        if n % 2 == 0 {
            modes.reverse();
        }
        walk.extend(modes.map(|mode| (mode, level)));
    }
    walk
}

/// A request, and the range of settings that were effective between sending it and its response.
struct Sent {
    id: String,
    from: usize,
    to: usize,
}

fn check(env: Env) {
    let walk = walk();
    assert_eq!(walk.len(), 48);
    let settings: BTreeSet<_> = walk.iter().map(|(mode, level)| (mode.as_str(), level.as_str())).collect();
    assert_eq!(settings.len(), 24, "each mode with each level");
    let project = Bugsink::shared().project();
    let service = controlled(probe_with(&project)).env("APP__ENV", env.as_str()).env("APP__LOG__FORMAT", "json");
    // The initial settings are those of the walk's last step.
    let (mode, level) = walk[walk.len() - 1];
    let service = service.env("APP__LOG__MODE", mode.as_str()).env("APP__LOG__LEVEL", level.as_str());
    // The messages differ in numbers only, so they are of one failure.
    let service = service.env("APP__LOG__FLOOD__LIMIT", "100000").start();

    let policy = |step: usize| {
        let (mode, level) = walk[(step + walk.len() - 1) % walk.len()];
        Policy { env, mode, level, breadcrumb_level: Level::Info, event_level: Level::Error, sentry: true, logs: false }
    };
    let sent = drive(&service, &walk);
    // Events that a switch held back are sent now.
    set(&service, "switch", &json!({"log.mode": "both", "log.level": "info"}));
    let stopped = service.stop();
    let records = stopped.records();
    // Events that could not be sent in time are on stderr in full.
    let written = records.iter().filter_map(|record| record.get("event")).cloned();
    // An event in flight at the shutdown may be in both.
    let events: BTreeMap<String, Value> = project
        .events()
        .into_iter()
        .chain(written)
        .map(|event| (event["event_id"].as_str().unwrap_or_default().replace('-', ""), event))
        .collect();
    let events: Vec<Value> = events.into_values().collect();

    let mut spanning = 0;
    for Sent { id, from, to } in &sent {
        let policies: Vec<Policy> = (*from..=*to).map(policy).collect();
        spanning += usize::from(policies.len() > 1);
        let of_request: Vec<&Value> = records.iter().filter(|record| record["request_id"] == id.as_str()).collect();
        let of_request_events: Vec<&Value> =
            events.iter().filter(|event| event["tags"]["request_id"] == id.as_str()).collect();
        check_request(id, &policies, &of_request, &of_request_events);
    }
    let modes: Vec<Mode> = (0..=walk.len()).map(|step| policy(step).mode).collect();
    let audited = modes.windows(2).filter(|pair| pair[0] != Mode::Off || pair[1] != Mode::Off).count();
    let switches = changes(&records);
    let of_walk = switches.iter().filter(|change| change["id"] == "switch" && change["reason"] == "walk").count();
    assert_eq!(of_walk, audited, "each switch is recorded, except from off to off");
    let (requests, events_sent) = (sent.len(), events.len());
    figures::print(&format!("{env:?}: {requests} requests, {spanning} of them during a switch, {events_sent} events"));
    assert!(sent.len() - spanning >= walk.len() * REQUESTS_PER_SETTING / 2, "too few within one setting");
}

/// Switches through the walk under load.
fn drive(service: &Running, walk: &[(Mode, Level)]) -> Vec<Sent> {
    // A step has started when its switch is sent, and is applied when the response arrives.
    let (started, applied, answered) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (started, applied, answered, stop) = (&started, &applied, &answered, &stop);
                scope.spawn(move || {
                    let mut sent = Vec::new();
                    for n in 0.. {
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                        let id = format!("{client}-{n}");
                        let from = applied.load(Ordering::SeqCst);
                        request(service, &id);
                        sent.push(Sent { id, from, to: started.load(Ordering::SeqCst) });
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    sent
                })
            })
            .collect();
        for (step, (mode, level)) in walk.iter().enumerate() {
            started.store(step + 1, Ordering::SeqCst);
            let body = json!({
                "set": {"log.mode": mode, "log.level": level}, "for": "10m", "reason": "walk",
            });
            let reply = put(service, "switch", &body);
            assert!(matches!(reply.status, 200 | 201), "{reply:?}");
            applied.store(step + 1, Ordering::SeqCst);
            let goal = answered.load(Ordering::SeqCst) + CLIENTS + REQUESTS_PER_SETTING;
            wait::until("requests under this setting", std::time::Duration::from_secs(30), || {
                (answered.load(Ordering::SeqCst) >= goal).then_some(())
            });
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect()
    })
}

/// Sends a request that produces a record of each kind, with unique messages, so that the flood limit does not apply.
fn request(service: &Running, id: &str) {
    let mut steps: Vec<Value> = Vec::new();
    for level in [Level::Debug, Level::Info, Level::Warning, Level::Critical] {
        steps.push(json!({"do": "log", "level": level, "message": format!("line-{level} {id}")}));
    }
    steps.push(json!({"do": "breadcrumb", "message": format!("crumb {id}")}));
    steps.push(json!({"do": "capture_exception", "message": format!("caught {id}")}));
    steps.push(json!({"do": "capture_event", "message": format!("message {id}")}));
    let body = json!({"steps": steps});
    let reply = service.post("/probe/run").header("x-request-id", id).json(&body).send();
    assert_eq!(reply.status, 204, "{reply:?}");
}

/// The records of a request: kind, level and message.
fn rows(id: &str) -> Vec<(Kind, Level, String)> {
    let lines = [Level::Debug, Level::Info, Level::Warning, Level::Critical];
    let mut rows: Vec<_> = lines.map(|level| (Kind::Line, level, format!("line-{level} {id}"))).to_vec();
    rows.push((Kind::Breadcrumb, Level::Info, format!("crumb {id}")));
    rows.push((Kind::Exception, Level::Error, format!("caught {id}")));
    rows.push((Kind::Message, Level::Info, format!("message {id}")));
    rows.push((Kind::Response, Level::Info, "POST /probe/run 204".to_owned()));
    rows
}

/// Asserts that an item exists if all policies require it, and does not exist if none does.
#[track_caller]
fn check_cell(what: &str, expected: &[bool], count: usize) {
    assert!(count <= 1, "{what} exists {count} times");
    if expected.iter().all(|expected| *expected) {
        assert_eq!(count, 1, "{what} is lost");
    }
    if expected.iter().all(|expected| !*expected) {
        assert_eq!(count, 0, "{what} belongs to neither policy");
    }
}

fn check_request(id: &str, policies: &[Policy], records: &[&Value], events: &[&Value]) {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        let text = |key: &str| record[key].as_str().unwrap_or("?").to_owned();
        *lines.entry(format!("{} {}", text("kind"), text("message"))).or_default() += 1;
    }
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    events.iter().for_each(|event| *sent.entry(event_message(event)).or_default() += 1);
    for (kind, level, message) in rows(id) {
        let routes: Vec<_> = policies.iter().map(|policy| policy.destinations(kind, level)).collect();
        let line = format!("{} {message}", kind.as_str());
        let stderr: Vec<bool> = routes.iter().map(|route| route.stderr).collect();
        check_cell(&format!("{line} on stderr under {policies:?}"), &stderr, lines.remove(&line).unwrap_or(0));
        let event: Vec<bool> = routes.iter().map(|route| route.sentry == ToSentry::Event).collect();
        check_cell(&format!("{line} in Sentry under {policies:?}"), &event, sent.remove(&message).unwrap_or(0));
    }
    let own = lines.keys().filter(|line| line.contains(id)).collect::<Vec<_>>();
    assert!(own.is_empty() && sent.is_empty(), "nothing else is recorded: {own:?} {sent:?}");
    // An event has the breadcrumbs that the policy stores.
    if let ([policy], Some(caught)) =
        (policies, events.iter().find(|event| event_message(event) == format!("caught {id}")))
    {
        let stored = rows(id).into_iter().filter(|(kind, level, _)| {
            matches!(kind, Kind::Line | Kind::Breadcrumb)
                && policy.destinations(*kind, *level).sentry == ToSentry::Breadcrumb
        });
        let stored: BTreeSet<String> = stored.map(|(.., message)| message).collect();
        let own = breadcrumbs(caught).into_iter().filter(|crumb| crumb.contains(id)).collect::<BTreeSet<_>>();
        assert_eq!(own, stored, "breadcrumbs under {policy:?}");
    }
}
