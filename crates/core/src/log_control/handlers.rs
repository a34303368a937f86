//! The handlers, one a route.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, RETRY_AFTER};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use cyanotype_telemetry::effective::{Origin, Override, Refused, Source};
use cyanotype_telemetry::explanation::Explanation;
use cyanotype_telemetry::{Kind, Policy};
use garde::Validate;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::document::{FleetView, OverrideBody, OverrideView, Preview, State, Table};
use super::new_override::{self, Body, NewOverride};
use super::peer::Peer;
use super::precondition::expected_version;
use super::refusals::Asked;
use super::scope::check_route;
use super::{LogControl, Shared};
use crate::explained::Explained;
use crate::fleet::{FleetError, NewFleetOverride, Stored};
use crate::handler::extract::{Json, Path, Query};
use crate::handler::problem::{FieldError, PROBLEM, Problem, Result};
use crate::time;

pub(super) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::get().to(show)))
        .service(web::resource("/explain").route(web::get().to(explain)))
        .service(web::resource("/fleet").route(web::get().to(fleet)))
        .service(web::resource("/overrides/{id}").route(web::put().to(put)).route(web::delete().to(clear)));
}

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
        (status = 200, description = "What is on", body = State, headers(("etag" = String, description = "The version"))),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn show(control: Data<LogControl>) -> HttpResponse {
    let snapshot = control.0.pipeline.effective().load_full();
    versioned(HttpResponse::Ok(), snapshot.version).json(snapshot.to_json())
}

/// For which record the table is asked.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Scope {
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
    params(Scope),
    security(("token" = []), ()),
    responses(
        (status = 200, description = "The table", body = Table, headers(("etag" = String, description = "The version"))),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
        (status = 422, description = "There is no such blueprint or route", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn explain(control: Data<LogControl>, Query(scope): Query<Scope>) -> Result {
    let control = &control.0;
    let module = scope.module.as_deref().map(|module| module.replace('-', "_"));
    let origin = control.origin(&scope, module.as_deref())?;
    let snapshot = control.pipeline.effective().load_full();
    let policy = |origin: &Origin<'_>| snapshot.in_force(origin).policy;
    // A module's lines may have a level of their own, by `log.levels`.
    let lines = module.is_some().then(|| policy(&Origin { is_line: true, ..origin }));
    Ok(versioned(HttpResponse::Ok(), snapshot.version).json(Explained::from(table(&policy(&origin), lines.as_ref()))))
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
pub(super) async fn fleet(control: Data<LogControl>) -> Result {
    let status = control.0.fleet.status().await.map_err(of_fleet)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(status))
}

/// How an override is set.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// whether nothing is changed: the answer says what would be
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

impl How {
    fn is_dry_run(&self) -> Result<bool> {
        match self.dry_run.as_deref() {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(_) => Err(Problem::invalid_field("dry_run", "allowed is true or false")),
        }
    }
}

/// Sets an override, or replaces the one of this id.
///
/// It applies at once, in this process alone or, with `fleet`, in all processes of the service. One that says the same again
/// lasts longer. With `dry_run` the answer says which cells of the table and which values would change.
#[utoipa::path(
    put,
    path = "/log/overrides/{id}",
    operation_id = "set_override",
    tag = "log",
    params(
        ("id" = String, Path, description = "The override's name: letters, digits and . _ : -", example = "INC-421"),
        How,
        ("if-match" = Option<String>, Header, description = "The version that the change is meant for, or *"),
    ),
    request_body = OverrideBody,
    security(("token" = [])),
    responses(
        (status = 200, description = "It is replaced or lasts longer; of a dry run: what would change",
            content((OverrideView = "application/json"), (Preview = "application/json"))),
        (status = 201, description = "It is set", body = OverrideView),
        (status = 400, description = "The id or the body cannot be read", body = Problem, content_type = PROBLEM),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
        (status = 403, description = "No token is configured, or the request is a web page's", body = Problem,
            content_type = PROBLEM),
        (status = 409, description = "There are too many overrides", body = Problem, content_type = PROBLEM),
        (status = 412, description = "The version is another one", body = Problem, content_type = PROBLEM),
        (status = 413, description = "The body is too large", body = Problem, content_type = PROBLEM),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = PROBLEM),
        (status = 422, description = "Fields are invalid; `errors` lists them", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The database is away, for a fleet's override", body = Problem,
            content_type = PROBLEM),
    )
)]
pub(super) async fn put(
    request: HttpRequest,
    control: Data<LogControl>,
    Path(id): Path<String>,
    Query(how): Query<How>,
    Json(Body(body)): Json<Body>,
) -> Result {
    let control = &control.0;
    check_id(&id)?;
    let is_dry_run = how.is_dry_run()?;
    let expected = expected_version(&request)?;
    let (by, source) = new_override::asked_by(&body);
    let by = by.unwrap_or_else(|| Peer::of(&request).name());
    request.extensions_mut().insert(Asked { by: by.clone(), source });
    let new = NewOverride::parse(&body, control.override_max).map_err(Problem::invalid)?;
    control.check_scope(&new.scope, new.fleet).map_err(|field| Problem::invalid(vec![field]))?;
    new.check_bodies(control.pipeline.effective().load().configured()).map_err(Problem::invalid)?;

    if !is_dry_run && new.fleet {
        control.check_version(expected)?;
        let NewOverride { set, scope, lasts, reason, .. } = new;
        let new = NewFleetOverride { id, set, scope, lasts, reason, by };
        let Stored { over, created, fleet_version } = control.fleet.put(new).await.map_err(of_fleet)?;
        let mut shown = over.to_json();
        shown.insert("fleet_version".to_owned(), fleet_version.into());
        return Ok(control.set(shown, created));
    }
    let over = override_of(id, new, by);
    if is_dry_run {
        let preview = control.preview(&over, expected).map_err(of_policy)?;
        return Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(preview));
    }
    let shown = over.to_json();
    let outcome = control.pipeline.set_override(over, expected).map_err(of_policy)?;
    Ok(control.set(shown, outcome.created))
}

/// Who clears an override, and why.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Clearing {
    /// who clears it, for the audit; the peer when not given
    by: Option<String>,
    /// why, for the audit
    reason: Option<String>,
    /// how it came, for the audit: http or command
    source: Option<String>,
}

/// Clears an override.
///
/// What the whole fleet shares is cleared in all its processes.
#[utoipa::path(
    delete,
    path = "/log/overrides/{id}",
    operation_id = "clear_override",
    tag = "log",
    params(
        ("id" = String, Path, description = "The override's name", example = "INC-421"),
        Clearing,
        ("if-match" = Option<String>, Header, description = "The version that the change is meant for, or *"),
    ),
    security(("token" = [])),
    responses(
        (status = 204, description = "It is cleared"),
        (status = 400, description = "The id cannot be read", body = Problem, content_type = PROBLEM),
        (status = 401, description = "The token is missing or wrong", body = Problem, content_type = PROBLEM),
        (status = 403, description = "No token is configured, or the request is a web page's", body = Problem,
            content_type = PROBLEM),
        (status = 404, description = "There is no such override", body = Problem, content_type = PROBLEM),
        (status = 412, description = "The version is another one", body = Problem, content_type = PROBLEM),
        (status = 422, description = "A parameter is invalid", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The database is away, for a fleet's override", body = Problem,
            content_type = PROBLEM),
    )
)]
pub(super) async fn clear(
    request: HttpRequest,
    control: Data<LogControl>,
    Path(id): Path<String>,
    Query(clearing): Query<Clearing>,
) -> Result {
    let control = &control.0;
    check_id(&id)?;
    let expected = expected_version(&request)?;
    let text = |field: &str, value: &Option<String>| match value {
        Some(value) => new_override::text(&Value::from(value.as_str()))
            .map(Some)
            .map_err(|message| Problem::invalid_field(field, message)),
        None => Ok(None),
    };
    let by = text("by", &clearing.by)?.unwrap_or_else(|| Peer::of(&request).name());
    let reason = text("reason", &clearing.reason)?.unwrap_or_default();
    let source = match clearing.source.as_deref() {
        None | Some("http") => Source::Http,
        Some("command") => Source::Command,
        Some(_) => return Err(Problem::invalid_field("source", "allowed is one of http, command")),
    };
    request.extensions_mut().insert(Asked { by: by.clone(), source });

    if control.pipeline.clear_override(&id, expected, &by, source, &reason).map_err(of_policy)? {
        return Ok(HttpResponse::NoContent().finish());
    }
    let is_shared = control.pipeline.snapshot().overrides.iter().any(|it| it.fleet && it.id == id);
    if is_shared && control.fleet.clear(&id, &by).await.map_err(of_fleet)? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::not_found("override"))
}

impl Shared {
    /// 201 or 200, with the override.
    fn set(&self, mut shown: Map<String, Value>, created: bool) -> HttpResponse {
        let version = self.pipeline.snapshot().version;
        shown.insert("version".to_owned(), version.into());
        let answer = if created { HttpResponse::Created() } else { HttpResponse::Ok() };
        versioned(answer, version).json(shown)
    }

    fn check_version(&self, expected: Option<u64>) -> Result<()> {
        let current = self.pipeline.snapshot().version;
        match expected {
            Some(expected) if expected != current => Err(of_policy(Refused::VersionMismatch { current, expected })),
            _ => Ok(()),
        }
    }

    fn origin<'a>(&'a self, scope: &'a Scope, module: Option<&'a str>) -> Result<Origin<'a>> {
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

fn override_of(id: String, new: NewOverride, by: String) -> Override {
    let NewOverride { set, scope, lasts, reason, source, fleet, .. } = new;
    let set_at = time::now();
    Override {
        id,
        set,
        scope,
        set_at,
        until: set_at + lasts,
        deadline: Instant::now() + lasts,
        reason,
        by,
        source,
        fleet,
    }
}

fn check_id(id: &str) -> Result<()> {
    let unreadable = |field| Problem::bad_request("the path cannot be read").with_fields(vec![field]);
    new_override::check_id(id).map_err(unreadable)
}

fn versioned(mut answer: actix_web::HttpResponseBuilder, version: u64) -> actix_web::HttpResponseBuilder {
    answer.insert_header((ETAG, format!("\"{version}\""))).insert_header((CACHE_CONTROL, "no-store"));
    answer
}

fn of_policy(refused: Refused) -> Problem {
    match refused {
        Refused::VersionMismatch { .. } => Problem::new(StatusCode::PRECONDITION_FAILED, refused.to_string()),
        Refused::TooMany => Problem::conflict(refused.to_string()),
    }
}

fn of_fleet(error: FleetError) -> Problem {
    match error {
        FleetError::TooMany => of_policy(Refused::TooMany),
        FleetError::Unavailable(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the fleet's overrides cannot be reached");
            let detail =
                "the database is away, so the fleet's overrides can neither be read nor changed; nothing has changed";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from_static("1"))
        }
    }
}
