//! The orders API on bare actix-web, written by hand for one of several database drivers.
//!
//! At start it creates its tables in an empty database, with one user, a session and orders.

mod by_rusqlite;
mod by_sqlx;
mod by_tokio_postgres;
mod http;
mod joined;
mod model;
mod store;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use actix_web::{App, HttpServer};
use chrono::{TimeDelta, Utc};
use clap::{Parser, ValueEnum};
use uuid::Uuid;

use model::NewOrder;
use store::{Seed, Store, StoreError, hash};

#[derive(Parser)]
struct Args {
    data_layer: DataLayer,
    #[arg(long)]
    port: u16,
    #[arg(long, env = "DATABASE_URL")]
    database: String,
    /// The token of the session
    #[arg(long, env = "BENCH_TOKEN")]
    token: String,
    /// The id of the first order
    #[arg(long, env = "BENCH_ORDER")]
    order: Uuid,
    /// The number of orders
    #[arg(long, env = "BENCH_ORDERS")]
    orders: u32,
    /// The file with the body of a new order
    #[arg(long, env = "BENCH_NEW_ORDER")]
    new_order: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum DataLayer {
    /// A pool of sqlx, for SQLite or PostgreSQL depending on the URL
    Sqlx,
    Rusqlite,
    TokioPostgres,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let served = actix_web::rt::System::new().block_on(async {
        match args.data_layer {
            DataLayer::Sqlx if args.database.starts_with("sqlite:") => serve::<by_sqlx::Sqlite>(&args).await,
            DataLayer::Sqlx => serve::<by_sqlx::Postgres>(&args).await,
            DataLayer::Rusqlite => serve::<by_rusqlite::Store>(&args).await,
            DataLayer::TokioPostgres => serve::<by_tokio_postgres::Store>(&args).await,
        }
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve<S: Store>(args: &Args) -> Result<(), StoreError> {
    seed::<S>(args).await?;
    let url = args.database.clone();
    let app = move || {
        let url = url.clone();
        App::new().data_factory(move || open::<S>(url.clone())).configure(http::routes::<S>)
    };
    HttpServer::new(app).workers(1).bind(("127.0.0.1", args.port))?.run().await?;
    Ok(())
}

async fn open<S: Store>(url: String) -> Result<S, StoreError> {
    S::open(&url).await
}

async fn seed<S: Store>(args: &Args) -> Result<(), StoreError> {
    let (user, now) = (Uuid::now_v7(), Utc::now());
    let token_hash = hash(args.token.as_bytes());
    let expires_at = now + TimeDelta::days(30);
    S::seed(&args.database, &Seed { user, token_hash, now, expires_at }).await?;
    let store = S::open(&args.database).await?;
    let text = fs::read(&args.new_order)?;
    for n in 0..args.orders {
        let id = if n == 0 { args.order } else { Uuid::now_v7() };
        let new: NewOrder = serde_json::from_slice(&text)?;
        let order = new.placed(id).ok_or_else(|| io::Error::other("the orders cannot be placed"))?;
        store.place(user, &order).await?;
    }
    Ok(())
}
