//! The OpenAPI description of this blueprint's routes.

use utoipa::OpenApi;

use crate::routes;

#[derive(OpenApi)]
#[openapi(paths(
    routes::register,
    routes::list,
    routes::sessions::login,
    routes::sessions::logout,
    routes::sessions::list_sessions,
    routes::sessions::revoke_other_sessions,
    routes::sessions::revoke_session,
    routes::get_me,
    routes::get,
    routes::update,
    routes::delete
))]
struct Api;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    document.info.description = Some("Registration, login, sessions and user accounts".into());
    document
}
