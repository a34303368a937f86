//! Blueprints on an app.

use actix_web::dev::Service;
use actix_web::web::{self, ServiceConfig};
use cyanotype_telemetry::request;

use super::registry::Enabled;
use crate::handler::problem::{Problem, Result};

/// Puts each blueprint's routes below its prefix.
pub(crate) fn mount(config: &mut ServiceConfig, blueprints: &[Enabled]) {
    for Enabled { blueprint, .. } in blueprints {
        let name = blueprint.name();
        config.service(
            web::scope(blueprint.prefix())
                .configure(|scope| blueprint.routes(scope))
                .default_service(web::to(no_such_route))
                .wrap_fn(move |request, inner| {
                    request::with_current(|context| context.identity().set_blueprint(name));
                    inner.call(request)
                }),
        );
    }
}

/// 404
pub(crate) async fn no_such_route() -> Result {
    Err(Problem::not_found("route"))
}
