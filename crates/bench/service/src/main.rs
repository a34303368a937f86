//! The real service with one blueprint, in each of its modes.

use std::process::ExitCode;

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, ServiceConfig};
use bench::bodies::BODIES;
use clap::Parser;
use cyanotype::settings::Loader;
use cyanotype::{Blueprint, Service};

#[derive(Parser)]
struct Args {
    /// off, stderr, sentry or both
    mode: String,
    #[arg(long)]
    port: String,
    #[arg(long)]
    dsn: String,
    /// Any other setting
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let fixed = [
        ("log.mode", args.mode.as_str()),
        ("server.port", &args.port),
        ("server.workers", "1"),
        ("management.port", "0"),
        ("sentry.dsn", &args.dsn),
        ("database.url", "sqlite::memory:"),
        // The other servers have neither compression nor security headers.
        ("server.compression", "false"),
        ("server.security_headers", "false"),
    ];
    let more = args.settings.iter().filter_map(|setting| setting.split_once('='));
    // No configuration files or environment variables.
    let loader = fixed
        .into_iter()
        .chain(more)
        .fold(Loader::new("/nonexistent"), |loader, (key, value)| loader.flag(key, value, "the benchmark"));
    match loader.load() {
        Ok(settings) => Service::new(settings).program("bench", "0").blueprint(Bench).run(),
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(78)
        }
    }
}

struct Bench;

impl Blueprint for Bench {
    fn name(&self) -> &'static str {
        "bench"
    }

    fn prefix(&self) -> &str {
        "/bench"
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        for (name, text) in BODIES.iter() {
            let handler = async move || {
                HttpResponse::Ok().content_type("application/json").body(Bytes::from_static(text.as_bytes()))
            };
            scope.route(&format!("/{name}"), web::get().to(handler));
        }
        scope.route("/lines/{count}", web::get().to(lines));
    }
}

/// Writes this number of log lines.
async fn lines(count: web::Path<u32>) -> HttpResponse {
    for n in 0..*count {
        tracing::info!(n, order = "01a20497-2e54-7036-97b5-a1c884441021", "the order was placed");
    }
    HttpResponse::Ok().finish()
}
