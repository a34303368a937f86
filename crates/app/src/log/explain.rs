//! `app log explain`: the table for the settings in force, asked of the function that the service asks.

use cyanotype::settings::{Env, Mode};
use cyanotype::{Kind, Level, Policy, Route, StackRoute, ToSentry};
use serde::Serialize;

use crate::failed::Failed;
use crate::print::{columns, to_json};

/// One row of the answer: the levels for which a kind goes the same way.
#[derive(Debug, Serialize)]
struct Row {
    kind: Kind,
    levels: Vec<Level>,
    #[serde(flatten)]
    route: Route,
}

#[derive(Debug, Serialize)]
struct Explanation {
    settings: Policy,
    rows: Vec<Row>,
}

/// What each kind is, and the levels it can have.
const KINDS: [(Kind, &str, &[Level]); 7] = [
    (Kind::Line, "a logger line", &Level::ALL),
    (Kind::Response, "a blueprint's response", &[Level::Info, Level::Warning, Level::Error]),
    (Kind::Breadcrumb, "add_breadcrumb", &Level::ALL),
    (Kind::Exception, "capture_exception", &[Level::Error]),
    (Kind::Message, "capture_event", &Level::ALL),
    (Kind::Uncaught, "an Err or a panic nobody caught", &[Level::Error]),
    (Kind::Service, "what the service says of itself", &[Level::Info, Level::Warning, Level::Error, Level::Critical]),
];

pub(crate) fn answer(policy: &Policy, json: bool) -> Result<String, Failed> {
    let rows: Vec<Row> = KINDS.iter().flat_map(|(kind, _, levels)| rows(policy, *kind, levels)).collect();
    if json {
        return to_json(&Explanation { settings: *policy, rows });
    }
    let heading = ["WHAT", "LEVEL", "STDERR", "ITS STACK", "SENTRY"].map(str::to_owned).to_vec();
    let lines = rows.iter().map(|row| {
        let what = KINDS.iter().find(|(kind, ..)| *kind == row.kind).map_or("", |(_, what, _)| what);
        vec![what.to_owned(), levels(&row.levels), stderr(row.route), stack(row.route), sentry(row.route)]
    });
    let table = columns(&[heading].into_iter().chain(lines).collect::<Vec<_>>());
    Ok(format!("{}\n\n{table}\n{}", settings(policy), reasons(policy).join("\n")))
}

/// Neighbouring levels that go the same way are one row.
fn rows(policy: &Policy, kind: Kind, levels: &[Level]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for &level in levels {
        let route = policy.route(kind, level);
        match rows.last_mut() {
            Some(row) if row.route == route => row.levels.push(level),
            _ => rows.push(Row { kind, levels: vec![level], route }),
        }
    }
    rows
}

fn levels(levels: &[Level]) -> String {
    match levels {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}..{last}"),
        [] => String::new(),
    }
}

fn stderr(route: Route) -> String {
    if route.stderr { "a line" } else { "-" }.to_owned()
}

fn stack(route: Route) -> String {
    match route.stack {
        StackRoute::Never => "-",
        StackRoute::WithLine => "with the line",
        StackRoute::UnlessSentryTakesIt => "only if Sentry does not take it",
    }
    .to_owned()
}

fn sentry(route: Route) -> String {
    match route.sentry {
        ToSentry::Nothing => "-",
        ToSentry::Breadcrumb => "a breadcrumb",
        ToSentry::Event => "an event",
    }
    .to_owned()
}

fn settings(policy: &Policy) -> String {
    let sentry = match (policy.sentry, cyanotype::SENTRY_COMPILED_IN) {
        (true, _) => "a DSN is set",
        (false, true) => "no DSN is set",
        (false, false) => "not in this build",
    };
    format!(
        "env {} · log.mode {} · log.level {} · sentry.breadcrumb_level {} · sentry.event_level {} · Sentry: {sentry}",
        policy.env.as_str(),
        policy.mode.as_str(),
        policy.level,
        policy.breadcrumb_level,
        policy.event_level,
    )
}

/// Why it is as the table says.
fn reasons(policy: &Policy) -> Vec<String> {
    let mut reasons = Vec::new();
    if !policy.has_stderr() && !policy.has_sentry() {
        reasons.push(match policy.mode {
            Mode::Off => "log.mode is off: nothing is written anywhere.".to_owned(),
            _ => "log.mode asks for Sentry alone, and there is none: no sink is left.".to_owned(),
        });
    }
    if policy.mode != Mode::Off && policy.env == Env::Dev {
        reasons.push("dev: a failure is always written to stderr with its stack, whatever the level.".to_owned());
    }
    if policy.has_stderr() {
        reasons.push(format!("stderr takes what reaches log.level ({}); nothing below it is written.", policy.level));
    }
    if policy.has_sentry() {
        let (breadcrumbs, events) = (policy.level.max(policy.breadcrumb_level), policy.level.max(policy.event_level));
        reasons.push(format!(
            "Sentry takes logger lines from {breadcrumbs} as breadcrumbs and from {events} as events: the higher of log.level and its own."
        ));
        reasons.push(
            "Breadcrumbs wait in their request and are sent with its next event; without one they are not sent."
                .to_owned(),
        );
        reasons.push("One failure is one record and one event, whoever reports it first.".to_owned());
    }
    reasons
}
