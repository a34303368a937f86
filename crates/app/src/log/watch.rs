//! `app log watch`.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use cyanotype::settings::Settings;
use serde_json::Value;

use super::client::Client;
use super::until;
use super::view::{State, read};
use crate::failed::Failed;
use crate::print::complaint;

const PAUSE: Duration = Duration::from_secs(1);

/// Prints what is on and each change of it, until it is interrupted or its reader has gone.
pub(super) fn watch(settings: &Settings, json: bool) -> Result<(), Failed> {
    let client = Client::new(settings)?;
    let first = client.get("/log")?;
    let mut before: State = read(first.clone())?;
    let begins = format!("version {}, {} overrides", before.version, before.overrides.len());
    let mut open = written(json, &first, &[begins])?;
    let mut is_away = false;
    while open {
        sleep(PAUSE);
        let shown = match client.get("/log") {
            Ok(shown) => shown,
            Err(Failed::Unavailable(reason)) => {
                if !is_away {
                    complaint(&reason);
                    complaint("trying again every second");
                }
                is_away = true;
                continue;
            }
            Err(other) => return Err(other),
        };
        if std::mem::take(&mut is_away) {
            complaint("reached the service again");
        }
        let now: State = read(shown.clone())?;
        if now != before {
            open = written(json, &shown, &changes(&before, &now))?;
        }
        before = now;
    }
    Ok(())
}

/// Writes lines, or the state in JSON; `false` when the reader has gone.
fn written(json: bool, state: &Value, lines: &[String]) -> Result<bool, Failed> {
    let mut stdout = io::stdout().lock();
    let result = match json {
        true => writeln!(stdout, "{state}"),
        false => lines.iter().try_for_each(|line| writeln!(stdout, "{} {line}", until::now())),
    };
    match result.and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failed::Other(format!("cannot write to stdout: {error}"))),
    }
}

/// A line a change.
fn changes(before: &State, now: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for gone in
        before.overrides.iter().filter(|old| !now.overrides.iter().any(|it| it.id == old.id && it.fleet == old.fleet))
    {
        lines.push(format!("{} is gone: {} ({})", gone.id, gone.values(), gone.scope()));
    }
    for it in &now.overrides {
        let old = before.overrides.iter().find(|old| old.id == it.id && old.fleet == it.fleet);
        match old {
            Some(old) if old == it => {}
            Some(_) => lines.push(format!("set again: {}", it.sentence())),
            None => lines.push(format!("set: {}", it.sentence())),
        }
    }
    let value = |state: &State, key: &str| state.configured.get(key).cloned().unwrap_or(Value::Null);
    let mut keys: Vec<&String> = before.configured.keys().chain(now.configured.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| value(before, key) != value(now, key)) {
        lines.push(format!("configured: {key} {} instead of {}", value(now, key), value(before, key)));
    }
    if lines.is_empty() && before.version != now.version {
        lines.push("the service started anew, or changed and changed back".to_owned());
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
    fn there_is_a_line_a_change() {
        let lines = changes(
            &state(1, "info", &[("a", "debug"), ("b", "debug")]),
            &state(4, "error", &[("b", "trace"), ("c", "debug")]),
        );
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "version 4: a is gone: log.level debug (everywhere)");
        assert!(lines[1].starts_with("version 4: set again: b: log.level trace (everywhere) until "), "{lines:?}");
        assert!(lines[2].starts_with("version 4: set: c: log.level debug"), "{lines:?}");
        assert_eq!(lines[3], "version 4: configured: log.level \"error\" instead of \"info\"");
        assert_eq!(changes(&state(1, "info", &[]), &state(1, "info", &[])), Vec::<String>::new());
    }
}
