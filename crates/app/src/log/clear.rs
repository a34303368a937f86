//! `app log clear`.

use clap::Args;
use cyanotype::settings::Settings;
use hyper::Method;
use serde_json::json;

use super::set::path_segment;
use super::view::State;
use crate::client::Client;
use crate::error::CommandError;
use crate::operator;
use crate::print::{print, to_json};

#[derive(Debug, Args)]
pub(crate) struct Clear {
    /// Id of the override, as listed by `app log show`
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Clear all overrides, including those of the fleet
    #[arg(long)]
    all: bool,
    /// Reason for the audit record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Name of the operator for the audit record [default: the system user]
    #[arg(long, value_name = "NAME", value_parser = operator::name)]
    by: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Clear {
    pub(super) fn run(&self, settings: &Settings) -> Result<(), CommandError> {
        let client = Client::new(settings)?;
        let ids = match &self.id {
            Some(id) => vec![id.clone()],
            None => State::read(&client)?.overrides.into_iter().map(|it| it.id).collect(),
        };
        for id in &ids {
            client.send(Method::DELETE, &self.path(id)?, None, None)?;
        }
        if self.json {
            return print(&to_json(&json!({"cleared": ids}))?);
        }
        match ids.as_slice() {
            [] => print("there are no overrides"),
            ids => print(&format!("cleared: {}", ids.join(", "))),
        }
    }

    fn path(&self, id: &str) -> Result<String, CommandError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("source", "command");
        if let Some(by) = operator::given_or_current(self.by.as_deref()) {
            query.append_pair("by", &by);
        }
        if let Some(reason) = &self.reason {
            query.append_pair("reason", reason);
        }
        Ok(format!("/log/overrides/{}?{}", path_segment(id)?, query.finish()))
    }
}
