//! The OpenAPI document of the management listener.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::Server;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::handler::problem::{FieldError, Problem};
use crate::log_control::handlers;

#[derive(OpenApi)]
#[openapi(
    paths(
        crate::health::live,
        crate::health::ready,
        crate::metrics::metrics,
        handlers::read::show,
        handlers::read::explain,
        handlers::read::fleet,
        handlers::change::put,
        handlers::change::clear,
    ),
    components(schemas(Problem, FieldError)),
    tags(
        (name = "health", description = "Liveness and readiness of the process"),
        (name = "metrics", description = "Metrics for Prometheus"),
        (name = "log", description = "What is recorded now, and where records are sent"),
    )
)]
struct ManagementApi;

/// The OpenAPI document.
pub(super) fn document(name: &str, version: &str) -> Document {
    let mut document = ManagementApi::openapi();
    document.info.title = format!("{name}: management");
    document.info.version = version.to_owned();
    document.info.description = Some(
        "Health checks, metrics and log control of the process. Every error under `/log` is `application/problem+json` \
         (RFC 9457). Over the Unix socket `management.socket` requests need no token."
            .to_owned(),
    );
    document.info.license = None;
    document.info.contact = None;
    document.servers = Some(vec![Server::new("/")]);
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "`management.token`. When it is unset, reads over TCP need no token and changes are refused.",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_describes_health_checks_metrics_and_log_control() {
        let document = document("shop", "1.0");
        let paths: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
        let expected =
            ["/health/live", "/health/ready", "/log", "/log/explain", "/log/fleet", "/log/overrides/{id}", "/metrics"];
        assert_eq!(paths, expected);
        let put = document.paths.paths["/log/overrides/{id}"].put.as_ref().expect("it is described");
        for status in ["200", "201", "400", "401", "403", "409", "412", "413", "415", "422", "503"] {
            assert!(put.responses.responses.contains_key(status), "{status}");
        }
    }
}
