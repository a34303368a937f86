//! Schemas of requests and responses, for the OpenAPI document.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The logging policy in effect.
#[derive(ToSchema)]
#[schema(as = Log)]
#[expect(dead_code, reason = "describes the schema only")]
pub(super) struct LogView {
    /// Version of this process's policy; each change increments it.
    #[schema(example = 17)]
    version: u64,
    /// Version of the overrides shared by the fleet; null until the first fleet override.
    fleet_version: Option<u64>,
    /// The live settings as configured.
    #[schema(example = json!({"log.mode": "both", "log.level": "info"}))]
    configured: BTreeMap<String, Value>,
    /// The live settings in effect for a record without a blueprint, module or route.
    #[schema(example = json!({"log.mode": "both", "log.level": "debug"}))]
    effective: BTreeMap<String, Value>,
    /// The overrides in effect; a later one takes precedence.
    overrides: Vec<OverrideView>,
}

/// An override in effect.
#[derive(ToSchema)]
#[schema(as = Override)]
#[expect(dead_code, reason = "describes the schema only")]
pub(super) struct OverrideView {
    #[schema(example = "INC-421")]
    id: String,
    /// Live settings and their values.
    #[schema(example = json!({"log.level": "debug"}))]
    set: BTreeMap<String, Value>,
    /// The blueprint to which it applies.
    #[schema(nullable = false, example = "orders")]
    blueprint: Option<String>,
    /// The crate or module to which it applies.
    #[schema(nullable = false)]
    module: Option<String>,
    /// The route to which it applies.
    #[schema(nullable = false)]
    route: Option<String>,
    /// When it expires.
    #[schema(format = DateTime)]
    until: String,
    /// Why it was set.
    reason: String,
    /// Who set it.
    by: String,
    /// Channel through which it was set.
    #[schema(example = "http")]
    source: String,
    /// Whether it applies to all processes of the service.
    #[schema(nullable = false)]
    fleet: Option<bool>,
    /// The process's policy version after the change; only in the response to the change.
    #[schema(nullable = false)]
    version: Option<u64>,
    /// The fleet's version after the change; only in the response to setting a fleet override.
    #[schema(nullable = false)]
    fleet_version: Option<u64>,
}

/// An override to set.
#[derive(ToSchema)]
#[schema(as = NewOverride)]
#[expect(dead_code, reason = "describes the schema only")]
pub(super) struct NewOverrideView {
    /// Live settings and their values.
    #[schema(example = json!({"log.level": "debug"}))]
    set: BTreeMap<String, Value>,
    /// Duration: `15m`, `1h30m`, `90s`, or a number of seconds; at most `log.override_max_s`.
    #[schema(rename = "for", example = "15m")]
    duration: String,
    /// Reason, for the audit.
    #[schema(min_length = 1, max_length = 200, example = "INC-421")]
    reason: String,
    /// Applies to requests of this blueprint only. At most one of `blueprint`, `module` and `route` is allowed.
    #[schema(nullable = false, example = "orders")]
    blueprint: Option<String>,
    /// Applies to records of this crate or module only.
    #[schema(nullable = false)]
    module: Option<String>,
    /// Applies to requests of this route only: `GET /orders/{id}`, or `/orders/{id}` for all methods.
    #[schema(nullable = false)]
    route: Option<String>,
    /// Whether it applies to all processes of the service.
    #[schema(nullable = false)]
    fleet: Option<bool>,
    /// Who sets it; defaults to the peer.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    by: Option<String>,
    /// Channel of the request: `http` or `command`.
    #[schema(nullable = false)]
    source: Option<String>,
}

/// The changes that an override would make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the schema only")]
pub(super) struct PreviewView {
    /// The cells of the destination table that change.
    changes: Vec<Cell>,
    /// The values that change where the override applies.
    settings: Vec<ChangedSetting>,
    /// The version on which the preview is based.
    version: u64,
}

/// A cell of the destination table.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the schema only")]
struct Cell {
    /// The kind of record.
    #[schema(example = "line")]
    kind: String,
    /// The levels with the same change.
    levels: Vec<String>,
    /// The column: stderr, stack, sentry or logs.
    #[schema(example = "stderr")]
    column: String,
    before: Value,
    after: Value,
    /// Empty if the change applies to the process: the scope of the replaced override.
    #[schema(nullable = false)]
    process: Option<String>,
    /// The blueprint to which the change applies: the scope of the replaced override.
    #[schema(nullable = false)]
    blueprint: Option<String>,
    /// The module to which the change applies: one with its own level, or the scope of the replaced override.
    #[schema(nullable = false)]
    module: Option<String>,
    /// The route to which the change applies: the scope of the replaced override.
    #[schema(nullable = false)]
    route: Option<String>,
}

/// A live setting that changes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the schema only")]
struct ChangedSetting {
    #[schema(example = "log.level")]
    key: String,
    before: Value,
    after: Value,
    /// Empty if the change applies to the process: the scope of the replaced override.
    #[schema(nullable = false)]
    process: Option<String>,
    /// The blueprint to which the change applies: the scope of the replaced override.
    #[schema(nullable = false)]
    blueprint: Option<String>,
    /// The module to which the change applies: the scope of the replaced override.
    #[schema(nullable = false)]
    module: Option<String>,
    /// The route to which the change applies: the scope of the replaced override.
    #[schema(nullable = false)]
    route: Option<String>,
}

/// The destination table.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the schema only")]
pub(super) struct TableView {
    /// The compiled-in features.
    #[schema(example = json!({"sentry": true}))]
    features: BTreeMap<String, bool>,
    /// The inputs of the table.
    settings: BTreeMap<String, Value>,
    rows: Vec<TableRow>,
}

/// The destinations of the records of one kind at some levels.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the schema only")]
struct TableRow {
    #[schema(example = "line")]
    kind: String,
    levels: Vec<String>,
    /// Whether the record is written to stderr.
    stderr: bool,
    /// When its stack trace is written to stderr: `never`, `with_line` or `unless_sentry_takes_it`.
    stack: String,
    /// What Sentry gets: `nothing`, `breadcrumb` or `event`.
    sentry: String,
    /// Whether the record is also a line of Sentry's Logs; absent if not.
    #[schema(nullable = false)]
    logs: Option<bool>,
}

/// The processes of the service.
#[derive(ToSchema)]
#[schema(as = Fleet)]
#[expect(dead_code, reason = "describes the schema only")]
pub(super) struct FleetView {
    /// Version of the shared overrides; null until the first fleet override.
    version: Option<u64>,
    processes: Vec<ProcessView>,
}

/// A process of the service.
#[derive(ToSchema)]
#[schema(as = Process)]
#[expect(dead_code, reason = "describes the schema only")]
struct ProcessView {
    id: Uuid,
    name: String,
    /// The version that it has applied.
    version: Option<u64>,
    /// When it last reported its version.
    #[schema(format = DateTime)]
    seen: String,
}
