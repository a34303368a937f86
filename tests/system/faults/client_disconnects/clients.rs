//! The clients of one service: some disconnect, and one waits for its responses.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::http::{Disconnect, Reply, Request};
use system_tests::service::Running;

use super::ledger::{Observed, order};
use crate::api::{Member, PASSWORD, text};

/// Stops the waiting client when the disconnecting ones have ended, even by a panic.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The clients of one service.
pub struct Clients<'a> {
    app: &'a Running,
    ada: &'a Member,
    /// The maximum time before a client disconnects.
    max_wait: Duration,
    /// Held by a client that requires the service for itself.
    exclusive: Mutex<()>,
    observed: Mutex<Observed>,
    errors: Mutex<Vec<String>>,
}

impl<'a> Clients<'a> {
    pub fn new(app: &'a Running, ada: &'a Member) -> Self {
        // Slightly longer than an order takes without other load.
        let max_wait = typical_duration(app, ada) * 11 / 10;
        Self { app, ada, max_wait, exclusive: Mutex::default(), observed: Mutex::default(), errors: Mutex::default() }
    }

    /// Runs clients that disconnect this many times each, and one client that waits. Returns the responses that they observed
    /// and the unexpected ones.
    pub fn run(self, disconnecting: usize, times: usize, progress: impl Fn() + Sync) -> (Observed, Vec<String>) {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.run_waiting(&stop));
            let _stop = StopOnDrop(&stop);
            thread::scope(|scope| {
                for client in 0..disconnecting {
                    scope.spawn({
                        let (clients, progress) = (&self, &progress);
                        move || clients.run_disconnecting(client, times, progress)
                    });
                }
            });
        });
        let observed = self.observed.into_inner().unwrap_or_else(PoisonError::into_inner);
        (observed, self.errors.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client that disconnects this many times, each time after a different delay.
    fn run_disconnecting(&self, client: usize, times: usize, progress: impl Fn()) {
        let mut disconnected = 0;
        for n in 0_usize.. {
            if disconnected == times {
                break;
            }
            let tag = format!("disconnects-{client}-{n}");
            // Half of the requests have no competition, so that they progress further.
            let exclusive = n.is_multiple_of(2).then(|| lock(&self.exclusive));
            let sent = place(self.app, self.ada, &tag).header("idempotency-key", &tag).dispatch();
            let sent = sent.expect("a request can be sent");
            sleep(self.max_wait * (n * 7 % 50) as u32 / 50);
            if sent.is_answered().unwrap_or(true) {
                self.placed(tag, sent.receive());
            } else {
                sent.disconnect([Disconnect::Close, Disconnect::Reset][n / 2 % 2]);
                lock(&self.observed).disconnected.push(tag);
                disconnected += 1;
                progress();
            }
            drop(exclusive);
            // Lets the others continue: the abandoned transaction has ended by then, or never will.
            self.expect(self.app.get("/users/me").bearer(&self.ada.token), 200);
        }
    }

    /// Sends a request and expects this status.
    fn expect(&self, request: Request, status: u16) -> Option<Reply> {
        let why = match self.send_shared(request) {
            Ok(reply) if reply.status == status => return Some(reply),
            Ok(reply) => format!("{} instead of {status}: {}", reply.status, reply.text()),
            Err(error) => format!("no response instead of {status}: {error}"),
        };
        lock(&self.errors).push(why);
        None
    }

    fn placed(&self, tag: String, reply: io::Result<Reply>) {
        match reply {
            Ok(reply) if reply.status == 201 => {
                lock(&self.observed).orders.insert(tag, (text(&reply.json(), "id"), false));
            }
            Ok(reply) => lock(&self.errors).push(format!("{} instead of 201 to {tag}: {}", reply.status, reply.text())),
            Err(error) => lock(&self.errors).push(format!("no response instead of 201 to {tag}: {error}")),
        }
    }

    /// A client that waits for its responses.
    fn run_waiting(&self, stop: &AtomicBool) {
        let Self { app, ada, .. } = self;
        for n in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
            let tag = format!("waits-{n}");
            self.placed(tag.clone(), self.send_shared(place(app, ada, &tag)));
            let Some(id) = lock(&self.observed).orders.get(&tag).map(|(id, _)| id.clone()) else { continue };
            let pay = || app.post(&format!("/orders/{id}/pay")).bearer(&ada.token);
            if self.expect(pay(), 200).is_some() {
                lock(&self.observed).orders.insert(tag, (id.clone(), true));
            }
            let name = format!("user-{n}");
            let user = json!({"email": format!("{name}@example.org"), "password": PASSWORD, "name": name});
            let register = || app.post("/users").json(&user);
            if let Some(reply) = self.expect(register(), 201) {
                lock(&self.observed).users.push((name, text(&reply.json(), "id")));
            }
            self.expect(register(), 409);
            self.expect(pay().header("idempotency-key", format!("again-{n}")), 409);
        }
    }

    fn send_shared(&self, request: Request) -> io::Result<Reply> {
        drop(lock(&self.exclusive));
        request.try_send()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that places an order with this tag.
pub fn place(app: &Running, by: &Member, tag: &str) -> Request {
    app.post("/orders").bearer(&by.token).json(&order(tag))
}

/// The duration of placing an order without other load.
fn typical_duration(app: &Running, by: &Member) -> Duration {
    let once = |n: usize| {
        let began = Instant::now();
        place(app, by, &format!("typical-{n}")).header("idempotency-key", format!("typical-{n}")).send();
        began.elapsed()
    };
    let mut took: Vec<Duration> = (0..3).map(once).collect();
    took.sort_unstable();
    took[took.len() / 2]
}
