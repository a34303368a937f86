//! The API document of the management listener.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::Server;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::handlers;
use crate::handler::problem::{FieldError, Problem};
use crate::server::management;

/// What is on.
#[derive(ToSchema)]
#[schema(as = Log)]
#[expect(dead_code, reason = "it is described alone")]
pub(super) struct State {
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
pub(super) struct OverrideBody {
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
pub(super) struct Preview {
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
pub(super) struct Table {
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

#[derive(OpenApi)]
#[openapi(
    paths(
        management::live,
        management::ready,
        handlers::read::show,
        handlers::read::explain,
        handlers::read::fleet,
        handlers::change::put,
        handlers::change::clear,
    ),
    components(schemas(Problem, FieldError)),
    tags(
        (name = "health", description = "Whether the process runs, and whether it can answer requests"),
        (name = "log", description = "What is recorded now, and where it goes"),
    )
)]
struct Management;

/// The document.
pub(crate) fn document(name: &str, version: &str) -> Document {
    let mut document = Management::openapi();
    document.info.title = format!("{name}: management");
    document.info.version = version.to_owned();
    document.info.description = Some(
        "The health of the process, and what it records now. Every error under `/log` is `application/problem+json` \
         (RFC 9457). Over the Unix socket `management.socket` no token is asked for."
            .to_owned(),
    );
    document.info.license = None;
    document.info.contact = None;
    document.servers = Some(vec![Server::new("/")]);
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("`management.token`. Without one nothing is changed over TCP, and everything is read."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_every_route_of_the_listener() {
        let document = document("shop", "1.0");
        let paths: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
        let expected = ["/health/live", "/health/ready", "/log", "/log/explain", "/log/fleet", "/log/overrides/{id}"];
        assert_eq!(paths, expected);
        let put = document.paths.paths["/log/overrides/{id}"].put.as_ref().expect("it is described");
        for status in ["200", "201", "400", "401", "403", "409", "412", "413", "415", "422", "503"] {
            assert!(put.responses.responses.contains_key(status), "{status}");
        }
    }
}
