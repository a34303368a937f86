//! Setting and clearing overrides.

use std::time::Instant;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use cyanotype_telemetry::effective::{Override, OverrideError, Source};
use garde::Validate;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;

use super::responses::{fleet_problem, policy_problem, versioned};
use crate::fleet::{NewFleetOverride, StoredOverride};
use crate::handler::extract::{Json, Path, Query};
use crate::handler::problem::{PROBLEM_JSON, Problem, Result};
use crate::log_control::new_override::{self, NewOverride, OverrideBody};
use crate::log_control::peer::Peer;
use crate::log_control::precondition::expected_version;
use crate::log_control::refusals::Requester;
use crate::log_control::state::{LogControl, LogControlState};
use crate::log_control::views::{NewOverrideView, OverrideView, PreviewView};
use crate::time;

/// Query parameters for setting an override.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(crate) struct SetQuery {
    /// Preview only: the response lists the changes, and nothing is changed
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
}

impl SetQuery {
    fn is_dry_run(&self) -> Result<bool> {
        match self.dry_run.as_deref() {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(_) => Err(Problem::invalid_field("dry_run", "expected true or false")),
        }
    }
}

/// Set or replace an override
///
/// It applies immediately, in this process or, with `fleet`, in all processes of the service. Repeating the same override
/// extends it. With `dry_run` the response lists the policy cells and values that would change.
#[utoipa::path(
    put,
    path = "/log/overrides/{id}",
    operation_id = "set_override",
    tag = "log",
    params(
        ("id" = String, Path, description = "The override's name: letters, digits and . _ : -", example = "INC-421"),
        SetQuery,
        ("if-match" = Option<String>, Header, description = "The policy version that the change expects, or *"),
    ),
    request_body = NewOverrideView,
    security(("token" = [])),
    responses(
        (status = 200, description = "The override is replaced or extended; for a dry run, the changes",
            content((OverrideView = "application/json"), (PreviewView = "application/json"))),
        (status = 201, description = "The override is set", body = OverrideView),
        (status = 400, description = "The id or the body is malformed", body = Problem, content_type = PROBLEM_JSON),
        (status = 401, description = "The token is missing or invalid", body = Problem, content_type = PROBLEM_JSON),
        (status = 403, description = "No token is configured, or the request is from a web page", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 409, description = "The maximum number of overrides is reached", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The current version differs from `if-match`", body = Problem, content_type = PROBLEM_JSON),
        (status = 413, description = "The body is too large", body = Problem, content_type = PROBLEM_JSON),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = PROBLEM_JSON),
        (status = 422, description = "Fields are invalid; `errors` lists them", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is unavailable, for a fleet override", body = Problem,
            content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn put(
    request: HttpRequest,
    control: Data<LogControl>,
    Path(id): Path<String>,
    Query(query): Query<SetQuery>,
    Json(OverrideBody(body)): Json<OverrideBody>,
) -> Result {
    let control = &control.0;
    check_id(&id)?;
    let is_dry_run = query.is_dry_run()?;
    let expected = expected_version(&request)?;
    let (by, source) = new_override::requester(&body);
    let by = by.unwrap_or_else(|| Peer::of(&request).name());
    request.extensions_mut().insert(Requester { by: by.clone(), source });
    let new = NewOverride::parse(&body, control.override_max).map_err(Problem::invalid)?;
    control.check_scope(&new.scope, new.fleet).map_err(|field| Problem::invalid(vec![field]))?;
    new.check_bodies(control.pipeline.effective().load().configured()).map_err(Problem::invalid)?;

    if !is_dry_run && new.fleet {
        control.check_version(expected)?;
        let NewOverride { set, scope, duration, reason, .. } = new;
        let new = NewFleetOverride { id, set, scope, duration, reason, by };
        let StoredOverride { policy_override, created, fleet_version } =
            control.fleet.put(new).await.map_err(fleet_problem)?;
        let mut shown = policy_override.to_json();
        shown.insert("fleet_version".to_owned(), fleet_version.into());
        return Ok(control.override_response(shown, created));
    }
    let policy_override = override_of(id, new, by);
    if is_dry_run {
        let preview = control.preview(&policy_override, expected).map_err(|refused| policy_problem(&refused))?;
        return Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(preview));
    }
    let shown = policy_override.to_json();
    let outcome =
        control.pipeline.set_override(&policy_override, expected).map_err(|refused| policy_problem(&refused))?;
    Ok(control.override_response(shown, outcome.created))
}

/// Query parameters for clearing an override.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClearQuery {
    /// Who clears it, for the audit; defaults to the peer
    by: Option<String>,
    /// Reason, for the audit
    reason: Option<String>,
    /// Channel of the request, for the audit: http or command
    source: Option<String>,
}

/// Clear an override
///
/// A fleet override is cleared in all processes.
#[utoipa::path(
    delete,
    path = "/log/overrides/{id}",
    operation_id = "clear_override",
    tag = "log",
    params(
        ("id" = String, Path, description = "The override's name", example = "INC-421"),
        ClearQuery,
        ("if-match" = Option<String>, Header, description = "The policy version that the change expects, or *"),
    ),
    security(("token" = [])),
    responses(
        (status = 204, description = "The override is cleared"),
        (status = 400, description = "The id is malformed", body = Problem, content_type = PROBLEM_JSON),
        (status = 401, description = "The token is missing or invalid", body = Problem, content_type = PROBLEM_JSON),
        (status = 403, description = "No token is configured, or the request is from a web page", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 404, description = "There is no override with this id", body = Problem, content_type = PROBLEM_JSON),
        (status = 412, description = "The current version differs from `if-match`", body = Problem, content_type = PROBLEM_JSON),
        (status = 422, description = "A parameter is invalid", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is unavailable, and the override is none of this process alone", body = Problem,
            content_type = PROBLEM_JSON),
    )
)]
pub(crate) async fn clear(
    request: HttpRequest,
    control: Data<LogControl>,
    Path(id): Path<String>,
    Query(query): Query<ClearQuery>,
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
    let by = text("by", &query.by)?.unwrap_or_else(|| Peer::of(&request).name());
    let reason = text("reason", &query.reason)?.unwrap_or_default();
    let source = match query.source.as_deref() {
        None | Some("http") => Source::Http,
        Some("command") => Source::Command,
        Some(_) => return Err(Problem::invalid_field("source", "expected one of http, command")),
    };
    request.extensions_mut().insert(Requester { by: by.clone(), source });

    if control
        .pipeline
        .clear_override(&id, expected, &by, source, &reason)
        .map_err(|refused| policy_problem(&refused))?
    {
        return Ok(HttpResponse::NoContent().finish());
    }
    // A fleet override may not have reached this process yet, so only the database can say that there is none.
    match control.fleet.clear(&id, &by).await {
        Ok(true) => Ok(HttpResponse::NoContent().finish()),
        Ok(false) => Err(Problem::not_found("override")),
        Err(error) => Err(fleet_problem(error)),
    }
}

impl LogControlState {
    /// The response with the override: 201 when it is new, otherwise 200.
    fn override_response(&self, mut shown: Map<String, Value>, created: bool) -> HttpResponse {
        let version = self.pipeline.snapshot().version;
        shown.insert("version".to_owned(), version.into());
        let response = if created { HttpResponse::Created() } else { HttpResponse::Ok() };
        versioned(response, version).json(shown)
    }

    fn check_version(&self, expected: Option<u64>) -> Result<()> {
        let current = self.pipeline.snapshot().version;
        match expected {
            Some(expected) if expected != current => {
                Err(policy_problem(&OverrideError::VersionMismatch { current, expected }))
            }
            _ => Ok(()),
        }
    }
}

fn override_of(id: String, new: NewOverride, by: String) -> Override {
    let NewOverride { set, scope, duration, reason, source, fleet, .. } = new;
    let set_at = time::now();
    Override {
        id,
        set,
        scope,
        set_at,
        until: set_at + duration,
        deadline: Instant::now() + duration,
        reason,
        by,
        source,
        fleet,
    }
}

fn check_id(id: &str) -> Result<()> {
    let unreadable = |field| Problem::bad_request("invalid path").with_fields(vec![field]);
    new_override::check_id(id).map_err(unreadable)
}
