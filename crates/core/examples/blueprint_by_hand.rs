//! Serves a small blueprint that is written by hand.
//!
//! `DATABASE_URL=sqlite::memory: cargo run -p cyanotype --example blueprint_by_hand`, then `curl localhost:8080/stock/bolt`.

use std::process::ExitCode;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use cyanotype::extract::Path;
use cyanotype::settings::Loader;
use cyanotype::{Blueprint, Database, Executor, LifecycleFuture, Problem, Resources, Result, Service, add_breadcrumb};
use serde_json::json;

struct Stock;

impl Blueprint for Stock {
    fn name(&self) -> &'static str {
        "stock"
    }

    fn prefix(&self) -> &str {
        "/stock"
    }

    fn routes(&self, scope: &mut ServiceConfig) {
        scope.service(web::resource("/{sku}").route(web::get().to(read)));
    }

    // Keeps the example in one file. A blueprint crate uses migration files and `embed_migrations!`.
    fn start<'a>(&'a self, resources: &'a Resources) -> LifecycleFuture<'a> {
        Box::pin(async move {
            let table = "CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, count BIGINT NOT NULL)";
            let item = "INSERT INTO stock (sku, count) VALUES ('bolt', 12) ON CONFLICT DO NOTHING";
            for sql in [table, item] {
                resources.database().execute(sql, &[]).await?;
            }
            Ok(())
        })
    }
}

async fn read(Path(sku): Path<String>, database: Database) -> Result {
    add_breadcrumb(format!("reading {sku}"));
    let sql = "SELECT count FROM stock WHERE sku = $1"; // for SQLite and PostgreSQL
    let row: Option<(i64,)> = database.query_opt(sql, &[&sku]).await?; // on error: 500, one record, one event
    let Some((count,)) = row else { return Err(Problem::not_found("product")) }; // 404, no event
    Ok(HttpResponse::Ok().json(json!({"sku": sku, "count": count}))) // 200, logged with its body
}

fn main() -> std::result::Result<ExitCode, Box<dyn std::error::Error>> {
    let settings = Loader::new("config").process_environment().load()?;
    Ok(Service::new(settings).blueprint(Stock).run())
}
