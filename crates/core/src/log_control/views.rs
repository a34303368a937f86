//! What is read and sent, for the API document alone.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is on.
#[derive(ToSchema)]
#[schema(as = Log)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct LogView {
    /// Grows by one with each change of this process's policy.
    #[schema(example = 17)]
    version: u64,
    /// That of the overrides that the fleet shares; null while there are none.
    fleet_version: Option<u64>,
    /// The live settings as they are configured.
    #[schema(example = json!({"log.mode": "both", "log.level": "info"}))]
    configured: BTreeMap<String, Value>,
    /// The live settings in effect, for a record of no blueprint, module or route.
    #[schema(example = json!({"log.mode": "both", "log.level": "debug"}))]
    effective: BTreeMap<String, Value>,
    /// Those in force; a later one wins over those before it.
    overrides: Vec<OverrideView>,
}

/// An override in force.
#[derive(ToSchema)]
#[schema(as = Override)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct OverrideView {
    #[schema(example = "INC-421")]
    id: String,
    /// What it sets.
    #[schema(example = json!({"log.level": "debug"}))]
    set: BTreeMap<String, Value>,
    /// The blueprint that it is for.
    #[schema(nullable = false, example = "orders")]
    blueprint: Option<String>,
    /// The crate or module that it is for.
    #[schema(nullable = false)]
    module: Option<String>,
    /// The route that it is for.
    #[schema(nullable = false)]
    route: Option<String>,
    /// When it expires.
    #[schema(format = DateTime)]
    until: String,
    /// Why it was set.
    reason: String,
    /// Who set it.
    by: String,
    /// How it was set.
    #[schema(example = "http")]
    source: String,
    /// Whether all processes of the service share it.
    #[schema(nullable = false)]
    fleet: Option<bool>,
    /// The process's version after it was set; in the answer to that alone.
    #[schema(nullable = false)]
    version: Option<u64>,
    /// The fleet's version with it; in the answer to setting a fleet's override alone.
    #[schema(nullable = false)]
    fleet_version: Option<u64>,
}

/// An override to set.
#[derive(ToSchema)]
#[schema(as = NewOverride)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct NewOverrideView {
    /// Live settings and their values.
    #[schema(example = json!({"log.level": "debug"}))]
    set: BTreeMap<String, Value>,
    /// How long: `15m`, `1h30m`, `90s`, or a number of seconds; at most `log.override_max_s`.
    #[schema(rename = "for", example = "15m")]
    lasts: String,
    /// Why; for the audit.
    #[schema(min_length = 1, max_length = 200, example = "INC-421")]
    reason: String,
    /// For requests of this blueprint alone. At most one of `blueprint`, `module` and `route` is given.
    #[schema(nullable = false, example = "orders")]
    blueprint: Option<String>,
    /// For what this crate or module records alone.
    #[schema(nullable = false)]
    module: Option<String>,
    /// For requests of this route alone: `GET /orders/{id}`, or `/orders/{id}` for all methods.
    #[schema(nullable = false)]
    route: Option<String>,
    /// Whether all processes of the service share it.
    #[schema(nullable = false)]
    fleet: Option<bool>,
    /// Who sets it; the peer when not given.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    by: Option<String>,
    /// How it comes: `http` or `command`.
    #[schema(nullable = false)]
    source: Option<String>,
}

/// What an override would change.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct PreviewView {
    /// The cells of the table that change.
    changes: Vec<Cell>,
    /// The values that change, where the override applies.
    settings: Vec<ChangedSetting>,
    /// The version that it was compared with.
    version: u64,
}

/// A cell of the table.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described alone")]
struct Cell {
    /// The kind of record.
    #[schema(example = "line")]
    kind: String,
    /// The levels for which it changes alike.
    levels: Vec<String>,
    /// stderr, stack or sentry.
    #[schema(example = "stderr")]
    column: String,
    before: Value,
    after: Value,
    /// The module whose lines it is about, where that has a level of its own.
    #[schema(nullable = false)]
    module: Option<String>,
}

/// A live setting that changes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described alone")]
struct ChangedSetting {
    #[schema(example = "log.level")]
    key: String,
    before: Value,
    after: Value,
}

/// The table.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct TableView {
    /// What is compiled in.
    #[schema(example = json!({"sentry": true}))]
    features: BTreeMap<String, bool>,
    /// Its inputs.
    settings: BTreeMap<String, Value>,
    rows: Vec<TableRow>,
}

/// The levels for which records of one kind go the same way.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described alone")]
struct TableRow {
    #[schema(example = "line")]
    kind: String,
    levels: Vec<String>,
    /// Whether it is a line on stderr.
    stderr: bool,
    /// Whether its stack trace is on that line: `never`, `with_line` or `unless_sentry_takes_it`.
    stack: String,
    /// What Sentry gets: `nothing`, `breadcrumb` or `event`.
    sentry: String,
}

/// The processes of the service.
#[derive(ToSchema)]
#[schema(as = Fleet)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct FleetView {
    /// The version of the overrides that they share; null while there are none.
    version: Option<u64>,
    processes: Vec<ProcessView>,
}

/// A process of the service.
#[derive(ToSchema)]
#[schema(as = Process)]
#[expect(dead_code, reason = "it is described alone")]
struct ProcessView {
    id: Uuid,
    name: String,
    /// The version that it has applied.
    version: Option<u64>,
    /// When it was last heard of.
    #[schema(format = DateTime)]
    seen: String,
}
