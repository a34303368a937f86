//! Load of clients that place orders and read them, and count what fails.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::Clients;
use crate::http::{Client, KeepAlive, Request};
use crate::member::Member;

const PAUSE: Duration = Duration::from_millis(10);
/// The number of orders for which a client uses one connection, if the server lets it.
const ORDERS_PER_CONNECTION: usize = 25;

/// Clients, half of which use a connection for many orders, and the others for one.
pub struct OrdersLoad {
    clients: Clients,
    results: Arc<Mutex<Results>>,
    token: String,
}

/// What the clients saw.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The ids of the orders that were acknowledged.
    pub orders: BTreeSet<String>,
    /// The number of reads that were answered with the order.
    pub reads: usize,
    /// Each request that was not answered as expected.
    pub failures: Vec<String>,
}

impl OrdersLoad {
    /// Registers a user through this port, and starts clients that place its orders.
    #[track_caller]
    pub fn start(port: u16, clients: usize) -> Self {
        let Member { token, .. } = Member::register(Client::new(port), "load");
        let results = Arc::<Mutex<Results>>::default();
        let client = |number: usize| {
            let (results, token, client) = (Arc::clone(&results), token.clone(), Client::new(port));
            let orders_per_connection = if number.is_multiple_of(2) { ORDERS_PER_CONNECTION } else { 1 };
            let (mut connection, mut orders) = (KeepAlive::default(), 0);
            move || {
                if orders == orders_per_connection {
                    (connection, orders) = (KeepAlive::default(), 0);
                }
                orders += 1;
                let placed = place_and_read(&mut connection, client, &token);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                match placed {
                    Ok(id) => {
                        results.reads += 1;
                        results.orders.insert(id);
                    }
                    Err(failure) => results.failures.push(failure),
                }
            }
        };
        let clients = Clients::start(PAUSE, (0..clients).map(client));
        Self { clients, results, token }
    }

    /// The token of the user.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What the clients saw so far.
    pub fn results(&self) -> Results {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the requests in flight finish, and returns what the clients saw.
    pub fn stop(self) -> Results {
        let Self { clients, results, .. } = self;
        clients.stop();
        results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Places an order, reads it, and returns its id; else the failure.
fn place_and_read(connection: &mut KeepAlive, client: Client, token: &str) -> Result<String, String> {
    let order = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]});
    let placed = exchange(connection, &client.post("/orders").bearer(token).json(&order), 201)?;
    let id = placed["id"].as_str().ok_or_else(|| format!("an order without an id: {placed}"))?.to_owned();
    let read = exchange(connection, &client.get(&format!("/orders/{id}")).bearer(token), 200)?;
    if read == placed { Ok(id) } else { Err(format!("order {id} was placed as {placed} and read as {read}")) }
}

fn exchange(connection: &mut KeepAlive, request: &Request, expected: u16) -> Result<Value, String> {
    match connection.send(request) {
        Ok(reply) if reply.status == expected => Ok(reply.json()),
        Ok(reply) => Err(format!("{request}: {} {}", reply.status, reply.text())),
        Err(error) => Err(format!("{request}: {error}")),
    }
}
