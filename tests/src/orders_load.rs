//! Load of clients that place orders and read them, and count what fails.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::Client;
use crate::member::Member;

const PAUSE: Duration = Duration::from_millis(10);
/// The number of requests that a client sends over one connection, if the server lets it.
const REQUESTS_PER_CONNECTION: usize = 50;

/// Clients, half of which use a connection for many requests, and the others for two.
pub struct OrdersLoad {
    stop: Arc<AtomicBool>,
    results: Arc<Mutex<Results>>,
    clients: Vec<JoinHandle<()>>,
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
        let (stop, results) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Results>>::default());
        let clients = (0..clients).map(|number| {
            let (stop, results, token) = (Arc::clone(&stop), Arc::clone(&results), token.clone());
            let requests = if number % 2 == 0 { REQUESTS_PER_CONNECTION } else { 2 };
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut connection = Connection { port, token: token.clone(), stream: None };
                    for _ in 0..requests / 2 {
                        let placed = connection.place_and_read();
                        let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                        match placed {
                            Ok(id) => {
                                results.reads += 1;
                                results.orders.insert(id);
                            }
                            Err(failure) => results.failures.push(failure),
                        }
                        drop(results);
                        thread::sleep(PAUSE);
                    }
                }
            })
        });
        let clients = clients.collect();
        Self { stop, results, clients, token }
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
    pub fn stop(mut self) -> Results {
        self.join();
        self.results()
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

impl Drop for OrdersLoad {
    fn drop(&mut self) {
        self.join();
    }
}

/// A connection that is opened when it is needed. A request is sent once, whatever happens.
struct Connection {
    port: u16,
    token: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// Places an order, reads it, and returns its id; else the failure.
    fn place_and_read(&mut self) -> Result<String, String> {
        let lines = json!({"lines": [{"sku": "A-1", "quantity": 1, "unit_price_cents": 100}]}).to_string();
        let placed = self.exchange("POST", "/orders", &lines, 201)?;
        let id = placed["id"].as_str().ok_or_else(|| format!("an order without an id: {placed}"))?.to_owned();
        let read = self.exchange("GET", &format!("/orders/{id}"), "", 200)?;
        if read == placed { Ok(id) } else { Err(format!("order {id} was placed as {placed} and read as {read}")) }
    }

    fn exchange(&mut self, method: &str, path: &str, body: &str, expected: u16) -> Result<Value, String> {
        let failed = |why: &str| format!("{method} {path}: {why}");
        match self.try_exchange(method, path, body) {
            Ok((status, text)) if status == expected => {
                serde_json::from_str(&text).map_err(|error| failed(&format!("{error}: {text}")))
            }
            Ok((status, text)) => Err(failed(&format!("{status} {text}"))),
            Err(error) => {
                self.stream = None;
                Err(failed(&error.to_string()))
            }
        }
    }

    fn try_exchange(&mut self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_read_timeout(Some(Duration::from_secs(30)))?;
                stream.set_nodelay(true)?;
                self.stream.insert(BufReader::new(stream))
            }
        };
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut closes) = (None, 0, false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            match (status, line.split_once(": ")) {
                (None, _) => status = line.split(' ').nth(1).and_then(|code| code.parse().ok()),
                (_, Some(("content-length", value))) => {
                    length = value.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                }
                (_, Some(("connection", value))) => closes = value == "close",
                _ => {}
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        if closes {
            self.stream = None;
        }
        let status = status.ok_or_else(|| io::Error::other("an answer without a status"))?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
