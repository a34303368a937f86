//! The servers to compare the service with, each set up as in the documentation of its packages. Where that leaves a
//! choice, the cheapest option is used.

mod axum_server;
mod layers;
mod stock;

use std::io;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::Logger;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{App, Error, HttpResponse, HttpServer};
use bench::bodies::BODIES;
use clap::{Parser, ValueEnum};
use tracing_actix_web::TracingLogger;

#[derive(Parser)]
struct Args {
    server: Server,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    dsn: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Server {
    /// actix-web without any middleware
    Bare,
    /// actix-web's own Logger
    Logger,
    /// axum with tower-http's TraceLayer, in JSON
    Axum,
    /// sentry-actix alone
    SentryActix,
    /// tracing-actix-web alone
    TracingActixWeb,
    /// All packages that together do the work of the service
    Stock,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    match args.server {
        Server::Bare => serve(args.port, || App::new().configure(routes)),
        Server::Logger => {
            env_logger::init_from_env(env_logger::Env::new().default_filter_or("info"));
            serve(args.port, || App::new().configure(routes).wrap(Logger::default()))
        }
        Server::Axum => axum_server::serve(args.port),
        Server::SentryActix => {
            let _guard = layers::sentry(&args.dsn);
            serve(args.port, || App::new().configure(routes).wrap(sentry::integrations::actix::Sentry::new()))
        }
        Server::TracingActixWeb => {
            layers::json_to_stderr();
            serve(args.port, || App::new().configure(routes).wrap(TracingLogger::default()))
        }
        Server::Stock => stock::serve(args.port, &args.dsn),
    }
}

fn routes(config: &mut ServiceConfig) {
    for (name, text) in BODIES.iter() {
        let handler =
            async move || HttpResponse::Ok().content_type("application/json").body(Bytes::from_static(text.as_bytes()));
        config.route(&format!("/bench/{name}"), web::get().to(handler));
    }
}

fn serve<F, A, B>(port: u16, app: F) -> io::Result<()>
where
    F: Fn() -> App<A> + Send + Clone + 'static,
    A: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<B>, Error = Error, InitError = ()>
        + 'static,
    B: MessageBody + 'static,
{
    actix_web::rt::System::new()
        .block_on(async { HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?.run().await })
}
