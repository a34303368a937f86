//! Clients of the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::clients::Clients;
use system_tests::http::{Client, Reply};

const PASSWORD: &str = "correct horse battery staple";
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(5);

/// The requests by id, each with its status, or 0 without an answer.
pub type Answers = BTreeMap<String, u16>;

/// Counts and sends requests, each with an id of its own.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    name: String,
    answers: Arc<Mutex<Answers>>,
}

impl Caller {
    /// One whose ids begin with this name.
    pub fn new(port: u16, name: &str) -> Self {
        Self { client: Client::new(port), name: name.to_owned(), answers: Arc::default() }
    }

    /// Sends a request, and expects a status.
    #[track_caller]
    fn expect(&self, status: u16, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Reply {
        let reply = self.call(method, path, token, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
        reply
    }

    fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> std::io::Result<Reply> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("{}-{}", self.name, answers.len());
        answers.insert(id.clone(), 0);
        drop(answers);
        let mut request = self.client.request(method, path).header("x-request-id", &id);
        if let Some(token) = token {
            request = request.bearer(token);
        }
        let reply = match body {
            Some(body) => request.json(body),
            None => request,
        }
        .try_send()?;
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, reply.status);
        Ok(reply)
    }

    /// What was answered so far.
    pub fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Registers a user, logs in, and returns the token.
    #[track_caller]
    pub fn log_in(&self) -> String {
        let email = format!("{}@example.org", self.name);
        self.expect(201, "POST", "/users", None, Some(&json!({"email": email, "password": PASSWORD, "name": "Ada"})));
        let login = json!({"email": email, "password": PASSWORD});
        let session = self.expect(200, "POST", "/users/login", None, Some(&login)).json();
        session["token"].as_str().expect("a login has a token").to_owned()
    }

    /// A user's and an order's life: registered, logged in, read; placed, read, cancelled; deleted.
    #[track_caller]
    pub fn live(&self) {
        let token = self.log_in();
        let user = self.expect(200, "GET", "/users/me", Some(&token), None).json();
        let order = self.expect(201, "POST", "/orders", Some(&token), Some(&order())).json();
        let path = format!("/orders/{}", order["id"].as_str().expect("an order has an id"));
        assert_eq!(self.expect(200, "GET", &path, Some(&token), None).json()["id"], order["id"]);
        let cancelled = self.expect(200, "POST", &format!("{path}/cancel"), Some(&token), None).json();
        assert_eq!(cancelled["status"], "cancelled");
        self.expect(
            204,
            "DELETE",
            &format!("/users/{}", user["id"].as_str().expect("it has an id")),
            Some(&token),
            None,
        );
        self.expect(401, "GET", "/users/me", Some(&token), None);
    }
}

fn order() -> Value {
    json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]})
}

/// Clients that place and read orders.
pub struct Load {
    clients: Clients,
    callers: Vec<Caller>,
}

impl Load {
    /// Starts them.
    #[track_caller]
    pub fn start(port: u16, clients: usize) -> Self {
        let callers: Vec<Caller> = (0..clients).map(|n| Caller::new(port, &format!("load{n}"))).collect();
        let client = |caller: &Caller| {
            let (caller, token) = (caller.clone(), caller.log_in());
            move || {
                // A failure is in the answers.
                let _ = caller.call("POST", "/orders", Some(&token), Some(&order()));
                let _ = caller.call("GET", "/orders", Some(&token), None);
                let _ = caller.call("GET", "/users/me", Some(&token), None);
            }
        };
        Self { clients: Clients::start(PAUSE, callers.iter().map(client)), callers }
    }

    /// Lets the requests in flight finish, and returns all answers.
    #[track_caller]
    pub fn stop(self) -> Answers {
        let Self { clients, callers } = self;
        clients.stop();
        callers.iter().flat_map(Caller::answers).collect()
    }
}
