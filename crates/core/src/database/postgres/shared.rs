//! Each worker has one connection that its statements outside transactions share, with pipelining.
//!
//! A statement is written before the responses to earlier ones have arrived: under load several are sent together, and a
//! request costs fewer system calls. A slow statement would delay those behind it: a new statement is not queued behind one
//! that has waited too long, but uses a pooled connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use deadpool_postgres::Object;

/// Maximum number of statements in flight on a shared connection.
const MAX_IN_FLIGHT: u32 = 16;
/// No statement is queued behind one that has already waited longer than this.
const MAX_QUEUE_WAIT: Duration = Duration::from_millis(5);
type Connections = Vec<(usize, Rc<SharedConnection>)>;

thread_local! {
    /// This worker's connections, each with the id of its pool. `None` on threads that are not workers.
    static WORKER: RefCell<Option<Connections>> = const { RefCell::new(None) };
}

/// Marks the calling thread as a worker: its own requests share the connections that it opens.
pub(in crate::database) fn mark_worker_thread() {
    WORKER.with_borrow_mut(|worker| _ = worker.get_or_insert_default());
}

pub(super) fn is_worker() -> bool {
    WORKER.with_borrow(Option::is_some)
}

pub(super) struct SharedConnection {
    // `None` after it has been closed.
    client: Option<Object>,
    /// Whether it must be closed instead of being returned to the pool.
    broken: Cell<bool>,
    _slot: SharedSlot,
    in_flight: Cell<u32>,
    /// Statements whose requests were dropped and whose responses may be outstanding.
    abandoned: Cell<u32>,
    /// Time of the last response, or of the last statement that was sent while none was in flight.
    progress: Cell<Instant>,
}

/// A statement in flight.
pub(super) struct InFlightStatement {
    connection: Rc<SharedConnection>,
    /// How long the connection was idle before.
    pub idle: Duration,
    is_complete: bool,
}

/// Counts the connections of a pool that workers share.
#[derive(Default)]
pub(super) struct SharedSlots(Arc<AtomicUsize>);

/// Counts one shared connection until it is dropped.
struct SharedSlot(Arc<AtomicUsize>);

impl SharedSlots {
    /// Counts another one, as long as half of the pool remains for transactions.
    fn take(&self, pool_size: usize) -> Option<SharedSlot> {
        let more = |taken| (2 * (taken + 1) <= pool_size).then_some(taken + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| SharedSlot(Arc::clone(&self.0)))
    }
}

impl Drop for SharedSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SharedConnection {
    /// This worker's connection of the pool with this id, if another statement may be sent on it now.
    pub(super) fn try_begin_statement(pool: usize) -> Option<InFlightStatement> {
        WORKER.with_borrow_mut(|worker| {
            let connections = worker.as_mut()?;
            let at = connections.iter().position(|(of, _)| *of == pool)?;
            let shared = &connections[at].1;
            let (now, in_flight, abandoned) = (Instant::now(), shared.in_flight.get(), shared.abandoned.get());
            let waited = now.saturating_duration_since(shared.progress.get());
            let is_stuck = in_flight == 0 && abandoned > 0 && waited > MAX_QUEUE_WAIT;
            if shared.is_closed() || is_stuck {
                connections.remove(at);
                return None;
            }
            let ahead = in_flight + abandoned;
            if ahead >= MAX_IN_FLIGHT || ahead > 0 && waited > MAX_QUEUE_WAIT {
                return None;
            }
            if ahead == 0 {
                shared.progress.set(now);
            }
            shared.in_flight.set(in_flight + 1);
            let idle = if ahead == 0 { waited } else { Duration::ZERO };
            Some(InFlightStatement { connection: Rc::clone(shared), idle, is_complete: false })
        })
    }

    /// Shares a connection that this worker has opened. If the worker has one already, or too many are shared, it is returned to
    /// the pool.
    pub(super) fn adopt(pool: usize, client: Object, slots: &SharedSlots, pool_size: usize) {
        WORKER.with_borrow_mut(|worker| {
            let connections = worker.as_mut().filter(|all| all.iter().all(|(of, _)| *of != pool));
            if let Some((connections, slot)) = connections.and_then(|all| Some((all, slots.take(pool_size)?))) {
                let shared = Self {
                    client: Some(client),
                    broken: Cell::new(false),
                    _slot: slot,
                    in_flight: Cell::new(0),
                    abandoned: Cell::new(0),
                    progress: Cell::new(Instant::now()),
                };
                connections.push((pool, Rc::new(shared)));
            }
        });
    }

    fn is_closed(&self) -> bool {
        self.broken.get() || self.client.as_ref().is_none_or(|client| client.is_closed())
    }
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| self.broken.get()) {
            drop(Object::take(client));
        }
    }
}

impl InFlightStatement {
    pub(super) fn client(&self) -> Option<&Object> {
        self.connection.client.as_ref()
    }

    /// Records that the response has arrived, and thus those to all earlier statements.
    pub(super) fn complete(mut self) {
        self.is_complete = true;
        self.connection.abandoned.set(0);
        self.connection.progress.set(Instant::now());
    }

    /// Marks the connection as broken; it is closed after the last statement in flight.
    pub(super) fn mark_broken(self) {
        self.connection.broken.set(true);
    }
}

impl Drop for InFlightStatement {
    fn drop(&mut self) {
        let SharedConnection { in_flight, abandoned, .. } = &*self.connection;
        in_flight.set(in_flight.get() - 1);
        abandoned.set(abandoned.get() + u32::from(!self.is_complete));
    }
}
