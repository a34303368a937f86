//! `app log watch`.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use cyanotype::settings::Settings;
use serde_json::Value;

use super::expiry;
use super::view::{State, read};
use crate::client::Client;
use crate::error::CommandError;
use crate::print::print_error;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Prints the state and each change of it, until interrupted or until the reader closes stdout.
pub(super) fn watch(settings: &Settings, json: bool) -> Result<(), CommandError> {
    let client = Client::new(settings)?;
    let first = client.get("/log")?;
    let mut before: State = read(first.clone())?;
    let summary = format!("version {}, {} overrides", before.version, before.overrides.len());
    let mut open = write_lines(json, &first, &[summary])?;
    let mut is_disconnected = false;
    while open {
        sleep(POLL_INTERVAL);
        let response = match client.get("/log") {
            Ok(response) => response,
            Err(CommandError::Unavailable(reason)) => {
                if !is_disconnected {
                    print_error(&reason);
                    print_error("retrying every second");
                }
                is_disconnected = true;
                continue;
            }
            Err(other) => return Err(other),
        };
        if std::mem::take(&mut is_disconnected) {
            print_error("reconnected to the service");
        }
        let now: State = read(response.clone())?;
        if now != before {
            open = write_lines(json, &response, &changes(&before, &now))?;
        }
        before = now;
    }
    Ok(())
}

/// Writes the lines, or the state as JSON. Returns `false` when the reader has closed stdout.
fn write_lines(json: bool, state: &Value, lines: &[String]) -> Result<bool, CommandError> {
    let mut stdout = io::stdout().lock();
    let result = match json {
        true => writeln!(stdout, "{state}"),
        false => lines.iter().try_for_each(|line| writeln!(stdout, "{} {line}", expiry::local_time())),
    };
    match result.and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CommandError::Other(format!("cannot write to stdout: {error}"))),
    }
}

/// One line per change.
fn changes(before: &State, now: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for cleared in
        before.overrides.iter().filter(|old| !now.overrides.iter().any(|it| it.id == old.id && it.fleet == old.fleet))
    {
        lines.push(format!("{} ended: {} ({})", cleared.id, cleared.values(), cleared.scope()));
    }
    for it in &now.overrides {
        let old = before.overrides.iter().find(|old| old.id == it.id && old.fleet == it.fleet);
        match old {
            Some(old) if old == it => {}
            Some(_) => lines.push(format!("replaced: {}", it.summary())),
            None => lines.push(format!("set: {}", it.summary())),
        }
    }
    let value = |state: &State, key: &str| state.configured.get(key).cloned().unwrap_or(Value::Null);
    let mut keys: Vec<&String> = before.configured.keys().chain(now.configured.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| value(before, key) != value(now, key)) {
        lines.push(format!("configuration: {key} changed from {} to {}", value(before, key), value(now, key)));
    }
    if lines.is_empty() && before.version != now.version {
        lines.push("the service was restarted, or a change was reverted".to_owned());
    }
    lines.into_iter().map(|line| format!("version {}: {line}", now.version)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(version: u64, level: &str, ids: &[(&str, &str)]) -> State {
        let overrides: Vec<Value> = ids
            .iter()
            .map(|(id, level)| {
                json!({"id": id, "set": {"log.level": level}, "until": "2999-01-01T00:00:00Z", "reason": "r", "by": "b"})
            })
            .collect();
        let state = json!({
            "version": version, "fleet_version": null, "configured": {"log.level": level}, "effective": {},
            "overrides": overrides,
        });
        serde_json::from_value(state).expect("a state")
    }

    #[test]
    fn each_change_is_one_line() {
        let lines = changes(
            &state(1, "info", &[("a", "debug"), ("b", "debug")]),
            &state(4, "error", &[("b", "trace"), ("c", "debug")]),
        );
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "version 4: a ended: log.level debug (everywhere)");
        assert!(lines[1].starts_with("version 4: replaced: b: log.level trace (everywhere) until "), "{lines:?}");
        assert!(lines[2].starts_with("version 4: set: c: log.level debug"), "{lines:?}");
        assert_eq!(lines[3], "version 4: configuration: log.level changed from \"info\" to \"error\"");
        assert_eq!(changes(&state(1, "info", &[]), &state(1, "info", &[])), Vec::<String>::new());
    }
}
