//! The database as an argument of handlers.

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
        ready(database.ok_or_else(|| Problem::internal("this service was started without a database")))
    }
}
