//! `app log explain`: the table of destinations, for the configured settings or for the running service.

use clap::Args;
use cyanotype::explanation::{Explanation, KINDS};
use cyanotype::settings::{Env, Mode, Settings};
use cyanotype::{Destinations, ExplainOutput, Level, Policy, StackPlacement, ToSentry};

use super::view::{State, read, text};
use crate::client::Client;
use crate::error::CommandError;
use crate::print::{columns, print, to_json};

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Print the table of the running service, including its overrides
    #[arg(long)]
    live: bool,
    /// Print the table for requests of this blueprint
    #[arg(long, value_name = "NAME", requires = "live")]
    blueprint: Option<String>,
    /// Print the table for records of this crate or module
    #[arg(long, value_name = "PATH", requires = "live")]
    module: Option<String>,
    /// Print the table for requests of this route, such as "GET /orders/{id}"
    #[arg(long, value_name = "ROUTE", requires = "live")]
    route: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn run(&self, settings: &Settings) -> Result<(), CommandError> {
        if !self.live {
            let explained = ExplainOutput::from(Explanation::new(&cyanotype::policy(settings)));
            let layers = [
                ("at start", inputs(&explained)),
                ("now", "use --live to include the overrides of the running service".to_owned()),
            ];
            return print(&if self.json { to_json(&explained)? } else { format(&explained, &layers) });
        }
        let client = Client::new(settings)?;
        let response = client.get(&self.path())?;
        if self.json {
            return print(&to_json(&response)?);
        }
        let explained: ExplainOutput = read(response)?;
        let state = State::read(&client)?;
        let configured = state.configured.iter().map(|(key, value)| format!("{key} {}", text(value)));
        let env = explained.table.settings.env.as_str();
        let at_start = format!("env {env} · {}", configured.collect::<Vec<_>>().join(" · "));
        let overrides: Vec<String> = state.overrides.iter().map(super::view::Override::summary).collect();
        let now = if overrides.is_empty() { "no overrides".to_owned() } else { overrides.join("; ") };
        let now = format!("version {}: {now}", state.version);
        print(&format(&explained, &[("at start", at_start), ("now", now), ("in effect", inputs(&explained))]))
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

/// Formats the features of the build, the layers of settings and the resulting table.
fn format(explained: &ExplainOutput, layers: &[(&str, String)]) -> String {
    let ExplainOutput { features, table } = explained;
    let compiled_in = if features.sentry { "with Sentry" } else { "without Sentry (feature `sentry`)" };
    let mut rows = vec![vec!["built".to_owned(), compiled_in.to_owned()]];
    rows.extend(layers.iter().map(|(layer, what)| vec![(*layer).to_owned(), what.clone()]));
    let layers = columns(&rows);
    let has_logs = table.settings.logs;
    let mut heading = ["RECORD", "LEVEL", "STDERR", "STACK TRACE", "SENTRY"].map(str::to_owned).to_vec();
    heading.extend(has_logs.then(|| "SENTRY LOGS".to_owned()));
    let lines = table.rows.iter().map(|row| {
        let what = KINDS.iter().find(|(kind, ..)| *kind == row.kind).map_or("", |(_, what, _)| what);
        let mut cells = vec![
            what.to_owned(),
            levels(&row.levels),
            stderr(row.destinations),
            stack(row.destinations),
            sentry(row.destinations),
        ];
        cells.extend(has_logs.then(|| if row.destinations.logs { "a log" } else { "-" }.to_owned()));
        cells
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
        StackPlacement::UnlessSentToSentry => "only if not sent to Sentry",
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

/// The settings that determine the table.
fn inputs(explained: &ExplainOutput) -> String {
    let policy = &explained.table.settings;
    let sentry = match (policy.sentry, explained.features.sentry) {
        (true, _) => "a DSN is set",
        (false, true) => "no DSN is set",
        (false, false) => "not in this build",
    };
    let logs = if policy.logs { " · sentry.logs true" } else { "" };
    format!(
        "env {} · log.mode {} · log.level {} · sentry.breadcrumb_level {} · sentry.event_level {}{logs} · Sentry: {sentry}",
        policy.env.as_str(),
        policy.mode.as_str(),
        policy.level,
        policy.breadcrumb_level,
        policy.event_level,
    )
}

/// Explains the table in sentences.
fn reasons(policy: &Policy) -> Vec<String> {
    let mut reasons = Vec::new();
    if !policy.has_stderr() && !policy.has_sentry() {
        reasons.push(match policy.mode {
            Mode::Off => "log.mode is off: nothing is logged.".to_owned(),
            _ => "log.mode is sentry, but Sentry is not configured or not in this build: nothing is logged.".to_owned(),
        });
    }
    if policy.mode != Mode::Off && policy.env == Env::Dev {
        reasons
            .push("env is dev: failures are written to stderr with their stack trace at every log.level.".to_owned());
    }
    if policy.has_stderr() {
        reasons.push(format!("stderr receives records from log.level ({}) up.", policy.level));
    }
    if policy.has_sentry() {
        let (breadcrumbs, events) = (policy.level.max(policy.breadcrumb_level), policy.level.max(policy.event_level));
        reasons.push(format!(
            "Sentry receives log lines as breadcrumbs from {breadcrumbs} up (the higher of log.level and sentry.breadcrumb_level), and as events from {events} up (the higher of log.level and sentry.event_level)."
        ));
        if policy.has_logs() {
            reasons.push(format!(
                "Sentry also receives log lines from log.level ({}) up in its Logs (sentry.logs).",
                policy.level
            ));
        }
        reasons.push("Breadcrumbs are stored in their request and sent only with its next event.".to_owned());
        reasons
            .push("Each failure produces one record and one event, even if it is reported more than once.".to_owned());
    }
    reasons
}
