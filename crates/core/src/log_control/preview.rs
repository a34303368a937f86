//! The preview of an override: the policy cells and values that it would change.

use std::collections::BTreeSet;

use cyanotype_telemetry::Kind;
use cyanotype_telemetry::effective::{Override, OverrideError, OverrideScope, RecordOrigin, Snapshot, changed_cells};
use serde_json::{Value, json};

use super::state::LogControlState;

impl LogControlState {
    /// The response to a dry run; nothing changes.
    pub(super) fn preview(&self, new: &Override, expected: Option<u64>) -> Result<Value, OverrideError> {
        let (before, after) = self.pipeline.effective().preview(new.clone(), expected)?;
        // The override that it replaces no longer applies in its own scope.
        let old = before.overrides.iter().find(|old| old.id == new.id && old.fleet == new.fleet);
        let mut cells = Vec::new();
        let mut settings = Vec::new();
        for it in old.into_iter().chain([new]) {
            // A change in the replaced override's scope names that scope.
            let other_scope = (it.scope != new.scope).then(|| (it.scope.kind(), it.scope.name()));
            let [was, is] = [&before, &after].map(|snapshot: &Snapshot| snapshot.values_in_scope(&it.set, &it.scope));
            for (key, after) in is.iter().filter(|(key, after)| was.get(*key) != Some(after)) {
                let change = with_scope(json!({"key": key, "before": was.get(key), "after": after}), other_scope);
                if !settings.contains(&change) {
                    settings.push(change);
                }
            }
            if other_scope.is_some() || std::ptr::eq(it, new) {
                let changed = self.cells(&it.scope, &before, &after);
                cells.extend(changed.into_iter().map(|cell| with_scope(cell, other_scope)));
            }
        }
        for module in modules(new, old) {
            cells.extend(self.cells_of_module(module, &new.scope, &before, &after));
        }
        Ok(json!({"changes": cells, "settings": settings, "version": before.version}))
    }

    fn cells(&self, scope: &OverrideScope, before: &Snapshot, after: &Snapshot) -> Vec<Value> {
        let origin = self.example(scope);
        let policy = |snapshot: &Snapshot| snapshot.values_for(&origin).policy;
        changed_cells(&policy(before), &policy(after)).iter().map(|cell| json!(cell)).collect()
    }

    /// The cells for log lines of a module with its own level; each names the module.
    fn cells_of_module(&self, module: &str, scope: &OverrideScope, before: &Snapshot, after: &Snapshot) -> Vec<Value> {
        let origin = RecordOrigin { target: module, is_line: true, ..self.example(scope) };
        let policy = |snapshot: &Snapshot| snapshot.values_for(&origin).policy;
        let cells = changed_cells(&policy(before), &policy(after));
        let line_cells = cells.into_iter().filter(|cell| cell.kind == Kind::Line);
        line_cells.map(|cell| with_scope(json!(cell), Some(("module", module)))).collect()
    }
}

/// Adds the scope of a change.
fn with_scope(mut change: Value, scope: Option<(&str, &str)>) -> Value {
    if let Some((kind, name)) = scope {
        change[kind] = name.into();
    }
    change
}

fn modules<'a>(new: &'a Override, old: Option<&'a Override>) -> BTreeSet<&'a str> {
    old.into_iter().chain([new]).flat_map(|it| it.set.levels.keys()).map(String::as_str).collect()
}
