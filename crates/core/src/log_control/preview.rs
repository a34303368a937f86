//! What an override would change: the cells of the table, and the values where it applies.

use std::collections::BTreeSet;

use cyanotype_telemetry::Kind;
use cyanotype_telemetry::effective::{Origin, Override, OverrideScope, Refused, Snapshot, changed_cells};
use serde_json::{Map, Value, json};

use super::Shared;

impl Shared {
    /// The answer to a dry run; nothing changes.
    pub(super) fn preview(&self, new: &Override, expected: Option<u64>) -> Result<Value, Refused> {
        let (before, after) = self.pipeline.effective().preview(new.clone(), expected)?;
        // What it replaces does not apply any more, where that was.
        let old = before.overrides.iter().find(|old| old.id == new.id && old.fleet == new.fleet);
        let mut seen = Vec::new();
        let mut cells = Vec::new();
        let mut settings = Map::new();
        for it in old.into_iter().chain([new]) {
            let values = [&before, &after].map(|snapshot: &Snapshot| snapshot.values(&it.set, &it.scope));
            let [was, is] = &values;
            for (key, after) in is.iter().filter(|(key, after)| was.get(*key) != Some(after)) {
                let change = json!({"key": key, "before": was.get(key), "after": after});
                settings.insert(key.clone(), change);
            }
            if !seen.contains(&&it.scope) {
                cells.extend(self.cells(&it.scope, &before, &after));
                seen.push(&it.scope);
            }
        }
        for module in modules(new, old) {
            cells.extend(self.cells_of_module(module, &new.scope, &before, &after));
        }
        let settings: Vec<Value> = settings.into_iter().map(|(_, change)| change).collect();
        Ok(json!({"changes": cells, "settings": settings, "version": before.version}))
    }

    fn cells(&self, scope: &OverrideScope, before: &Snapshot, after: &Snapshot) -> Vec<Value> {
        let origin = self.example(scope);
        let policy = |snapshot: &Snapshot| snapshot.in_force(&origin).policy;
        changed_cells(&policy(before), &policy(after)).iter().map(|cell| json!(cell)).collect()
    }

    /// The cells of the lines of a module with a level of its own; each names the module.
    fn cells_of_module(
        &self,
        module: &str,
        scope: &OverrideScope,
        before: &Snapshot,
        after: &Snapshot,
    ) -> impl Iterator<Item = Value> {
        let origin = Origin { target: module, is_line: true, ..self.example(scope) };
        let policy = |snapshot: &Snapshot| snapshot.in_force(&origin).policy;
        let cells = changed_cells(&policy(before), &policy(after));
        cells.into_iter().filter(|cell| cell.kind == Kind::Line).map(move |cell| {
            let mut cell = json!(cell);
            cell["module"] = module.into();
            cell
        })
    }
}

fn modules<'a>(new: &'a Override, old: Option<&'a Override>) -> BTreeSet<&'a str> {
    old.into_iter().chain([new]).flat_map(|it| it.set.levels.keys()).map(String::as_str).collect()
}
