//! A thread that resolves stack traces, so that no request waits for it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::delivery::Delivery;
use crate::failure::Failure;
use crate::mute::mute_this_thread;
use crate::record::{Record, ResponseRecord};
use crate::sinks::Sinks;
use crate::stack::Stack;

/// Maximum number of queued jobs; further ones run without their stack.
const MAX_QUEUED: usize = 1024;

pub(crate) struct Symbolizer {
    shared: Arc<Shared>,
    sinks: Sinks,
}

/// The work to do once a stack is resolved.
pub(crate) enum Job {
    Write(Record),
    /// A response whose line must follow that of its failure, which may wait for its stack.
    Respond(Box<ResponseRecord<'static>>),
    Send(Delivery),
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    /// The first job remains here while its stack is resolved, so that a shutdown in the meantime does not lose it.
    waiting: VecDeque<Job>,
    /// Whether a job with a resolved stack is running.
    busy: bool,
    closed: bool,
}

impl Symbolizer {
    pub(crate) fn start(sinks: Sinks) -> Self {
        let shared = Arc::<Shared>::default();
        let (worker, sink) = (Arc::clone(&shared), sinks.clone());
        let work = move || {
            mute_this_thread();
            while let Some(job) = worker.next() {
                // The panic hook has reported the panic; the next jobs must still run.
                let _ = catch_unwind(AssertUnwindSafe(|| job.run(&sink)));
                worker.state.lock().busy = false;
                worker.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("stacks".into()).spawn(work);
        thread.expect("the thread that resolves stack traces cannot be started");
        Self { shared, sinks }
    }

    /// Runs a job once its stack is resolved. If the queue is full or closed, runs it immediately, without the stack.
    pub(crate) fn resolve(&self, job: Job) {
        let mut state = self.shared.state.lock();
        if state.closed || state.waiting.len() >= MAX_QUEUED {
            drop(state);
            return job.without_stack().run(&self.sinks);
        }
        state.waiting.push_back(job);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all jobs are done, at most until the deadline.
    pub(crate) fn wait(&self, deadline: Instant) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock();
        while !state.waiting.is_empty() || state.busy {
            if self.shared.changed.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state
    }

    /// Closes the queue: waits until all jobs are done, at most until the deadline, and runs the remaining ones without stacks.
    pub(crate) fn finish(&self, deadline: Instant) {
        let mut state = self.wait(deadline);
        state.closed = true;
        let remaining = std::mem::take(&mut state.waiting);
        drop(state);
        self.shared.changed.notify_all();
        remaining.into_iter().for_each(|job| job.without_stack().run(&self.sinks));
    }
}

impl Shared {
    /// Waits for the next job and resolves its stack; `None` once the queue is closed.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            let Some(first) = state.waiting.front() else {
                self.changed.wait(&mut state);
                continue;
            };
            let stack = first.stack();
            drop(state);
            if let Some(stack) = stack {
                stack.frames();
            }
            state = self.state.lock();
            if let Some(job) = state.waiting.pop_front() {
                state.busy = true;
                return Some(job);
            }
        }
    }
}

impl Job {
    fn run(self, sinks: &Sinks) {
        match self {
            Job::Write(record) => sinks.write(&record),
            Job::Respond(response) => sinks.write_response(&response),
            Job::Send(delivery) => delivery.send(),
        }
    }

    fn failure(&mut self) -> Option<&mut Failure> {
        match self {
            Job::Write(record) => record.failure.as_mut().map(|detail| &mut detail.failure),
            Job::Respond(_) => None,
            Job::Send(delivery) => delivery.event.failure.as_mut(),
        }
    }

    fn stack(&self) -> Option<Arc<Stack>> {
        match self {
            Job::Write(record) => record.failure.as_ref().and_then(|detail| detail.failure.stack.clone()),
            Job::Respond(_) => None,
            Job::Send(delivery) => delivery.event.failure.as_ref().and_then(|failure| failure.stack.clone()),
        }
    }

    fn without_stack(mut self) -> Self {
        if let Some(stack) = self.failure().and_then(|failure| failure.stack.as_mut()) {
            *stack = Arc::new(Stack::omitted());
        }
        self
    }
}
