//! Errors of types that are not the service's own: `GET /probe/errors/{kind}` fails with one, and
//! `GET /probe/actix_errors/{kind}` with one of actix-web, or of the handler's own response error.

use std::error::Error;
use std::{fmt, fs, io};

use actix_web::error::{ErrorInternalServerError, JsonPayloadError};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};
use anyhow::Context;
use cyanotype::{Problem, Result};

pub(super) fn routes(scope: &mut ServiceConfig) {
    scope.service(web::resource("/errors/{kind}").route(web::get().to(fail)));
    scope.service(web::resource("/actix_errors/unconfigured").route(web::get().to(unconfigured)));
    scope.service(web::resource("/actix_errors/{kind}").route(web::get().to(fail_of_actix)));
}

/// An error that displays its source, like those that `thiserror` calls transparent.
#[derive(Debug)]
struct Transparent(anyhow::Error);

impl fmt::Display for Transparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Transparent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.chain().nth(1)
    }
}

/// An error with a source and a hand-written `Debug`.
struct Rejection(std::num::ParseIntError);

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection rejected")
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rejected by the peer")
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn rejection() -> Rejection {
    Rejection("x".parse::<u8>().expect_err("it is no number"))
}

fn missing_file() -> io::Error {
    fs::read("/nonexistent/configuration").expect_err("there is no such file")
}

fn load() -> anyhow::Result<u8> {
    fs::read("/nonexistent/configuration").context("connection settings cannot be read")?;
    Ok(0)
}

async fn fail(kind: web::Path<String>) -> Result {
    match kind.as_str() {
        "anyhow_message" => return Err(anyhow::anyhow!("connection refused by warehouse 7").into()),
        "anyhow_context" => {
            load()?;
        }
        "anyhow_typed" => return Err(anyhow::Error::new(rejection()).into()),
        "eyre_context" => {
            let result = Err::<(), _>(missing_file());
            eyre::WrapErr::wrap_err(result, "connection settings cannot be read")?;
        }
        "boxed" => {
            let boxed: Box<dyn Error + Send + Sync> = Box::new(missing_file());
            return Err(boxed.into());
        }
        "boxed_local" => {
            let boxed: Box<dyn Error> = Box::new(missing_file());
            return Err(Problem::internal_from(&*boxed));
        }
        "text" => return Err("connection refused".to_owned().into()),
        "io_custom" => return Err(io::Error::other(rejection()).into()),
        "io_text" => return Err(io::Error::other("connection refused").into()),
        "transparent" => return Err(Transparent(anyhow::Error::new(missing_file())).into()),
        "own" => return Err(rejection().into()),
        _ => {}
    }
    Err(Problem::not_found("kind"))
}

/// A response error with a source.
#[derive(Debug, thiserror::Error)]
#[error("no stock")]
struct StockError(#[source] Rejection);

impl ResponseError for StockError {}

/// The same as [`StockError`], registered with the service.
#[derive(Debug, thiserror::Error)]
#[error("no delivery")]
pub struct RegisteredError(#[source] StockError);

impl ResponseError for RegisteredError {}

async fn fail_of_actix(kind: web::Path<String>) -> actix_web::Result<HttpResponse> {
    Err(match kind.as_str() {
        "json" => {
            let json = serde_json::from_str::<u8>("x").expect_err("it is no number");
            JsonPayloadError::Serialize(json).into()
        }
        "internal_error" => ErrorInternalServerError(rejection()),
        "unregistered" => StockError(rejection()).into(),
        "registered" => RegisteredError(StockError(rejection())).into(),
        "boxed" => {
            let boxed: Box<dyn Error> = Box::new(StockError(rejection()));
            boxed.into()
        }
        text => ErrorInternalServerError(text.to_owned()),
    })
}

/// Its extractor always fails.
async fn unconfigured(_: web::Data<u128>) -> HttpResponse {
    HttpResponse::NoContent().finish()
}
