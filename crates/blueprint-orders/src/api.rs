//! This blueprint's part of the API document.

use utoipa::OpenApi;

use crate::routes;

#[derive(OpenApi)]
#[openapi(paths(routes::place, routes::list, routes::read, routes::pay, routes::ship, routes::cancel))]
struct Orders;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Orders::openapi();
    document.info.description = Some("What a caller has ordered, and what has become of it".into());
    document
}
