//! What is in the database before anything is measured: a user with a session, and orders. The service is given them
//! through its API; the others make them themselves.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Value, json};
use test_harness::http::Client;
use test_harness::scratch;

use super::plan::Server;
use super::request::answer;

/// More than a page.
const ORDERS: usize = 100;
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery staple";
// What the servers that make it themselves are told.
const TOKEN: &str = "5f2d3c1a9b8e7f60415263748596a7b8c9d0e1f2031425364758697a8b9cadbe";
const ORDER: &str = "01900000-0000-7000-8000-000000000001";

/// What the requests need to know.
pub struct SeedData {
    pub token: String,
    /// The first order.
    pub order: String,
}

/// The body that each order is placed with.
pub fn new_order() -> String {
    scratch::read(&new_order_file()).trim().to_owned()
}

fn new_order_file() -> PathBuf {
    scratch::workspace().join("crates/bench/bodies/new-order.json")
}

/// What a server that fills its database itself is told.
pub fn environment() -> Vec<(String, OsString)> {
    let variables =
        [("BENCH_TOKEN", TOKEN.into()), ("BENCH_ORDER", ORDER.into()), ("BENCH_ORDERS", ORDERS.to_string())];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    variables.chain([("BENCH_NEW_ORDER".to_owned(), new_order_file().into())]).collect()
}

/// Fills the database of a server that serves.
pub fn seed_database(server: Server, port: u16) -> Result<SeedData, String> {
    if server != Server::App {
        return Ok(SeedData { token: TOKEN.into(), order: ORDER.into() });
    }
    let client = Client::new(port);
    let registration = json!({"email": EMAIL, "password": PASSWORD, "name": "Ada"});
    answer(client.post("/users").json(&registration), 201)?;
    let session = answer(client.post("/users/login").json(&json!({"email": EMAIL, "password": PASSWORD})), 200)?;
    let token = text(&session.json()["token"])?;
    let new_order = new_order();
    let place = || {
        let request = client.post("/orders").bearer(&token).body("application/json", new_order.as_str());
        text(&answer(request, 201)?.json()["id"])
    };
    let order = place()?;
    for _ in 1..ORDERS {
        place()?;
    }
    Ok(SeedData { token, order })
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no text"))
}
