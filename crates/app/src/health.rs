//! `app health`: asks the running service, for health checks of containers and supervisors. Nothing of the service is started.

use clap::{Args, ValueEnum};
use cyanotype::settings::Settings;
use serde_json::{Map, Value};

use crate::client::Client;
use crate::error::CommandError;
use crate::print::print;

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// The check: live (the process responds) or ready (it serves requests)
    #[arg(value_enum, default_value_t = Check::Ready)]
    check: Check,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Check {
    Live,
    Ready,
}

impl Check {
    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ready => "ready",
        }
    }
}

impl Health {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), CommandError> {
        let check = self.check.name();
        let response = Client::health(settings, &format!("/health/{check}"))?;
        let healthy = response.as_ref().is_ok_and(|(status, _)| status.is_success());
        print(&if self.json { as_json(check, healthy, response) } else { line(check, healthy, response) })?;
        if healthy { Ok(()) } else { Err(CommandError::Negative) }
    }
}

type Response = Result<(hyper::StatusCode, Value), String>;

fn as_json(check: &str, healthy: bool, response: Response) -> String {
    let (mut answer, own_key, own_value) = match response {
        Ok((status, Value::Object(body))) => (body, "http_status", status.as_u16().into()),
        Ok((status, _)) => (Map::new(), "http_status", status.as_u16().into()),
        Err(reason) => (Map::new(), "error", reason.into()),
    };
    // Last: a key of the service must not replace one of the command.
    answer.extend(
        [("check", check.into()), ("healthy", healthy.into()), (own_key, own_value)]
            .map(|(key, value)| (key.to_owned(), value)),
    );
    Value::Object(answer).to_string()
}

fn line(check: &str, healthy: bool, response: Response) -> String {
    let reason = match response {
        Ok(_) if healthy => return check.to_owned(),
        Ok((_, body)) => reason(&body),
        Err(reason) => reason,
    };
    format!("not {check}: {reason}")
}

/// The status of the service, with the blueprints that are not ready.
fn reason(body: &Value) -> String {
    let status = body["status"].as_str().unwrap_or("no reason was given");
    let blueprints = body["blueprints"].as_object().into_iter().flatten();
    let unready: Vec<&str> = blueprints.filter(|(_, state)| *state != "ready").map(|(name, _)| name.as_str()).collect();
    match unready.as_slice() {
        [] => status.to_owned(),
        names => format!("{status}: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(status: u16, body: Value) -> Response {
        Ok((hyper::StatusCode::from_u16(status).expect("a status"), body))
    }

    #[test]
    fn an_answer_is_one_line_with_the_reason() {
        assert_eq!(line("ready", true, answered(200, json!({"status": "ready"}))), "ready");
        assert_eq!(line("ready", false, answered(503, json!({"status": "stopping"}))), "not ready: stopping");
        let body =
            json!({"status": "a blueprint is not ready", "blueprints": {"orders": "not ready", "users": "ready"}});
        assert_eq!(line("ready", false, answered(503, body.clone())), "not ready: a blueprint is not ready: orders");
        assert_eq!(line("live", false, Err("no answer".into())), "not live: no answer");
        let parsed = |response| -> Value { serde_json::from_str(&as_json("ready", false, response)).expect("JSON") };
        let json = parsed(answered(503, body));
        assert_eq!((&json["healthy"], &json["http_status"]), (&json!(false), &json!(503)));
        assert_eq!(json["blueprints"]["orders"], "not ready");
        let confusing = json!({"check": "all", "healthy": true, "http_status": 200, "status": "stopping"});
        let expected = json!({"check": "ready", "healthy": false, "http_status": 503, "status": "stopping"});
        assert_eq!(parsed(answered(503, confusing)), expected, "the command's own keys are its own");
        assert_eq!(parsed(Err("x".into())), json!({"check": "ready", "healthy": false, "error": "x"}));
    }
}
