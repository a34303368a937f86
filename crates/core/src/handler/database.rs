//! The database as a handler argument.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::problem::Problem;
use crate::database::Database;

impl FromRequest for Database {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let database = request.app_data::<Database>().cloned();
        ready(database.ok_or_else(|| Problem::internal("the app has no database: register one with `app_data`")))
    }
}
