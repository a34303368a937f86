//! The OpenAPI description of this blueprint's routes.

use utoipa::OpenApi;

use crate::routes;

#[derive(OpenApi)]
#[openapi(paths(routes::place, routes::list, routes::get, routes::pay, routes::ship, routes::cancel))]
struct Api;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    document.info.description = Some("Orders and their status, from placement to shipment or cancellation".into());
    document
}
