//! `app sentry test`: sends an event and prints it as Sentry shows it.

use cyanotype::Service;
use serde_json::Value;

use crate::error::CommandError;
use crate::print::{columns, to_json};

pub(crate) fn run(service: &Service, json: bool) -> Result<String, CommandError> {
    let event = service.send_test_event();
    let event = event.map_err(|reason| CommandError::Other(format!("test event not delivered: {reason}")))?;
    if json { to_json(&event) } else { Ok(describe(&event)) }
}

fn describe(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let exceptions = event["exception"]["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let titles: Vec<String> =
        exceptions.iter().rev().map(|it| format!("{}: {}", text(&it["type"]), text(&it["value"]))).collect();
    let pairs = |map: &Value| {
        let pairs = map.as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", text(value)));
        Some(pairs.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty()).unwrap_or_else(|| "-".into())
    };
    let mut rows = vec![
        ("title", titles.first().cloned().unwrap_or_else(|| "-".into())),
        // The protocol's default is omitted.
        ("level", event["level"].as_str().unwrap_or("error").to_owned()),
        ("environment", text(&event["environment"])),
        ("release", text(&event["release"])),
        ("dist", text(&event["dist"])),
        ("server name", text(&event["server_name"])),
        ("tags", pairs(&event["tags"])),
    ];
    rows.extend(titles.into_iter().skip(1).map(|cause| ("cause", cause)));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let id = text(&event["event_id"]);
    format!("{}{}\ntest event received by Sentry: {id}", columns(&rows), stack(exceptions.last()))
}

/// The frames of the service's own code, innermost first; Sentry folds the others.
fn stack(exception: Option<&Value>) -> String {
    let frames = exception.and_then(|it| it["stacktrace"]["frames"].as_array()).map(Vec::as_slice).unwrap_or_default();
    let (own, others): (Vec<&Value>, Vec<&Value>) = frames.iter().rev().partition(|frame| frame["in_app"] == true);
    let mut text = format!("\nstack trace: {} frames in the app, {} others\n", own.len(), others.len());
    for frame in own {
        let file = frame["abs_path"].as_str().or_else(|| frame["filename"].as_str()).unwrap_or("-");
        text.push_str(&format!("  {}\n    at {file}:{}\n", frame["function"].as_str().unwrap_or("-"), frame["lineno"]));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_described_as_sentry_shows_it() {
        let frames = json!([{"function": "main", "in_app": false}, {"function": "own", "in_app": true, "abs_path": "/src/own.rs", "lineno": 7}]);
        let event = json!({
            "event_id": "0af7651916cd43dd8448eb211c80319c",
            "environment": "prod",
            "tags": {"region": "eu", "team": "shop"},
            "exception": {"values": [
                {"type": "Cause", "value": "it is off"},
                {"type": "Error", "value": "no stock", "stacktrace": {"frames": frames}},
            ]},
        });
        let text = describe(&event);
        assert_eq!(
            text,
            "title        Error: no stock\nlevel        error\nenvironment  prod\nrelease      -\ndist         -\n\
             server name  -\ntags         region=eu, team=shop\ncause        Cause: it is off\n\n\
             stack trace: 1 frames in the app, 1 others\n  own\n    at /src/own.rs:7\n\n\
             test event received by Sentry: 0af7651916cd43dd8448eb211c80319c"
        );
    }
}
