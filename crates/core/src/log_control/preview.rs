//! What an override would change: the cells of the table, and the values where it applies.

use std::collections::BTreeSet;

use cyanotype_telemetry::Kind;
use cyanotype_telemetry::effective::{Origin, Override, OverrideScope, Refused, Snapshot, changed_cells};
use serde_json::{Value, json};

use super::state::LogControlState;

impl LogControlState {
    /// The answer to a dry run; nothing changes.
    pub(super) fn preview(&self, new: &Override, expected: Option<u64>) -> Result<Value, Refused> {
        let (before, after) = self.pipeline.effective().preview(new.clone(), expected)?;
        // What it replaces does not apply any more, where that was.
        let old = before.overrides.iter().find(|old| old.id == new.id && old.fleet == new.fleet);
        let mut cells = Vec::new();
        let mut settings = Vec::new();
        for it in old.into_iter().chain([new]) {
            // What changes where the override was, and is not any more, names that.
            let elsewhere = (it.scope != new.scope).then(|| it.scope.key_value().unwrap_or(("process", "")));
            let [was, is] = [&before, &after].map(|snapshot: &Snapshot| snapshot.values(&it.set, &it.scope));
            for (key, after) in is.iter().filter(|(key, after)| was.get(*key) != Some(after)) {
                let change = with(json!({"key": key, "before": was.get(key), "after": after}), elsewhere);
                if !settings.contains(&change) {
                    settings.push(change);
                }
            }
            if elsewhere.is_some() || std::ptr::eq(it, new) {
                let changed = self.cells(&it.scope, &before, &after);
                cells.extend(changed.into_iter().map(|cell| with(cell, elsewhere)));
            }
        }
        for module in modules(new, old) {
            cells.extend(self.cells_of_module(module, &new.scope, &before, &after));
        }
        Ok(json!({"changes": cells, "settings": settings, "version": before.version}))
    }

    fn cells(&self, scope: &OverrideScope, before: &Snapshot, after: &Snapshot) -> Vec<Value> {
        let origin = self.example(scope);
        let policy = |snapshot: &Snapshot| snapshot.in_force(&origin).policy;
        changed_cells(&policy(before), &policy(after)).iter().map(|cell| json!(cell)).collect()
    }

    /// The cells of the lines of a module with a level of its own; each names the module.
    fn cells_of_module(&self, module: &str, scope: &OverrideScope, before: &Snapshot, after: &Snapshot) -> Vec<Value> {
        let origin = Origin { target: module, is_line: true, ..self.example(scope) };
        let policy = |snapshot: &Snapshot| snapshot.in_force(&origin).policy;
        let cells = changed_cells(&policy(before), &policy(after));
        let of_lines = cells.into_iter().filter(|cell| cell.kind == Kind::Line);
        of_lines.map(|cell| with(json!(cell), Some(("module", module)))).collect()
    }
}

/// Adds where a change applies.
fn with(mut change: Value, place: Option<(&str, &str)>) -> Value {
    if let Some((kind, name)) = place {
        change[kind] = name.into();
    }
    change
}

fn modules<'a>(new: &'a Override, old: Option<&'a Override>) -> BTreeSet<&'a str> {
    old.into_iter().chain([new]).flat_map(|it| it.set.levels.keys()).map(String::as_str).collect()
}
