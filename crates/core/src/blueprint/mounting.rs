//! Mounts blueprints on an app.

use actix_web::dev::Service;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use cyanotype_telemetry::request;

use super::registry::EnabledBlueprint;
use crate::flags::{RequestFlags, evaluate_request_flags};
use crate::handler::problem::{Problem, Result};
use crate::middleware::optional_layer::OptionalLayer;

/// Mounts each blueprint's routes below its prefix.
pub(crate) fn mount(config: &mut ServiceConfig, blueprints: &[EnabledBlueprint], flags: Option<&RequestFlags>) {
    for EnabledBlueprint { blueprint, .. } in blueprints {
        let name = blueprint.name();
        let flags = flags
            .cloned()
            .map(|flags| from_fn(move |request, next| evaluate_request_flags(flags.clone(), request, next)));
        config.service(
            web::scope(blueprint.prefix())
                .configure(|scope| blueprint.routes(scope))
                .default_service(web::to(no_such_route))
                // Wrapped by the layer that sets the blueprint's name, because flags may depend on it.
                .wrap(OptionalLayer { layer: flags, map_response: |response| response })
                .wrap_fn(move |request, inner| {
                    request::with_current(|context| context.identity().set_blueprint(name));
                    inner.call(request)
                }),
        );
    }
}

/// 404 for a path without a route.
pub(crate) async fn no_such_route() -> Result {
    Err(Problem::not_found("route"))
}
