//! The clients of one service: those that leave, and those that wait for their answers.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::http::{Leave, Reply, Request};
use system_tests::service::Running;

use super::ledger::{Told, order};
use crate::api::{Member, PASSWORD, text};

/// Tells the clients that stay to end, however those that leave have ended.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The clients of one service.
pub struct Clients<'a> {
    app: &'a Running,
    ada: &'a Member,
    /// The longest that a client waits before it leaves.
    reach: Duration,
    /// Held by whoever is not to be disturbed.
    alone: Mutex<()>,
    told: Mutex<Told>,
    wrong: Mutex<Vec<String>>,
}

impl<'a> Clients<'a> {
    pub fn new(app: &'a Running, ada: &'a Member) -> Self {
        // A little longer than an order takes that nobody disturbs.
        let reach = usual(app, ada) * 11 / 10;
        Self { app, ada, reach, alone: Mutex::default(), told: Mutex::default(), wrong: Mutex::default() }
    }

    /// Lets so many clients leave so many times each, while another one stays. Gives what they were told, and what they
    /// should not have been told.
    pub fn run(self, leavers: usize, times: usize, tell: impl Fn() + Sync) -> (Told, Vec<String>) {
        let end = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.stay(&end));
            let _end = End(&end);
            thread::scope(|scope| {
                for leaver in 0..leavers {
                    scope.spawn({
                        let (clients, tell) = (&self, &tell);
                        move || clients.leave(leaver, times, tell)
                    });
                }
            });
        });
        let told = self.told.into_inner().unwrap_or_else(PoisonError::into_inner);
        (told, self.wrong.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// A client that leaves so many times, each time after a while.
    fn leave(&self, leaver: usize, times: usize, tell: impl Fn()) {
        let mut left = 0;
        for n in 0_usize.. {
            if left == times {
                break;
            }
            let tag = format!("leaves-{leaver}-{n}");
            // Half of them meet nobody on the way: they get further.
            let alone = n.is_multiple_of(2).then(|| lock(&self.alone));
            let sent = place(self.app, self.ada, &tag).header("idempotency-key", &tag).begin();
            let sent = sent.expect("a request can be sent");
            sleep(self.reach * (n * 7 % 50) as u32 / 50);
            if sent.has_answer().unwrap_or(true) {
                self.placed(tag, sent.receive());
            } else {
                sent.leave([Leave::Closing, Leave::Breaking][n / 2 % 2]);
                lock(&self.told).left.push(tag);
                left += 1;
                tell();
            }
            drop(alone);
            // The others' turn: what it has left behind is over then, or never will be.
            self.expect(self.app.get("/users/me").bearer(&self.ada.token), 200);
        }
    }

    /// Sends it, and expects this status.
    fn expect(&self, request: Request, status: u16) -> Option<Reply> {
        let why = match self.in_turn(request) {
            Ok(reply) if reply.status == status => return Some(reply),
            Ok(reply) => format!("{} instead of {status}: {}", reply.status, reply.text()),
            Err(error) => format!("no answer instead of {status}: {error}"),
        };
        lock(&self.wrong).push(why);
        None
    }

    fn placed(&self, tag: String, reply: io::Result<Reply>) {
        match reply {
            Ok(reply) if reply.status == 201 => {
                lock(&self.told).orders.insert(tag, (text(&reply.json(), "id"), false));
            }
            Ok(reply) => lock(&self.wrong).push(format!("{} instead of 201 to {tag}: {}", reply.status, reply.text())),
            Err(error) => lock(&self.wrong).push(format!("no answer instead of 201 to {tag}: {error}")),
        }
    }

    /// A client that waits for its answers.
    fn stay(&self, end: &AtomicBool) {
        let Self { app, ada, .. } = self;
        for n in (0..).take_while(|_| !end.load(Ordering::Relaxed)) {
            let tag = format!("stays-{n}");
            self.placed(tag.clone(), self.in_turn(place(app, ada, &tag)));
            let Some(id) = lock(&self.told).orders.get(&tag).map(|(id, _)| id.clone()) else { continue };
            let pay = || app.post(&format!("/orders/{id}/pay")).bearer(&ada.token);
            if self.expect(pay(), 200).is_some() {
                lock(&self.told).orders.insert(tag, (id.clone(), true));
            }
            let name = format!("user-{n}");
            let user = json!({"email": format!("{name}@example.org"), "password": PASSWORD, "name": name});
            let register = || app.post("/users").json(&user);
            if let Some(reply) = self.expect(register(), 201) {
                lock(&self.told).users.push((name, text(&reply.json(), "id")));
            }
            self.expect(register(), 409);
            self.expect(pay().header("idempotency-key", format!("again-{n}")), 409);
        }
    }

    fn in_turn(&self, request: Request) -> io::Result<Reply> {
        drop(lock(&self.alone));
        request.try_send()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An order of this tag that is not placed yet.
pub fn place(app: &Running, by: &Member, tag: &str) -> Request {
    app.post("/orders").bearer(&by.token).json(&order(tag))
}

/// How long an order takes that nobody disturbs.
fn usual(app: &Running, by: &Member) -> Duration {
    let once = |n: usize| {
        let began = Instant::now();
        place(app, by, &format!("usual-{n}")).header("idempotency-key", format!("usual-{n}")).send();
        began.elapsed()
    };
    let mut took: Vec<Duration> = (0..3).map(once).collect();
    took.sort_unstable();
    took[took.len() / 2]
}
