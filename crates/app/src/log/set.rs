//! `app log set`.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use cyanotype::settings::Settings;
use hyper::Method;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::fleet;
use super::preview::Preview;
use super::view::{Override, read};
use crate::failed::Failed;
use crate::operator;
use crate::print::{complaint, print, to_json};

/// The most characters of an id.
const LONGEST_ID: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// log.level of the override
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// log.mode of the override: off, stderr, sentry or both
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Any other live setting of the override; or one of management.…, to find the service
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// For requests of this blueprint alone
    #[arg(long, value_name = "NAME", group = "scope")]
    blueprint: Option<String>,
    /// For what this crate or module records alone
    #[arg(long, value_name = "PATH", group = "scope")]
    module: Option<String>,
    /// For requests of this route alone: "GET /orders/{id}", or /orders/{id} for all methods
    #[arg(long, value_name = "ROUTE", group = "scope")]
    route: Option<String>,
    /// How long: 15m, 1h30m, 90s
    #[arg(long = "for", value_name = "DURATION", default_value = "10m")]
    lasts: String,
    /// Why; for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Its name [default: the reason and the scope's name, as a word: INC-421:orders]
    ///
    /// Setting it again replaces it, or makes it last longer.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// In all processes of the service
    #[arg(long)]
    fleet: bool,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Who makes the change, for the audit [default: the system's user]
    #[arg(long, value_name = "NAME", value_parser = operator::name)]
    by: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    pub(super) fn answer(&self, settings: &Settings) -> Result<(), Failed> {
        let body = self.body()?;
        let id = self.id.clone().unwrap_or_else(|| self.default_id());
        let path = format!("/log/overrides/{}", path_segment(&id)?);
        let client = Client::new(settings)?;
        let previewed = client.send(Method::PUT, &format!("{path}?dry_run=true"), Some(&body), None)?;
        let preview: Preview = read(previewed.clone())?;
        if self.dry_run {
            return print(&if self.json { to_json(&previewed)? } else { preview.table() });
        }
        let asks = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        match (self.json, asks) {
            (false, _) => print(&format!("{}\n", preview.table()))?,
            (true, true) => complaint(&preview.table()),
            (true, false) => {}
        }
        if asks && !confirmed() {
            return Err(Failed::Other("nothing has changed".into()));
        }
        // What was confirmed is what is done.
        let version = asks.then_some(preview.version);
        let answered = client.send(Method::PUT, &path, Some(&body), version)?;
        let set: Override = read(answered.clone())?;
        if !self.json {
            print(&format!("{}\nclear it with: app log clear {}", set.sentence(), set.id))?;
        }
        let fleet_version = if self.fleet { set.fleet_version } else { None };
        match fleet_version {
            Some(version) => fleet::wait(&client, settings, version, self.json.then_some(answered)),
            None if self.json => print(&to_json(&answered)?),
            None => Ok(()),
        }
    }

    fn body(&self) -> Result<Value, Failed> {
        let mut set = Map::new();
        for pair in self.settings.iter().filter(|pair| !finds_service(pair)) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(Failed::Usage(format!("--set {pair}: write it as KEY=VALUE")));
            };
            set.insert(key.trim().to_owned(), value.trim().into());
        }
        let named = [("log.level", &self.level), ("log.mode", &self.mode)];
        for (key, value) in named.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?))) {
            set.insert(key.to_owned(), value.into());
        }
        if set.is_empty() {
            return Err(Failed::Usage("nothing is to be set: give --level, --mode or --set KEY=VALUE".into()));
        }
        let mut body = json!({"set": set, "for": self.lasts, "reason": self.reason, "source": "command"});
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

    /// So that repeating the command makes its override last longer, and one of another scope is another one.
    fn default_id(&self) -> String {
        let reason = word(&self.reason);
        let reason = if reason.is_empty() { "override".to_owned() } else { reason };
        let id = match self.scope() {
            Some((_, name)) => format!("{reason}:{}", word(name)),
            None => reason,
        };
        id.chars().take(LONGEST_ID).collect::<String>().trim_end_matches(['-', ':']).to_owned()
    }
}

/// Whether what is given as --set under `log set` finds the service, instead of being the override's.
pub(crate) fn finds_service(setting: &str) -> bool {
    setting.trim().starts_with("management.")
}

/// A text as a part of an id.
fn word(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':');
    let parts = text.split(|c| !is_part(c)).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// An id as a part of a path; the service checks it further.
pub(super) fn path_segment(id: &str) -> Result<&str, Failed> {
    let fits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
    // Clients and servers take these for the directory and the one above.
    if fits && !matches!(id, "." | "..") {
        return Ok(id);
    }
    Err(Failed::Usage(format!(
        "`{}` is no id: allowed are letters, digits and characters of . _ : -",
        id.escape_debug()
    )))
}

fn confirmed() -> bool {
    let mut stderr = io::stderr().lock();
    // Without an answer it is no.
    let _ = write!(stderr, "apply this? [y/N] ").and_then(|()| stderr.flush());
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
        Command::try_parse_from(arguments).map(|command| command.set).expect("it is parsed")
    }

    #[test]
    fn an_id_is_the_reason_and_the_scope() {
        for (arguments, id) in [
            (&["--reason", "INC-421"][..], "INC-421"),
            (&["--reason", "INC-421", "--blueprint", "orders"], "INC-421:orders"),
            (&["--reason", "a customer's case", "--route", "GET /orders/{id}"], "a-customer-s-case:GET-orders-id"),
            (&["--reason", "…"], "override"),
            (&["--reason", "x", "--module", "a::b"], "x:a::b"),
        ] {
            assert_eq!(set(arguments).default_id(), id);
        }
        assert_eq!(set(&["--reason", &"a".repeat(200)]).default_id().len(), LONGEST_ID);
    }

    #[test]
    fn the_flags_are_the_overrides() {
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
        let Ok(body) = set.body() else { panic!("it is one") };
        let expected = json!({"sentry.sample_rate": "0.5", "log.level": "debug", "log.mode": "stderr"});
        assert_eq!((&body["set"], &body["for"], &body["source"]), (&expected, &json!("10m"), &json!("command")));
    }

    #[test]
    fn at_most_one_scope_is_given() {
        let two = ["set", "--reason", "x", "--blueprint", "a", "--route", "/b"];
        assert!(Command::try_parse_from(two).is_err());
    }
}
