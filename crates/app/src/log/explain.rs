//! `app log explain`: the table for the settings in force, or the one that is in force in the running service.

use clap::Args;
use cyanotype::explanation::{Explanation, KINDS};
use cyanotype::settings::{Env, Mode, Settings};
use cyanotype::{Destinations, ExplainOutput, Level, Policy, StackPlacement, ToSentry};

use super::client::Client;
use super::view::{State, read, text};
use crate::failed::Failed;
use crate::print::{columns, print, to_json};

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Ask the running service for its table, with the overrides that are on now
    #[arg(long)]
    live: bool,
    /// For requests of this blueprint
    #[arg(long, value_name = "NAME", requires = "live")]
    blueprint: Option<String>,
    /// For what this crate or module records
    #[arg(long, value_name = "PATH", requires = "live")]
    module: Option<String>,
    /// For requests of this route, such as "GET /orders/{id}"
    #[arg(long, value_name = "ROUTE", requires = "live")]
    route: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn answer(&self, settings: &Settings) -> Result<(), Failed> {
        if !self.live {
            let explained = ExplainOutput::from(Explanation::new(&cyanotype::policy(settings)));
            let layers = [
                ("at start", inputs(&explained)),
                ("now", "overrides of a running service are seen with --live".to_owned()),
            ];
            return print(&if self.json { to_json(&explained)? } else { shown(&explained, &layers) });
        }
        let client = Client::new(settings)?;
        let answered = client.get(&self.path())?;
        if self.json {
            return print(&to_json(&answered)?);
        }
        let explained: ExplainOutput = read(answered)?;
        let state = State::read(&client)?;
        let configured = state.configured.iter().map(|(key, value)| format!("{key} {}", text(value)));
        let env = explained.table.settings.env.as_str();
        let at_start = format!("env {env} · {}", configured.collect::<Vec<_>>().join(" · "));
        let overrides: Vec<String> = state.overrides.iter().map(super::view::Override::sentence).collect();
        let now = if overrides.is_empty() { "no overrides".to_owned() } else { overrides.join("; ") };
        let now = format!("version {}: {now}", state.version);
        print(&shown(&explained, &[("at start", at_start), ("now", now), ("so it is", inputs(&explained))]))
    }

    fn path(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, name) in [("blueprint", &self.blueprint), ("module", &self.module), ("route", &self.route)] {
            if let Some(name) = name {
                query.append_pair(key, name);
            }
        }
        let query = query.finish();
        if query.is_empty() { "/log/explain".to_owned() } else { format!("/log/explain?{query}") }
    }
}

/// What can be there, what is on at the start, what is on now, and the table that this makes.
fn shown(explained: &ExplainOutput, layers: &[(&str, String)]) -> String {
    let ExplainOutput { features, table } = explained;
    let compiled_in = if features.sentry { "with Sentry" } else { "without Sentry (feature `sentry`)" };
    let mut rows = vec![vec!["built".to_owned(), compiled_in.to_owned()]];
    rows.extend(layers.iter().map(|(layer, what)| vec![(*layer).to_owned(), what.clone()]));
    let layers = columns(&rows);
    let heading = ["WHAT", "LEVEL", "STDERR", "ITS STACK", "SENTRY"].map(str::to_owned).to_vec();
    let lines = table.rows.iter().map(|row| {
        let what = KINDS.iter().find(|(kind, ..)| *kind == row.kind).map_or("", |(_, what, _)| what);
        vec![
            what.to_owned(),
            levels(&row.levels),
            stderr(row.destinations),
            stack(row.destinations),
            sentry(row.destinations),
        ]
    });
    let rows = columns(&[heading].into_iter().chain(lines).collect::<Vec<_>>());
    format!("{layers}\n{rows}\n{}", reasons(&table.settings).join("\n"))
}

fn levels(levels: &[Level]) -> String {
    match levels {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}..{last}"),
        [] => String::new(),
    }
}

fn stderr(destinations: Destinations) -> String {
    if destinations.stderr { "a line" } else { "-" }.to_owned()
}

fn stack(destinations: Destinations) -> String {
    match destinations.stack {
        StackPlacement::Never => "-",
        StackPlacement::WithLine => "with the line",
        StackPlacement::UnlessSentryTakesIt => "only if Sentry does not take it",
    }
    .to_owned()
}

fn sentry(destinations: Destinations) -> String {
    match destinations.sentry {
        ToSentry::Nothing => "-",
        ToSentry::Breadcrumb => "a breadcrumb",
        ToSentry::Event => "an event",
    }
    .to_owned()
}

/// The table's inputs.
fn inputs(explained: &ExplainOutput) -> String {
    let policy = &explained.table.settings;
    let sentry = match (policy.sentry, explained.features.sentry) {
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
