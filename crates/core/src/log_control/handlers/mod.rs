//! The handlers of the routes under `/log`.

pub(crate) mod change;
pub(crate) mod read;
mod responses;

use actix_web::web::{self, ServiceConfig};

pub(super) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::get().to(read::show)))
        .service(web::resource("/explain").route(web::get().to(read::explain)))
        .service(web::resource("/fleet").route(web::get().to(read::fleet)))
        .service(
            web::resource("/overrides/{id}").route(web::put().to(change::put)).route(web::delete().to(change::clear)),
        );
}
