//! This blueprint's part of the API document.

use utoipa::OpenApi;

use crate::routes;

#[derive(OpenApi)]
#[openapi(paths(
    routes::sign_up,
    routes::list,
    routes::sessions::login,
    routes::sessions::logout,
    routes::sessions::list_sessions,
    routes::sessions::revoke_other_sessions,
    routes::sessions::revoke_session,
    routes::me,
    routes::read,
    routes::change,
    routes::delete
))]
struct Users;

pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Users::openapi();
    document.info.description = Some("Who may call, and how they show it".into());
    document
}
