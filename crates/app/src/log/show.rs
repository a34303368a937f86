//! `app log show`.

use cyanotype::settings::Settings;

use super::expiry;
use super::view::{State, read};
use crate::client::Client;
use crate::error::CommandError;
use crate::print::{columns, print, to_json};

pub(super) fn show(settings: &Settings, json: bool) -> Result<(), CommandError> {
    let response = Client::new(settings)?.get("/log")?;
    if json {
        return print(&to_json(&response)?);
    }
    print(&text(&read(response)?))
}

fn text(state: &State) -> String {
    let version = match state.fleet_version {
        Some(fleet) => format!("version {}, fleet version {fleet}", state.version),
        None => format!("version {}", state.version),
    };
    let overrides = match state.overrides.is_empty() {
        true => "no overrides\n".to_owned(),
        false => {
            let heading = ["ID", "SETTINGS", "SCOPE", "UNTIL", "BY", "REASON"].map(str::to_owned).to_vec();
            let rows = state.overrides.iter().map(|it| {
                vec![it.id.clone(), it.values(), it.scope(), expiry::format(it.until), it.by.clone(), it.reason.clone()]
            });
            columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
        }
    };
    let differences = state.differences();
    let settings = match differences.is_empty() {
        true => "no process-wide setting differs from the configuration\n".to_owned(),
        false => {
            let heading = ["SETTING", "CONFIGURED", "NOW"].map(str::to_owned);
            columns(&[heading].into_iter().chain(differences).map(Vec::from).collect::<Vec<_>>())
        }
    };
    format!("{version}\n\n{overrides}\n{settings}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn overrides_and_differing_settings_are_tables() {
        let state = json!({
            "version": 3, "fleet_version": null,
            "configured": {"log.mode": "both", "log.level": "info"},
            "effective": {"log.mode": "both", "log.level": "debug", "log.levels.a": "trace"},
            "overrides": [{
                "id": "INC-1", "set": {"log.level": "debug"}, "until": "2999-01-01T00:00:00Z", "reason": "why", "by": "ada",
                "source": "http",
            }],
        });
        let output = text(&serde_json::from_value(state).expect("a state"));
        assert!(output.starts_with("version 3\n\nID     SETTINGS         SCOPE       UNTIL"), "{output}");
        assert!(output.contains("INC-1  log.level debug  everywhere  "), "{output}");
        assert!(
            output.ends_with(
                "SETTING       CONFIGURED  NOW\nlog.level     info        debug\nlog.levels.a  -           trace\n"
            ),
            "{output}"
        );
    }
}
