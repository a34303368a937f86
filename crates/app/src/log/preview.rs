//! The changes that an override would make.

use serde::Deserialize;
use serde_json::Value;

use super::view::text as value_text;
use crate::print::columns;

/// The response to a dry run.
#[derive(Debug, Deserialize)]
pub(super) struct Preview {
    changes: Vec<Cell>,
    settings: Vec<Setting>,
    pub version: u64,
}

#[derive(Debug, Deserialize)]
struct Cell {
    kind: cyanotype::Kind,
    levels: Vec<String>,
    column: String,
    before: Value,
    after: Value,
    #[serde(flatten)]
    scope: Scope,
}

#[derive(Debug, Deserialize)]
struct Setting {
    key: String,
    before: Value,
    after: Value,
    #[serde(flatten)]
    scope: Scope,
}

/// The scope of a change, if it differs from the scope of the override.
#[derive(Debug, Deserialize)]
struct Scope {
    process: Option<String>,
    blueprint: Option<String>,
    module: Option<String>,
    route: Option<String>,
}

impl Scope {
    /// Appends the scope, if there is one.
    fn append_to(&self, what: &str) -> String {
        let named = [("blueprint", &self.blueprint), ("module", &self.module), ("route", &self.route)];
        match named.into_iter().find_map(|(kind, name)| Some((kind, name.as_ref()?))) {
            Some((kind, name)) => format!("{what} ({kind} {name})"),
            None if self.process.is_some() => format!("{what} (everywhere)"),
            None => what.to_owned(),
        }
    }
}

impl Preview {
    /// The settings and table cells that change.
    pub(super) fn table(&self) -> String {
        if self.settings.is_empty() && self.changes.is_empty() {
            return "only the expiry changes\n".to_owned();
        }
        let mut text = String::new();
        if !self.settings.is_empty() {
            let heading = ["SETTING", "NOW", "THEN"].map(str::to_owned).to_vec();
            let rows = self
                .settings
                .iter()
                .map(|it| vec![it.scope.append_to(&it.key), value_text(&it.before), value_text(&it.after)]);
            text.push_str(&columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>()));
        }
        if self.changes.is_empty() {
            return format!("{text}\nthe table of `app log explain` does not change\n");
        }
        let heading = ["RECORD", "LEVEL", "DESTINATION", "NOW", "THEN"].map(str::to_owned).to_vec();
        let rows = self.changes.iter().map(|cell| {
            let what = cell.scope.append_to(what(cell.kind));
            vec![what, levels(&cell.levels), cell.column.clone(), value(cell, &cell.before), value(cell, &cell.after)]
        });
        format!("{text}\n{}", columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>()))
    }
}

fn what(kind: cyanotype::Kind) -> &'static str {
    cyanotype::explanation::KINDS.iter().find(|(other, ..)| *other == kind).map_or("", |(_, what, _)| what)
}

fn levels(levels: &[String]) -> String {
    match levels {
        [first, .., last] => format!("{first}..{last}"),
        [one] => one.clone(),
        [] => String::new(),
    }
}

/// A cell with the same text as in `app log explain`.
fn value(cell: &Cell, value: &Value) -> String {
    match (cell.column.as_str(), value) {
        ("stderr", Value::Bool(true)) => "a line".into(),
        (_, Value::Bool(false)) => "-".into(),
        (_, Value::String(word)) => match word.as_str() {
            "never" | "nothing" => "-".into(),
            "with_line" => "with the line".into(),
            "unless_sentry_takes_it" => "only if not sent to Sentry".into(),
            "breadcrumb" => "a breadcrumb".into(),
            "event" => "an event".into(),
            other => other.to_owned(),
        },
        (_, other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_have_the_same_text_as_in_explain() {
        let preview = json!({
            "version": 1,
            "settings": [{"key": "log.level", "before": "info", "after": "debug"}],
            "changes": [
                {"kind": "line", "levels": ["debug"], "column": "stderr", "before": false, "after": true},
                {"kind": "line", "levels": ["debug", "info"], "column": "sentry", "before": "nothing", "after": "event",
                    "module": "a"},
            ],
        });
        let preview: Preview = serde_json::from_value(preview).expect("a preview");
        let expected = "SETTING    NOW   THEN\nlog.level  info  debug\n\n\
                        RECORD                 LEVEL        DESTINATION  NOW  THEN\n\
                        a log line             debug        stderr       -    a line\n\
                        a log line (module a)  debug..info  sentry       -    an event\n";
        assert_eq!(preview.table(), expected);
    }
}
