//! Reading what is on.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use cyanotype_telemetry::effective::Origin;
use cyanotype_telemetry::explanation::Explanation;
use cyanotype_telemetry::{Kind, Policy};
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

use super::responses::{fleet_problem, versioned};
use crate::explain_output::ExplainOutput;
use crate::handler::extract::Query;
use crate::handler::problem::{FieldError, PROBLEM, Problem, Result};
use crate::log_control::scope::check_route;
use crate::log_control::state::{LogControl, LogControlState};
use crate::log_control::views::{FleetView, LogView, TableView};

/// What is on now.
///
/// The settings' values, the values in effect, and the overrides between the two. `effective` is for a record of no
/// blueprint, module or route.
#[utoipa::path(
    get,
    path = "/log",
    operation_id = "show_log",
    tag = "log",
    security(("token" = []), ()),
    responses(
        (status = 200, description = "What is on", body = LogView, headers(("etag" = String, description = "The version"))),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
    )
)]
pub(crate) async fn show(control: Data<LogControl>) -> HttpResponse {
    let snapshot = control.0.pipeline.effective().load_full();
    versioned(HttpResponse::Ok(), snapshot.version).json(snapshot.to_json())
}

/// The kind of record that the table is for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// of a request of this blueprint
    #[param(example = "orders")]
    blueprint: Option<String>,
    /// made by this crate or module
    #[param(example = "blueprint_orders::store")]
    module: Option<String>,
    /// of a request of this route
    #[param(example = "GET /orders/{id}")]
    route: Option<String>,
}

/// The table in force.
///
/// Which record goes where: of the whole process, or of a blueprint, module or route.
#[utoipa::path(
    get,
    path = "/log/explain",
    operation_id = "explain_log",
    tag = "log",
    params(ExplainQuery),
    security(("token" = []), ()),
    responses(
        (status = 200, description = "The table", body = TableView, headers(("etag" = String, description = "The version"))),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
        (status = 422, description = "There is no such blueprint or route", body = Problem, content_type = PROBLEM),
    )
)]
pub(crate) async fn explain(control: Data<LogControl>, Query(scope): Query<ExplainQuery>) -> Result {
    let control = &control.0;
    let module = scope.module.as_deref().map(|module| module.replace('-', "_"));
    let origin = control.origin(&scope, module.as_deref())?;
    let snapshot = control.pipeline.effective().load_full();
    let policy = |origin: &Origin<'_>| snapshot.in_force(origin).policy;
    // A module's lines may have a level of their own, by `log.levels`.
    let lines = module.is_some().then(|| policy(&Origin { is_line: true, ..origin }));
    Ok(versioned(HttpResponse::Ok(), snapshot.version)
        .json(ExplainOutput::from(table(&policy(&origin), lines.as_ref()))))
}

fn table(policy: &Policy, lines: Option<&Policy>) -> Explanation {
    let mut table = Explanation::of(policy);
    if let Some(lines) = lines {
        let of_lines = Explanation::of(lines).rows.into_iter().filter(|row| row.kind == Kind::Line);
        let others = table.rows.into_iter().filter(|row| row.kind != Kind::Line);
        table.rows = of_lines.chain(others).collect();
    }
    table
}

/// How far the processes of the service are.
///
/// The version of the overrides that they share, and the one that each of them has applied.
#[utoipa::path(
    get,
    path = "/log/fleet",
    operation_id = "show_fleet",
    tag = "log",
    security(("token" = []), ()),
    responses(
        (status = 200, description = "The processes", body = FleetView),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The database is away", body = Problem, content_type = PROBLEM),
    )
)]
pub(crate) async fn fleet(control: Data<LogControl>) -> Result {
    let status = control.0.fleet.status().await.map_err(fleet_problem)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(status))
}

impl LogControlState {
    fn origin<'a>(&'a self, scope: &'a ExplainQuery, module: Option<&'a str>) -> Result<Origin<'a>> {
        let mut wrong: Vec<FieldError> = Vec::new();
        wrong.extend(scope.blueprint.as_deref().and_then(|name| self.check_blueprint(name).err()));
        wrong.extend(scope.route.as_deref().and_then(|rule| check_route(rule, &self.routes).err()));
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        let route = scope.route.as_deref();
        let (method, path) = route.map_or(("", None), |rule| match rule.split_once(' ') {
            Some((method, path)) => (method, Some(path)),
            None => ("", Some(rule)),
        });
        let blueprint = scope.blueprint.as_deref().or_else(|| path.and_then(|path| self.blueprint_of(path)));
        Ok(Origin { blueprint, method, route: path, target: module.unwrap_or_default(), ..Origin::default() })
    }
}
