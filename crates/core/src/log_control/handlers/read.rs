//! Reading the logging policy in effect.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use cyanotype_telemetry::effective::RecordOrigin;
use cyanotype_telemetry::explanation::Explanation;
use cyanotype_telemetry::{Kind, Policy, split_rule};
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

use super::responses::{fleet_problem, versioned};
use crate::explain_output::ExplainOutput;
use crate::handler::extract::Query;
use crate::handler::problem::{FieldError, PROBLEM_JSON, Problem, Result};
use crate::log_control::scope::check_route;
use crate::log_control::state::{LogControl, LogControlState};
use crate::log_control::views::{FleetView, LogView, TableView};

/// Get the logging policy in effect
///
/// Returns the configured values, the values in effect, and the overrides that cause the difference. `effective` applies to a
/// record without a blueprint, module or route.
#[utoipa::path(
    get,
    path = "/log",
    operation_id = "show_log",
    tag = "log",
    security(("token" = []), ()),
    responses(
        (status = 200, description = "The policy in effect", body = LogView,
            headers(("etag" = String, description = "The policy version"))),
        (status = 401, description = "The token is missing or invalid", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn show(control: Data<LogControl>) -> HttpResponse {
    let snapshot = control.0.pipeline.effective().load_full();
    versioned(HttpResponse::Ok(), snapshot.version).json(snapshot.to_json())
}

/// Query parameters: the records for which the table is returned.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// Records of requests of this blueprint
    #[param(example = "orders")]
    blueprint: Option<String>,
    /// Records of this crate or module
    #[param(example = "blueprint_orders::store")]
    module: Option<String>,
    /// Records of requests of this route
    #[param(example = "GET /orders/{id}")]
    route: Option<String>,
}

/// Get the destination table in effect
///
/// Returns the destinations of each record, for the process or for a blueprint, module or route.
#[utoipa::path(
    get,
    path = "/log/explain",
    operation_id = "explain_log",
    tag = "log",
    params(ExplainQuery),
    security(("token" = []), ()),
    responses(
        (status = 200, description = "The destination table", body = TableView,
            headers(("etag" = String, description = "The policy version"))),
        (status = 401, description = "The token is missing or invalid", body = Problem, content_type = PROBLEM_JSON),
        (status = 422, description = "The blueprint or route is unknown", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn explain(control: Data<LogControl>, Query(scope): Query<ExplainQuery>) -> Result {
    let control = &control.0;
    let module = scope.module.as_deref().map(|module| module.replace('-', "_"));
    let origin = control.origin(&scope, module.as_deref())?;
    let snapshot = control.pipeline.effective().load_full();
    let policy = |origin: &RecordOrigin<'_>| snapshot.values_for(origin).policy;
    // `log.levels` may set a level for the module's log lines alone.
    let lines = module.is_some().then(|| policy(&RecordOrigin { is_line: true, ..origin }));
    Ok(versioned(HttpResponse::Ok(), snapshot.version)
        .json(ExplainOutput::from(table(&policy(&origin), lines.as_ref()))))
}

fn table(policy: &Policy, lines: Option<&Policy>) -> Explanation {
    let mut table = Explanation::new(policy);
    if let Some(lines) = lines {
        let line_rows = Explanation::new(lines).rows.into_iter().filter(|row| row.kind == Kind::Line);
        let others = table.rows.into_iter().filter(|row| row.kind != Kind::Line);
        table.rows = line_rows.chain(others).collect();
    }
    table
}

/// List the processes of the service
///
/// Returns the version of the shared overrides, and the version that each process has applied.
#[utoipa::path(
    get,
    path = "/log/fleet",
    operation_id = "show_fleet",
    tag = "log",
    security(("token" = []), ()),
    responses(
        (status = 200, description = "The processes", body = FleetView),
        (status = 401, description = "The token is missing or invalid", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is unavailable", body = Problem, content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn fleet(control: Data<LogControl>) -> Result {
    let status = control.0.fleet.status().await.map_err(fleet_problem)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(status))
}

impl LogControlState {
    fn origin<'a>(&'a self, scope: &'a ExplainQuery, module: Option<&'a str>) -> Result<RecordOrigin<'a>> {
        let mut wrong: Vec<FieldError> = Vec::new();
        wrong.extend(scope.blueprint.as_deref().and_then(|name| self.check_blueprint(name).err()));
        wrong.extend(scope.route.as_deref().and_then(|rule| check_route(rule, &self.routes).err()));
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        let (method, path) = scope.route.as_deref().map(split_rule).unzip();
        let blueprint = scope.blueprint.as_deref().or_else(|| path.and_then(|path| self.blueprint_of(path)));
        Ok(RecordOrigin {
            blueprint,
            method: method.flatten().unwrap_or_default(),
            route: path,
            target: module.unwrap_or_default(),
            ..RecordOrigin::default()
        })
    }
}
