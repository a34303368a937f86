//! The initial data: a user with a session, and orders. The service receives them through its API; the other servers
//! insert them themselves.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Value, json};
use test_harness::http::Client;
use test_harness::scratch;

use super::plan::Server;
use super::request::send;

/// More than a page.
const ORDERS: usize = 100;
const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery staple";
// For the servers that insert the data themselves.
const TOKEN: &str = "5f2d3c1a9b8e7f60415263748596a7b8c9d0e1f2031425364758697a8b9cadbe";
const ORDER: &str = "01900000-0000-7000-8000-000000000001";

/// The data that requests refer to.
pub struct SeedData {
    pub token: String,
    /// The first order.
    pub order: String,
}

/// The body of the request for each order.
pub fn new_order() -> String {
    scratch::read(&new_order_file()).trim().to_owned()
}

fn new_order_file() -> PathBuf {
    scratch::workspace().join("crates/bench/bodies/new-order.json")
}

/// The environment of a server that inserts the data itself.
pub fn environment() -> Vec<(String, OsString)> {
    let variables =
        [("BENCH_TOKEN", TOKEN.into()), ("BENCH_ORDER", ORDER.into()), ("BENCH_ORDERS", ORDERS.to_string())];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
    variables.chain([("BENCH_NEW_ORDER".to_owned(), new_order_file().into())]).collect()
}

/// Inserts the data through the API, if the server does not do so itself.
pub fn seed_database(server: Server, port: u16) -> Result<SeedData, String> {
    if server != Server::App {
        return Ok(SeedData { token: TOKEN.into(), order: ORDER.into() });
    }
    let client = Client::new(port);
    let registration = json!({"email": EMAIL, "password": PASSWORD, "name": "Ada"});
    send(client.post("/users").json(&registration), 201)?;
    let session = send(client.post("/users/login").json(&json!({"email": EMAIL, "password": PASSWORD})), 200)?;
    let token = text(&session.json()["token"])?;
    let new_order = new_order();
    let place = || {
        let request = client.post("/orders").bearer(&token).body("application/json", new_order.as_str());
        text(&send(request, 201)?.json()["id"])
    };
    let order = place()?;
    for _ in 1..ORDERS {
        place()?;
    }
    Ok(SeedData { token, order })
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is not a string"))
}
