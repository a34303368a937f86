//! `app log show`.

use cyanotype::settings::Settings;

use super::client::Client;
use super::until;
use super::view::{State, read};
use crate::failed::Failed;
use crate::print::{columns, print, to_json};

pub(super) fn answer(settings: &Settings, json: bool) -> Result<(), Failed> {
    let shown = Client::new(settings)?.get("/log")?;
    if json {
        return print(&to_json(&shown)?);
    }
    print(&text(&read(shown)?))
}

fn text(state: &State) -> String {
    let version = match state.fleet_version {
        Some(fleet) => format!("version {}, of the fleet {fleet}", state.version),
        None => format!("version {}", state.version),
    };
    let overrides = match state.overrides.is_empty() {
        true => "no overrides\n".to_owned(),
        false => {
            let heading = ["ID", "SETS", "WHERE", "UNTIL", "BY", "REASON"].map(str::to_owned).to_vec();
            let rows = state.overrides.iter().map(|it| {
                vec![it.id.clone(), it.values(), it.scope(), until::shown(it.until), it.by.clone(), it.reason.clone()]
            });
            columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>())
        }
    };
    let differences = state.differences();
    let settings = match differences.is_empty() {
        true => "outside of blueprints, modules and routes everything is as configured\n".to_owned(),
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
    fn overrides_and_what_differs_are_tables() {
        let state = json!({
            "version": 3, "fleet_version": null,
            "configured": {"log.mode": "both", "log.level": "info"},
            "effective": {"log.mode": "both", "log.level": "debug", "log.levels.a": "trace"},
            "overrides": [{
                "id": "INC-1", "set": {"log.level": "debug"}, "until": "2999-01-01T00:00:00Z", "reason": "why", "by": "ada",
                "source": "http",
            }],
        });
        let shown = text(&serde_json::from_value(state).expect("a state"));
        assert!(shown.starts_with("version 3\n\nID     SETS             WHERE       UNTIL"), "{shown}");
        assert!(shown.contains("INC-1  log.level debug  everywhere  "), "{shown}");
        assert!(
            shown.ends_with(
                "SETTING       CONFIGURED  NOW\nlog.level     info        debug\nlog.levels.a  -           trace\n"
            ),
            "{shown}"
        );
    }
}
