//! The thread that resolves stacks, so that no request waits for it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::record::{Event, Record};
use crate::stack::Stack;
use crate::{sentry, stderr, subscriber};

/// Failures whose stacks wait to be resolved; more than these go on without one.
const MOST_WAITING: usize = 1024;

pub(crate) struct Resolver {
    shared: Arc<Shared>,
    stderr: Arc<stderr::Sink>,
}

/// What is done once a stack has its names.
pub(crate) enum Job {
    Write(Record),
    Send(Arc<sentry::Sink>, Event),
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct State {
    /// The first stays here while its stack is resolved, so that it is not lost when that takes too long.
    waiting: VecDeque<Job>,
    /// Whether a job is being done; its stack is resolved, so it will not take long.
    busy: bool,
    closed: bool,
}

impl Resolver {
    pub fn start(stderr: Arc<stderr::Sink>) -> Self {
        let shared = Arc::<Shared>::default();
        let (worker, sink) = (Arc::clone(&shared), Arc::clone(&stderr));
        let work = move || {
            subscriber::mute_this_thread();
            while let Some(job) = worker.next() {
                // A panic has been reported by its hook; the next job is another's.
                let _ = catch_unwind(AssertUnwindSafe(|| job.run(&sink)));
                worker.lock().busy = false;
                worker.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("stacks".into()).spawn(work);
        thread.expect("a process that cannot start a thread cannot serve");
        Self { shared, stderr }
    }

    /// Does the job once its stack is resolved; without the stack when too many wait, or at the end.
    pub fn resolve(&self, job: Job) {
        let mut state = self.shared.lock();
        if state.closed || state.waiting.len() >= MOST_WAITING {
            drop(state);
            return job.without_stack().run(&self.stderr);
        }
        state.waiting.push_back(job);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits for the jobs at hand, at most until the deadline.
    pub(crate) fn wait(&self, deadline: Instant) -> MutexGuard<'_, State> {
        let mut state = self.shared.lock();
        while !state.waiting.is_empty() || state.busy {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Waits for the jobs at hand, at most until the deadline; what is left then is done without stacks.
    pub fn finish(&self, deadline: Instant) {
        let mut state = self.wait(deadline);
        state.closed = true;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        self.shared.changed.notify_all();
        left.into_iter().for_each(|job| job.without_stack().run(&self.stderr));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, its stack resolved; `None` at the end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let Some(first) = state.waiting.front() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let stack = first.stack();
            drop(state);
            if let Some(stack) = stack {
                stack.frames();
            }
            state = self.lock();
            if let Some(job) = state.waiting.pop_front() {
                state.busy = true;
                return Some(job);
            }
        }
    }
}

impl Job {
    fn run(self, stderr: &stderr::Sink) {
        match self {
            Job::Write(record) => stderr.write(&record),
            Job::Send(sink, event) => sink.send(event),
        }
    }

    fn failure(&mut self) -> Option<&mut Failure> {
        match self {
            Job::Write(record) => record.failure.as_mut().map(|detail| &mut detail.failure),
            Job::Send(_, event) => event.failure.as_mut(),
        }
    }

    fn stack(&self) -> Option<Arc<Stack>> {
        match self {
            Job::Write(record) => record.failure.as_ref().and_then(|detail| detail.failure.stack.clone()),
            Job::Send(_, event) => event.failure.as_ref().and_then(|failure| failure.stack.clone()),
        }
    }

    fn without_stack(mut self) -> Self {
        if let Some(stack) = self.failure().and_then(|failure| failure.stack.as_mut()) {
            *stack = Arc::new(Stack::left_out());
        }
        self
    }
}
