//! `app log set`.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use cyanotype::settings::Settings;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::fleet;
use super::preview::Preview;
use super::view::{Override, read};
use crate::client::Client;
use crate::error::CommandError;
use crate::operator;
use crate::print::{print, print_error, to_json};

/// Maximum number of characters in an id.
const MAX_ID_LENGTH: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Minimum level of log lines (log.level)
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Log sinks (log.mode): off, stderr, sentry or both
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Any other live setting of the override, or a setting of management.… to connect to the service; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Apply only to requests of this blueprint
    #[arg(long, value_name = "NAME", group = "scope")]
    blueprint: Option<String>,
    /// Apply only to records of this crate or module
    #[arg(long, value_name = "PATH", group = "scope")]
    module: Option<String>,
    /// Apply only to requests of this route: "GET /orders/{id}", or /orders/{id} for all methods
    #[arg(long, value_name = "ROUTE", group = "scope")]
    route: Option<String>,
    /// Duration of the override, such as 15m, 1h30m or 90s; at most log.override_max_s
    #[arg(long = "for", value_name = "DURATION", default_value = "10m")]
    duration: String,
    /// Reason for the audit record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Id of the override [default: the reason and the scope, such as INC-421:orders]
    ///
    /// An override with the same id is replaced or extended.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Apply to all processes of the fleet
    #[arg(long)]
    fleet: bool,
    /// Print the changes without applying them
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Name of the operator for the audit record [default: the system user]
    #[arg(long, value_name = "NAME", value_parser = operator::name)]
    by: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    pub(super) fn run(&self, settings: &Settings) -> Result<(), CommandError> {
        let body = self.body()?;
        let id = self.id.clone().unwrap_or_else(|| self.default_id());
        let path = format!("/log/overrides/{}", path_segment(&id)?);
        let client = Client::new(settings)?;
        let previewed = client.send(Method::PUT, &format!("{path}?dry_run=true"), Some(&body), None)?;
        let preview: Preview = read(previewed.clone())?;
        if self.dry_run {
            return print(&if self.json { to_json(&previewed)? } else { preview.table() });
        }
        let needs_confirmation = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        match (self.json, needs_confirmation) {
            (false, _) => print(&format!("{}\n", preview.table()))?,
            (true, true) => print_error(&preview.table()),
            (true, false) => {}
        }
        if needs_confirmation && !confirmed() {
            return Err(CommandError::Other("cancelled; nothing was changed".into()));
        }
        // Fails if the overrides were changed after the preview was confirmed.
        let version = needs_confirmation.then_some(preview.version);
        let response = client.send(Method::PUT, &path, Some(&body), version)?;
        let set: Override = read(response.clone())?;
        if !self.json {
            print(&format!("{}\nclear it with: app log clear {}", set.summary(), set.id))?;
        }
        let fleet_version = if self.fleet { set.fleet_version } else { None };
        match fleet_version {
            Some(version) => fleet::wait(&client, settings, version, self.json.then_some(response)),
            None if self.json => print(&to_json(&response)?),
            None => Ok(()),
        }
    }

    fn body(&self) -> Result<Value, CommandError> {
        let mut set = Map::new();
        for pair in self.settings.iter().filter(|pair| !is_connection_setting(pair)) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(CommandError::Usage(format!("--set {pair}: expected KEY=VALUE")));
            };
            set.insert(key.trim().to_owned(), value.trim().into());
        }
        let named = [("log.level", &self.level), ("log.mode", &self.mode)];
        for (key, value) in named.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))) {
            set.insert(key.to_owned(), value.into());
        }
        if set.is_empty() {
            return Err(CommandError::Usage("no setting given; use --level, --mode or --set KEY=VALUE".into()));
        }
        let mut body = json!({"set": set, "for": self.duration, "reason": self.reason, "source": "command"});
        if let Some(by) = operator::given_or_current(self.by.as_deref()) {
            body["by"] = by.into();
        }
        if let Some((kind, name)) = self.scope() {
            body[kind] = name.into();
        }
        if self.fleet {
            body["fleet"] = true.into();
        }
        Ok(body)
    }

    fn scope(&self) -> Option<(&'static str, &str)> {
        let scopes = [("blueprint", &self.blueprint), ("module", &self.module), ("route", &self.route)];
        scopes.into_iter().find_map(|(kind, name)| Some((kind, name.as_deref()?)))
    }

    /// Repeating a command extends its override, because the id is the same; another scope has another id.
    fn default_id(&self) -> String {
        let reason = id_part(&self.reason);
        let reason = if reason.is_empty() { "override".to_owned() } else { reason };
        let id = match self.scope() {
            Some((_, name)) => format!("{reason}:{}", id_part(name)),
            None => reason,
        };
        id.chars().take(MAX_ID_LENGTH).collect::<String>().trim_end_matches(['-', ':']).to_owned()
    }
}

/// Whether an argument of --set is a connection setting of this command instead of a setting of the override.
pub(crate) fn is_connection_setting(setting: &str) -> bool {
    setting.trim().starts_with("management.")
}

/// Converts text to a part of an id.
fn id_part(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':');
    let parts = text.split(|c| !is_part(c)).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// Validates an id as a segment of a path. The service applies further checks.
pub(super) fn path_segment(id: &str) -> Result<&str, CommandError> {
    let is_valid = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
    // HTTP clients and servers interpret these as relative path segments.
    if is_valid && !matches!(id, "." | "..") {
        return Ok(id);
    }
    Err(CommandError::Usage(format!(
        "invalid override id `{}`: expected letters, digits and . _ : -",
        id.escape_debug()
    )))
}

fn confirmed() -> bool {
    let mut stderr = io::stderr().lock();
    // If the prompt cannot be written or the input cannot be read, the result is no.
    let _ = write!(stderr, "apply these changes? [y/N] ").and_then(|()| stderr.flush());
    drop(stderr);
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.is_ok() && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        set: Set,
    }

    fn set(arguments: &[&str]) -> Set {
        let arguments = ["set", "--level", "debug"].iter().chain(arguments);
        Command::try_parse_from(arguments).map(|command| command.set).expect("the arguments are valid")
    }

    #[test]
    fn the_default_id_is_the_reason_and_the_scope() {
        for (arguments, id) in [
            (&["--reason", "INC-421"][..], "INC-421"),
            (&["--reason", "INC-421", "--blueprint", "orders"], "INC-421:orders"),
            (&["--reason", "a customer's case", "--route", "GET /orders/{id}"], "a-customer-s-case:GET-orders-id"),
            (&["--reason", "…"], "override"),
            (&["--reason", "x", "--module", "a::b"], "x:a::b"),
        ] {
            assert_eq!(set(arguments).default_id(), id);
        }
        assert_eq!(set(&["--reason", &"a".repeat(200)]).default_id().len(), MAX_ID_LENGTH);
    }

    #[test]
    fn flags_become_settings_of_the_override() {
        let set = set(&[
            "--mode",
            "stderr",
            "--set",
            "sentry.sample_rate=0.5",
            "--set",
            "management.port=1",
            "--reason",
            "x",
        ]);
        let Ok(body) = set.body() else { panic!("the body is valid") };
        let expected = json!({"sentry.sample_rate": "0.5", "log.level": "debug", "log.mode": "stderr"});
        assert_eq!((&body["set"], &body["for"], &body["source"]), (&expected, &json!("10m"), &json!("command")));
    }

    #[test]
    fn only_one_scope_is_accepted() {
        let two = ["set", "--reason", "x", "--blueprint", "a", "--route", "/b"];
        assert!(Command::try_parse_from(two).is_err());
    }
}
